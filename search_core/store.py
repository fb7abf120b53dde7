"""MilvusStore: libraries in Milvus, embedded or on a server, through one client.

A library is an alias of a collection; what Sightline must remember of it (encoder, metric, index,
default search parameters) is a JSON property of that collection.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pymilvus.exceptions import MilvusException

from search_core.collection import (
    INDEX_NAME,
    SCALAR_FIELDS,
    collection_schema,
    index_params,
    to_entity,
    to_row,
    to_score,
)
from search_core.connection import connect, disconnect, write_lock
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.endpoint import Endpoint
from search_core.entities import EMBEDDING_FIELD, MediaEntity
from search_core.errors import EntityNotFound, LibraryNotFound
from search_core.exact import NearestSoFar
from search_core.facets import FACET_FIELDS, Facets, count_facets
from search_core.filters import Filter, quoted
from search_core.index_specs import (
    DEFAULT_INDEX,
    IndexSpec,
    MetricType,
    SearchParams,
    VectorKind,
)
from search_core.library import (
    NO_FILTER,
    LibraryInfo,
    Match,
    VectorPage,
    check_k,
    check_library_name,
    is_scratch,
    require_filter,
)
from search_core.milvus_errors import milvus_errors
from search_core.servers import ServerInfo
from search_core.trials import TRIAL_TIMEOUT_S, Trial

PROPERTY = "sightline"
UPSERT_ROWS = 1000
EVERYTHING = 'id != ""'


class MilvusStore:
    """Libraries in one Milvus; safe to share between threads.

    Raises StoreUnavailable when Milvus cannot be reached, StoreBusy when another process holds the
    embedded one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = connect(endpoint)
        self._ready: set[str] = set()  # collections known to be indexed and loaded

    def close(self) -> None:
        """Let go of the connection, and of the embedded Milvus's lock."""
        disconnect(self._client, self.endpoint)

    def server(self) -> ServerInfo:
        """Return which Milvus it is."""
        with milvus_errors("asking for its version"):
            version = str(self._client.get_server_version())
        return ServerInfo.reported(version, embedded=self.endpoint.embedded)

    # Libraries

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""
        with milvus_errors("listing libraries"):
            names = [str(name) for name in self._client.list_aliases().get("aliases", [])]
            found = [self._read_info(name) for name in names if not is_scratch(name)]
        return sorted((info for info in found if info), key=lambda info: info.name)

    def library(self, name: str) -> LibraryInfo:
        """Return one library, loaded and ready to search; raises LibraryNotFound."""
        check_library_name(name)
        with milvus_errors("opening the library", name):
            info = self._read_info(name)
            if info is None:
                known = ", ".join(item.name for item in self.libraries()) or "none yet"
                raise LibraryNotFound(
                    f"There is no library {name} here; there is: {known}.",
                    f"`sightline ingest PATH --library {name}` creates it.",
                )
            if info.collection not in self._ready:
                self._make_ready(info)
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
        try:
            info = self.library(name)
        except LibraryNotFound:
            stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
            info = LibraryInfo(
                name=name,
                collection=f"{name}_{stamp}_{secrets.token_hex(2)}",
                encoder=identity,
                metric=metric,
                index=index,
                search=SearchParams(),
                created_at=round(time.time() * 1000),
            )
            self._create(info)
            info = self.library(name)
        info.require_encoder(identity)
        return info

    def drop_library(self, name: str) -> None:
        """Remove a library with all its entities; raises LibraryNotFound."""
        info = self.library(name)
        with milvus_errors("dropping the library", name), write_lock(self.endpoint):
            self._client.drop_alias(name)
            self._client.drop_collection(info.collection)
        self._ready.discard(info.collection)

    # Entities

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced."""
        collection = self.library(name).collection
        for start in range(0, len(entities), UPSERT_ROWS):
            part = slice(start, start + UPSERT_ROWS)
            rows = [
                to_row(entity, vector)
                for entity, vector in zip(entities[part], embeddings[part], strict=True)
            ]
            with milvus_errors("storing vectors", name), write_lock(self.endpoint):
                self._client.upsert(collection, rows)

    def settle(self, name: str) -> None:
        """Return when everything written is seen by every reader and kept on disk."""
        with milvus_errors("flushing", name), write_lock(self.endpoint):
            self._client.flush(self.library(name).collection)
        self.count(name)

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities pass the filter; not ``fresh``, maybe as of seconds ago.

        A fresh count waits until the server has caught up, some 200 ms; the other takes 3 ms at
        100,000 entities.
        """
        level = "Strong" if fresh else "Bounded"
        rows = self._query(name, where.expression(), ["count(*)"], level)
        return int(rows[0]["count(*)"])

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that pass the filter, in no promised order."""
        expression = where.expression() or EVERYTHING
        rows = self._query(name, expression, SCALAR_FIELDS, limit=limit, offset=offset)
        return [to_entity(row) for row in rows]

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and media type over all entities that pass the filter."""
        expression = where.expression() or EVERYTHING
        return count_facets(
            row for page in self._pages(name, expression, list(FACET_FIELDS)) for row in page
        )

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound."""
        rows = self._query(name, f"id == {quoted(entity_id)}", [EMBEDDING_FIELD])
        if not rows:
            raise EntityNotFound(
                f"The library {name} has no entity {entity_id}.",
                "Ids are printed by `sightline search --json`.",
            )
        return np.asarray(rows[0][EMBEDDING_FIELD], dtype=np.float32)

    def sample(self, name: str, limit: int) -> tuple[list[str], Embeddings]:
        """Return up to ``limit`` entities' ids and embeddings (n, dim)."""
        info = self.library(name)
        ids: list[str] = []
        vectors: list[list[float]] = []
        for page in self._pages(name, EVERYTHING, ["id", EMBEDDING_FIELD], limit=limit):
            ids.extend(str(row["id"]) for row in page)
            vectors.extend(row[EMBEDDING_FIELD] for row in page)
        return ids, np.asarray(vectors, dtype=np.float32).reshape(len(ids), info.encoder.dim)

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what passes the filter with its embeddings, some 1,000 at a time."""
        expression = where.expression() or EVERYTHING
        fields = [*SCALAR_FIELDS, EMBEDDING_FIELD]
        for page in self._pages(name, expression, fields, limit=-1 if limit is None else limit):
            vectors = np.array([row[EMBEDDING_FIELD] for row in page], dtype=np.float32)
            yield VectorPage([to_entity(row) for row in page], vectors)

    def delete(self, name: str, where: Filter) -> int:
        """Remove what passes the filter and return how many that were; refuses an empty filter."""
        require_filter(where)
        collection = self.library(name).collection
        with write_lock(self.endpoint):
            matching = self.count(name, where)
            if matching:
                with milvus_errors("deleting", name):
                    self._client.delete(collection, filter=where.expression())
        return matching

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
        info = self.library(name)
        options = {
            "metric_type": info.metric,
            "params": info.search_params(params, check_k(k)),
        }
        with milvus_errors("searching", name):
            found = self._client.search(
                info.collection,
                data=[row.tolist() for row in np.atleast_2d(vectors)],
                anns_field=EMBEDDING_FIELD,
                limit=k,
                filter=where.expression(),
                output_fields=SCALAR_FIELDS,
                search_params=options,
            )
        return [
            [
                Match(to_score(info.metric, hit["distance"]), to_entity({**hit["entity"]}))
                for hit in hits
            ]
            for hits in found
        ]

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same without the index: what passes is fetched and compared one by one."""
        info = self.library(name)
        nearest = NearestSoFar(vectors, check_k(k), info.metric)
        entities: list[MediaEntity] = []
        for page in self.vectors(name, where=where):
            numbers = np.arange(len(entities), len(entities) + len(page.entities))
            nearest.add(numbers, page.embeddings)
            entities.extend(page.entities)
        return [
            [
                Match(to_score(info.metric, float(distance)), entities[row])
                for row, distance in zip(rows, distances, strict=True)
                if row >= 0
            ]
            for rows, distances in zip(nearest.rows, nearest.distances, strict=True)
        ]

    # The index

    def set_index(self, name: str, index: IndexSpec, search: SearchParams | None = None) -> None:
        """Rebuild a library's index in place; ``search`` becomes its default nprobe and ef."""
        info = self.library(name)
        changed = replace(info, index=index, search=search or SearchParams())
        index.search_params(changed.search, 1)
        with milvus_errors("building the index", name), write_lock(self.endpoint):
            if index != info.index:
                self._client.release_collection(info.collection)
                self._client.drop_index(info.collection, INDEX_NAME)
            self._write_info(changed)
            self._make_ready(changed)

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
    ) -> LibraryInfo:
        """Build a library's new index beside the serving one and switch to it."""
        raise NotImplementedError

    def open_trial(
        self,
        dim: int,
        *,
        metric: str,
        vector_kind: VectorKind = "float",
        timeout_s: float = TRIAL_TIMEOUT_S,
    ) -> Trial:
        """Return an empty trial for vectors of ``dim`` dimensions (bits, where it is binary)."""
        raise NotImplementedError

    def remove_leftovers(self) -> list[str]:
        """Remove what processes that ended midway left behind, and return its names."""
        return []

    # Within

    def _query(
        self,
        name: str,
        expression: str,
        fields: list[str],
        consistency: str = "Strong",
        **page: int,
    ) -> list[Any]:
        collection = self.library(name).collection
        with milvus_errors("reading entities", name):
            rows = self._client.query(
                collection,
                filter=expression,
                output_fields=fields,
                consistency_level=consistency,
                **page,
            )
        return list(rows)

    def _pages(
        self, name: str, expression: str, fields: list[str], *, limit: int = -1
    ) -> Iterator[list[Any]]:
        """Yield all rows that pass the expression, a page at a time; a limit of -1 is none."""
        collection = self.library(name).collection
        with milvus_errors("reading entities", name):
            pages = self._client.query_iterator(
                collection,
                batch_size=1000 if limit < 0 else min(1000, limit),
                limit=limit,
                filter=expression,
                output_fields=fields,
            )
            try:
                while page := pages.next():
                    yield list(page)
            finally:
                pages.close()

    def _read_info(self, name: str) -> LibraryInfo | None:
        try:
            collection = str(self._client.describe_alias(name)["collection_name"])
            properties = self._client.describe_collection(collection).get("properties", {})
        except MilvusException as error:
            if "not found" in error.message or "not exist" in error.message:
                return None
            raise
        text = properties.get(PROPERTY)
        return LibraryInfo.from_dict(collection, json.loads(text)) if text else None

    def _write_info(self, info: LibraryInfo) -> None:
        self._client.alter_collection_properties(
            info.collection, {PROPERTY: json.dumps(info.to_dict())}
        )

    def _create(self, info: LibraryInfo) -> None:
        with milvus_errors("creating the library", info.name), write_lock(self.endpoint):
            self._client.create_collection(
                info.collection,
                schema=collection_schema(self._client, info.encoder.dim),
                consistency_level="Session",
            )
            self._write_info(info)
            self._make_ready(info)
            # The alias comes last: a library exists when all of it does.
            self._client.create_alias(info.collection, info.name)

    def _make_ready(self, info: LibraryInfo) -> None:
        """Build the index where it is missing (a build may have been interrupted) and load."""
        if not self._client.list_indexes(info.collection):
            wanted = index_params(self._client, info, embedded=self.endpoint.embedded)
            self._client.create_index(info.collection, wanted)
        self._client.load_collection(info.collection)
        self._ready.add(info.collection)
