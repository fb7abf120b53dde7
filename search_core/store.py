"""MilvusStore: libraries in Milvus, embedded or on a server, through one client.

What only reads is in milvus_reader.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from search_core.access import write_library
from search_core.collection import to_row
from search_core.disk import require_room
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.endpoint import Endpoint
from search_core.entities import SCALAR_FIELDS, MediaEntity
from search_core.errors import SightlineError
from search_core.filters import Filter
from search_core.in_place import IN_PLACE_TIMEOUT_S, rebuild_in_place
from search_core.index_specs import DEFAULT_INDEX, IndexSpec, MetricType, SearchParams, VectorKind
from search_core.leftovers import has_leftovers, remove_leftovers
from search_core.library import LibraryInfo, check_library_name, require_filter
from search_core.milvus_errors import milvus_errors
from search_core.milvus_reader import MilvusReader
from search_core.milvus_succession import MilvusSuccession
from search_core.milvus_trial import MilvusTrial, VectorSpace
from search_core.rebuild import Rebuild, changed_index
from search_core.registry import new_collection_name
from search_core.trials import TRIAL_TIMEOUT_S

if TYPE_CHECKING:
    from search_core.bulk import BulkInserter
    from search_core.bulk_storage import BulkStorage

UPSERT_ROWS = 1000


class MilvusStore(MilvusReader):
    """Libraries in one Milvus; safe to share between threads.

    Raises StoreUnavailable when Milvus cannot be reached, StoreBusy when another process holds the
    embedded one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._encoders: dict[str, EncoderIdentity] = {}  # what this process writes, by library

    # Libraries

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
        with milvus_errors("creating the library", name):
            if self._registry.find(name) is None:
                now = round(time.time() * 1000)
                collection = new_collection_name(name)
                info = LibraryInfo(name, collection, identity, metric, index, SearchParams(), now)
                self._registry.create(info)
        info = self.library(name)
        info.require_encoder(identity)
        self._encoders[name] = identity
        return info

    def drop_library(self, name: str) -> None:
        """Remove a library with all its entities; raises LibraryNotFound."""
        info = self.library(name)
        with milvus_errors("dropping the library", name):
            self._registry.remove(info)

    def rename_library(self, name: str, new_name: str) -> None:
        """Give a library another name; raises LibraryNotFound, UsageError, StoreBusy."""
        info = self.library(name)
        with milvus_errors("renaming the library", name):
            self._registry.rename(info, check_library_name(new_name))
        self._encoders.pop(name, None)

    # Entities

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced.

        Raises DiskFull, for an embedded Milvus before there is no room at all.
        """
        if self.endpoint.folder is not None:
            require_room(self.endpoint.folder)
        for start in range(0, len(entities), UPSERT_ROWS):
            part = slice(start, start + UPSERT_ROWS)
            write = partial(self._upsert, list(zip(entities[part], embeddings[part], strict=True)))
            self._write(name, "storing vectors", write, self._encoders.get(name))

    def bulk_inserter(self, storage: BulkStorage) -> BulkInserter:
        """Return what writes many rows at once through files; raises UsageError for Milvus Lite."""
        from search_core.bulk import BulkInserter

        return BulkInserter(
            self._client, self._registry, self.endpoint, self.server(), storage, self._encoders
        )

    def settle(self, name: str) -> None:
        """Return when everything written is seen by every reader and kept on disk."""
        self._write(name, "flushing", self._client.flush)
        self.count(name)

    def delete(self, name: str, where: Filter) -> int:
        """Remove what passes the filter and return how many that were; refuses an empty filter."""
        require_filter(where)
        matching = self.count(name, where)
        if matching:
            expression = where.expression()
            self._write(name, "deleting", lambda of: self._client.delete(of, filter=expression))
        return matching

    # The index

    def set_index(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        timeout_s: float = IN_PLACE_TIMEOUT_S,
    ) -> None:
        """Rebuild a library's index in place; ``search`` becomes its default nprobe and ef.

        Where that fails or takes longer, the old one is put back: raises StoreError.
        """
        info = self.library(name)
        changed = changed_index(info, index, search, self.server())
        with milvus_errors("building the index", name):
            rebuild_in_place(self._client, self._registry, self.endpoint, info, changed, timeout_s)

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
    ) -> LibraryInfo:
        """Build a library's new index beside the serving one and switch to it (rebuild.py).

        Where only the search parameters are new there is nothing to build.
        """
        self.remove_leftovers()
        info = self.library(name)
        changed = changed_index(info, index, search, self.server())
        with milvus_errors("building the index", name):
            if index == info.index:
                rebuild_in_place(self._client, self._registry, self.endpoint, info, changed)
                return changed
            return Rebuild(self._client, self._registry, self.endpoint, on_progress).run(
                info, changed
            )

    def succession(self, name: str, identity: EncoderIdentity, work: str = "") -> MilvusSuccession:
        """Return what fills a library's next collection, for embeddings of another encoder.

        It has the library's index and metric. ``work`` is a name that only one process at a time
        acts under: it goes on with what another left under it, whether that has ended or not.
        Raises UsageErrors for a dimension the index cannot have.
        """
        self.remove_leftovers()
        old = self.library(name)
        old.index.require_dim(identity.dim)
        collection = new_collection_name(name)
        new = replace(
            old,
            collection=collection,
            encoder=identity,
            successor="",
            heir="",
            fields=SCALAR_FIELDS,
        )
        return MilvusSuccession(self._client, self._registry, self.endpoint, old, new, work)

    def open_trial(
        self,
        dim: int,
        *,
        metric: str,
        vector_kind: VectorKind = "float",
        timeout_s: float = TRIAL_TIMEOUT_S,
    ) -> MilvusTrial:
        """Return an empty trial for vectors of ``dim`` dimensions (bits, where it is binary)."""
        self.remove_leftovers()
        space = VectorSpace(dim, metric, vector_kind)
        return MilvusTrial(self._client, self.endpoint, self.server(), space, timeout_s)

    def remove_leftovers(self) -> list[str]:
        """Remove what processes that ended midway left behind, and return its names."""
        with milvus_errors("removing leftovers"):
            return remove_leftovers(self._client, self._registry, self.endpoint)

    def tidy(self) -> list[str]:
        """Remove leftovers where there are some, which costs next to nothing to tell.

        For the start of any command: what Milvus refuses meanwhile is left to the next.
        """
        with suppress(SightlineError), milvus_errors("removing leftovers"):
            self._registry.health.require_all()  # what is damaged is no leftover
            if has_leftovers(self._client, self._registry):
                return self.remove_leftovers()
        return []

    # Within

    def _write(
        self,
        name: str,
        doing: str,
        write: Callable[[str], object],
        identity: EncoderIdentity | None = None,
    ) -> None:
        write_library(self._registry, self.endpoint, name, doing, write, identity)

    def _upsert(self, pairs: list[tuple[MediaEntity, Embeddings]], collection: str) -> None:
        fields = self._registry.fields(collection)
        rows = [to_row(entity, vector, fields) for entity, vector in pairs]
        self._client.upsert(collection, rows)
