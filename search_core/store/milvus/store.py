"""MilvusStore: libraries in Milvus, embedded or on a server, through one client."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pymilvus.exceptions import MilvusException

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import EntityNotFound, SightlineError
from search_core.indexes import DEFAULT_INDEX, IndexSpec, MetricType, SearchParams, VectorKind
from search_core.indexes.milvus_version import ServerInfo
from search_core.messages import Message
from search_core.schema.entity import EMBEDDING_FIELD, REGION_FIELDS, STORED_FIELDS, MediaEntity
from search_core.schema.facets import FACET_FIELDS, Facets, count_facets
from search_core.schema.filters import Filter, wording_expression
from search_core.schema.lettering import LETTERING_TEXT_FIELD, Wording
from search_core.store.endpoint import Endpoint, is_running, write_lock
from search_core.store.library import (
    NO_FILTER,
    LibraryInfo,
    Match,
    Replacement,
    VectorPage,
    check_k,
    check_library_name,
    require_filter,
)
from search_core.store.lite.inspection import Health
from search_core.store.lite.layout import is_read_only, make_view
from search_core.store.milvus import queries
from search_core.store.milvus.catalog import new_collection_name
from search_core.store.milvus.errors import Meaning, meaning_of, milvus_errors
from search_core.store.milvus.probe import ProbeRecord, ProbeRecords, probe
from search_core.store.milvus.replacement import MilvusReplacement, replace_in_place
from search_core.store.milvus.schema import flush, last_of_each
from search_core.store.milvus.scratch import (
    MilvusTrial,
    VectorSpace,
    has_leftovers,
    remove_leftovers,
)
from search_core.store.milvus.session import MilvusSession
from search_core.store.scratch import FACETS, TRIAL_TIMEOUT_S
from search_core.system.machine import now_ms, require_room

if TYPE_CHECKING:
    from search_core.store.milvus.bulk_insert import BulkInserter, BulkStorage

_T = TypeVar("_T")
#: Rows of facets hold little: each page is sorted anew, so that few large ones are quicker.
_FACET_ROWS = 10_000


class MilvusStore:
    """Libraries in one Milvus; safe to share between threads.

    ``session`` is the connection; ``address`` is where it is: a server's address, or the embedded
    Milvus's folder. One that cannot be written is read all the same. Raises StoreUnavailable when
    Milvus cannot be reached, StoreBusy when another process holds the embedded one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.address = endpoint.uri
        health = Health(endpoint.folder, is_running=is_running(endpoint))
        self._view = None
        if not is_running(endpoint) and is_read_only(Path(endpoint.uri)):
            self._view = make_view(Path(endpoint.uri))
            view = Path(self._view.name) / Path(endpoint.uri).name
            endpoint = replace(endpoint, uri=str(view), read_only=Path(endpoint.uri).parent)
        self.endpoint = endpoint
        self.session = MilvusSession.open(endpoint, health)
        self._encoders: dict[str, EncoderIdentity] = {}  # what this process writes, by library
        self._probes = ProbeRecords(endpoint.probes) if endpoint.probes else None
        self._flushing = threading.Lock()
        self._flushed_s: dict[str, float] = {}  # by collection: when the last flush began

    def close(self) -> None:
        """Let go of the connection, and of the embedded Milvus's lock."""
        self.session.close()
        if self._view is not None:
            self._view.cleanup()

    def server(self) -> ServerInfo:
        """Return which Milvus it is."""
        server = self.session.server()
        found = self._probes.find(self.endpoint, server.version) if self._probes else None
        return replace(server, lacks=frozenset(found.lacks)) if found else server

    def probe(
        self,
        *,
        thorough: bool = True,
        storage: BulkStorage | None = None,
        on_progress: Callable[[str], None] = lambda name: None,
    ) -> ProbeRecord:
        """Try on scratch collections what Sightline relies on, and keep what was found.

        Takes minutes; seconds where only what is most needed is tried. ``storage`` is where a file
        for a bulk insert can be left; ``on_progress`` is given the name of each try.
        """
        self.remove_leftovers()
        server = self.session.server()
        record = probe(
            self.session, server, thorough=thorough, storage=storage, on_progress=on_progress
        )
        if self._probes is not None:
            with suppress(OSError):  # where the data directory is read only, it is tried each time
                self._probes.keep(record)
        return record

    def probe_once(
        self, on_progress: Callable[[str], None] = lambda name: None
    ) -> ProbeRecord | None:
        """Try the most needed, in seconds, where this server and version was never probed.

        Returns None where it was, and for Milvus Lite, whose version is pinned.
        """
        if self._probes is None or self.endpoint.embedded:
            return None
        server = self.session.server()
        if server.embedded or self._probes.find(self.endpoint, server.version) is not None:
            return None
        return self.probe(thorough=False, on_progress=on_progress)

    # Libraries

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""
        with milvus_errors("listing libraries"):
            return self.session.catalog.all()

    def library(self, name: str, encoder: EncoderIdentity | None = None) -> LibraryInfo:
        """Return one library, loaded and ready to search.

        What another process changed in the last two seconds may not show yet. Raises
        LibraryNotFound, and EncoderMismatch unless ``encoder``, where given, made its vectors.
        """
        info = self.session.library(name)
        if encoder is not None and not info.encoder.same_space(encoder):
            info = self.session.library(name, fresh=True)
            info.require_encoder(encoder)
        return info

    def ensure_library(
        self,
        name: str,
        identity: EncoderIdentity,
        *,
        metric: MetricType = "COSINE",
        index: IndexSpec = DEFAULT_INDEX,
    ) -> LibraryInfo:
        """Return the library, created when it is new; raises EncoderMismatch."""
        check_library_name(name)
        info = self.session.remembered(name, fresh=True)
        if info is None or not info.encoder.same_space(identity):
            with milvus_errors("creating the library", name):
                if self.session.catalog.find(name) is None:
                    now = now_ms()
                    collection = new_collection_name(name)
                    made = LibraryInfo(
                        name, collection, identity, metric, index, SearchParams(), now
                    )
                    self.session.catalog.create(made)
            info = self.session.library(name, fresh=True)
            info.require_encoder(identity)
        self._encoders[name] = identity
        return info

    def drop_library(self, name: str) -> None:
        """Remove a library with all its entities; raises LibraryNotFound."""
        info = self.session.library(name, fresh=True)
        with milvus_errors("dropping the library", name):
            self.session.catalog.remove(info)

    def rename_library(self, name: str, new_name: str) -> None:
        """Give a library another name; raises LibraryNotFound, UsageError, StoreBusy."""
        info = self.session.library(name, fresh=True)
        with milvus_errors("renaming the library", name):
            self.session.catalog.rename(info, check_library_name(new_name))
        self._encoders.pop(name, None)

    # Entities

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced.

        Of several with one id the last counts: some servers keep all of them, others refuse them
        (Milvus 2.5.17 and 2.6.8). Raises DiskFull, for an embedded Milvus before there is no room
        at all.
        """
        entities, embeddings = last_of_each(entities, embeddings)
        if self.endpoint.folder is not None:
            require_room(self.endpoint.folder)
        if entities:
            write = partial(self.session.upsert, entities=entities, embeddings=embeddings)
            self.session.write(name, "storing vectors", write, self._encoders.get(name))

    def bulk_inserter(self, storage: BulkStorage) -> BulkInserter:
        """Return what writes many rows at once through files; raises UsageError for Milvus Lite."""
        from search_core.store.milvus.bulk_insert import BulkInserter

        return BulkInserter(self.session, self.server(), storage, self._encoders)

    def settle(self, name: str) -> None:
        """Return when everything written is seen by every reader and kept on disk.

        A server keeps what it has acknowledged in its log, so that one which limits how often a
        collection is flushed, and goes on refusing, loses nothing by it.
        """

        def flush_all(info: LibraryInfo) -> None:
            for collection in info.collections:
                self._flush_once(collection)
            queries.count_rows(self.session.client, info.collection, "")

        with write_lock(self.endpoint):
            self.session.read(name, "flushing", flush_all, fresh=True)

    def delete(self, name: str, where: Filter) -> int:
        """Remove what passes the filter, with its regions; return how many keyframes that were.

        Refuses an empty filter. One ``with_regions`` removes regions alone too, and counts rows.
        """
        require_filter(where)
        matching = self.count(name, where)
        if matching:
            client, fields = self.session.client, self._filter_fields(name)
            rows = where.with_regions()
            self.session.write(
                name,
                "deleting",
                lambda of: client.delete(of, filter=rows.expression(fields(of))),
            )
        return matching

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities pass the filter; not ``fresh``, maybe as of seconds ago.

        A fresh count waits until the server has caught up, some 200 ms; the other takes 3 ms at
        100,000 entities.
        """
        level = "Strong" if fresh else "Bounded"
        return self.session.read(
            name,
            "counting entities",
            lambda info: queries.count_rows(
                self.session.client, info.collection, where.expression(info.filter_fields), level
            ),
            fresh=fresh,
        )

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that pass the filter, in no promised order."""
        client = self.session.client

        def ask(info: LibraryInfo) -> list[dict[str, Any]]:
            expression = where.expression(info.filter_fields) or queries.EVERYTHING
            of = (client, info.collection, expression, info.fields)
            return queries.rows_where(*of, limit=limit, offset=offset)

        rows = self.session.read(name, "reading entities", ask, fresh=True)
        return queries.to_entities(rows)

    def lettered(
        self,
        name: str,
        wording: Wording,
        where: Filter = NO_FILTER,
        *,
        limit: int = 100,
        fuzzy: bool = False,
    ) -> list[MediaEntity]:
        """Return entities that pass the filter and on which all words were read, in no order.

        A server before 2.4 knows no pattern that begins with a wildcard: it hands out what passes
        and has any lettering, some at a time, and words are compared here. ``text_match`` and BM25
        are not used where they are: of 20,000 rows on Milvus Lite 3.2.2, 8,000 with lettering,
        ``text_match`` finds a word in 5 to 14 times the time of ``like``, none within longer words,
        none with a wrong character, and no Chinese by its characters.
        """
        client = self.session.client
        compares = self.session.catalog.known_server().finds_within
        written = wording_expression(wording, fuzzy=fuzzy)
        test = written if compares else f'{LETTERING_TEXT_FIELD} != ""'

        def ask(info: LibraryInfo) -> list[MediaEntity]:
            if not info.keeps_lettering or wording.is_empty:
                return []
            parts = (where.expression(info.fields), test)
            of = (client, info.collection, " and ".join(f"({p})" for p in parts if p), info.fields)
            if compares:
                return queries.to_entities(queries.rows_where(*of, limit=limit))
            found: list[MediaEntity] = []
            for page in queries.pages(*of):
                entities = queries.to_entities(page)
                found += [e for e in entities if wording.matches(e.lettering_text, fuzzy=fuzzy)]
                if len(found) >= limit:
                    break
            return found[:limit]

        return self.session.read(name, "reading entities", ask, fresh=True)

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and media type over all entities that pass the filter."""
        client = self.session.client

        def ask(info: LibraryInfo) -> Facets:
            of = (client, info.collection, where.expression(info.filter_fields), FACET_FIELDS)
            found = queries.pages(*of, rows=_FACET_ROWS)
            return count_facets(row for page in found for row in page)

        return self.session.read(name, "reading entities", ask, fresh=True)

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound."""
        client = self.session.client

        def ask(info: LibraryInfo, level: str = "Session") -> list[dict[str, Any]]:
            ids, fields = [entity_id], [EMBEDDING_FIELD]
            return queries.rows_of(client, info.collection, ids, fields, consistency=level)

        rows = self.session.read(name, "reading an embedding", ask)
        if not rows:  # or another process has just written it
            strong = partial(ask, level="Strong")
            rows = self.session.read(name, "reading an embedding", strong, fresh=True)
        if not rows:
            raise EntityNotFound(
                "The library {name} has no entity {id}.",
                "Ids are printed by `sightline search --json`.",
                name=name,
                id=entity_id,
            )
        return np.asarray(rows[0][EMBEDDING_FIELD], dtype=np.float32)

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what passes the filter with its embeddings, by chance where ``limit`` is less.

        Raises StoreError when the library is rebuilt meanwhile.
        """
        client = self.session.client
        return self.session.read_through(
            name,
            Message("reading vectors"),
            lambda info: queries.vector_pages(
                client, info, where.expression(info.filter_fields), limit, seed
            ),
        )

    def search(
        self,
        name: str,
        vectors: Embeddings,
        *,
        k: int,
        where: Filter = NO_FILTER,
        params: SearchParams | None = None,
    ) -> list[list[Match]]:
        """Return for each of the vectors (n, dim) its ``k`` nearest entities, best first."""
        check_k(k)

        def ask(info: LibraryInfo) -> list[list[Match]]:
            expression = where.expression(info.filter_fields)
            return queries.matches(self.session.client, info, vectors, k, expression, params)

        found = self.session.read(name, "searching", ask)
        if all(found) or self.endpoint.embedded:
            return found
        # A server answers a search that a rebuild overtakes with nothing, and no error (2.3.5).
        self.session.catalog.forget(self.session.library(name, fresh=True).collection)
        return self.session.read(name, "searching", ask)

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same without the index: what passes is fetched and compared one by one."""
        check_k(k)
        client = self.session.client
        return self.session.read(
            name,
            "searching",
            lambda info: queries.exact_matches(
                client, info, vectors, k, where.expression(info.filter_fields)
            ),
        )

    # The index

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
        *,
        in_place: bool = False,
    ) -> LibraryInfo:
        """Build a library's new index beside the serving one and switch to it, or in place.

        Where only the search parameters are new there is nothing to build. Where nothing is, rows
        from before a field was stored are written anew, beside the serving ones. Raises UsageErrors
        where this Milvus cannot build it.
        """
        self.remove_leftovers()
        info = self.session.library(name, fresh=True)
        changed = replace(info, index=index, search=search or SearchParams())
        index.require_offered(self.server())
        index.require_dim(info.encoder.dim)
        index.metric_for(info.metric)
        index.search_params(changed.search, 1)
        is_old = changed == info and info.fields != STORED_FIELDS
        if in_place or (index == info.index and not is_old):
            replace_in_place(self.session, info, changed)
            return changed
        with MilvusReplacement(self.session, info, changed) as replacement:
            replacement.copy(on_progress)
            replacement.switch()
        on_progress("done", 1.0)
        return replacement.new

    def replacement(self, name: str, identity: EncoderIdentity, work: str = "") -> Replacement:
        """Return what fills a library's next collection, for embeddings of another encoder.

        It has the library's index and metric. ``work`` is a name that only one process at a time
        acts under: it goes on with what another left under it, whether that has ended or not.
        Raises UsageErrors for a dimension the index cannot have.
        """
        self.remove_leftovers()
        old = self.session.library(name, fresh=True)
        old.index.require_dim(identity.dim)
        wanted = replace(old, encoder=identity)
        return MilvusReplacement(self.session, old, wanted, work or token_hex(8))

    def open_trial(
        self,
        dim: int,
        *,
        metric: str,
        vector_kind: VectorKind = "float",
        timeout_s: float = TRIAL_TIMEOUT_S,
        facets: Sequence[str] = FACETS,
    ) -> MilvusTrial:
        """Return an empty trial for vectors of ``dim`` dimensions (bits, where it is binary)."""
        self.remove_leftovers()
        space = VectorSpace(dim, metric, vector_kind, facets)
        return MilvusTrial(self.session, self.server(), space, timeout_s)

    def remove_leftovers(self) -> list[str]:
        """Remove what processes that ended midway left behind, and return its names."""
        with milvus_errors("removing leftovers"):
            return remove_leftovers(self.session)

    def tidy(self) -> list[str]:
        """Remove leftovers where there are some, which costs next to nothing to tell.

        For the start of any command: what Milvus refuses meanwhile is left to the next.
        """
        with suppress(SightlineError), milvus_errors("removing leftovers"):
            self.session.catalog.health.require_all()  # what is damaged is not a leftover
            if has_leftovers(self.session):
                return self.remove_leftovers()
        return []

    # Within

    def _filter_fields(self, name: str) -> Callable[[str], tuple[str, ...]]:
        """Return what tells by which fields a filter of one of a library's collections is written.

        Whether there are regions is what the last look at the library said.
        """
        has_regions = self.session.library(name).has_regions
        fields = self.session.catalog.fields
        return lambda collection: tuple(
            field for field in fields(collection) if has_regions or field not in REGION_FIELDS
        )

    def _flush_once(self, collection: str) -> None:
        """Flush a collection, unless a flush that began after this call covers it."""
        asked_s = time.monotonic()
        with self._flushing:
            if self._flushed_s.get(collection, -math.inf) > asked_s:
                return
            began_s = time.monotonic()
            try:
                flush(self.session.client, collection, self.endpoint.timeout_s)
            except MilvusException as error:
                if meaning_of(error) is not Meaning.RATE_LIMITED:
                    raise
            self._flushed_s[collection] = began_s
