"""MilvusReader: libraries in Milvus, embedded or on a server, listed, read and searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from search_core.access import read_library, read_through
from search_core.collection import to_entity
from search_core.connection import connect, disconnect
from search_core.encoders.base import Embeddings
from search_core.endpoint import Endpoint, is_running
from search_core.entities import EMBEDDING_FIELD, MediaEntity
from search_core.errors import EntityNotFound
from search_core.facets import Facets
from search_core.filters import Filter, quoted
from search_core.index_specs import SearchParams
from search_core.library import NO_FILTER, LibraryInfo, Match, VectorPage, check_k
from search_core.lite.inspection import Health
from search_core.lite.read_only import is_read_only, make_view
from search_core.milvus_errors import milvus_errors
from search_core.reading import (
    EVERYTHING,
    count_rows,
    exact_matches,
    facets_of,
    matches,
    rows_where,
    vector_pages,
)
from search_core.registry import LibraryRegistry
from search_core.servers import ServerInfo

_T = TypeVar("_T")


class MilvusReader:
    """The half of MilvusStore that changes nothing, with the connection both halves share.

    ``address`` is where it is: a server's address, or the embedded Milvus's folder. One that cannot
    be written is read all the same.
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
        self._client = connect(endpoint)
        self._registry = LibraryRegistry(self._client, endpoint, health)

    def close(self) -> None:
        """Let go of the connection, and of the embedded Milvus's lock."""
        disconnect(self._client, self.endpoint)
        if self._view is not None:
            self._view.cleanup()

    def server(self) -> ServerInfo:
        """Return which Milvus it is."""
        with milvus_errors("asking for its version"):
            version = str(self._client.get_server_version())
        release = version.removeprefix("milvus_lite-")
        embedded = self.endpoint.embedded or release != version
        return ServerInfo.reported(release, embedded=embedded)

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""
        with milvus_errors("listing libraries"):
            return self._registry.all()

    def library(self, name: str) -> LibraryInfo:
        """Return one library, loaded and ready to search; raises LibraryNotFound."""
        with milvus_errors("opening the library", name):
            return self._registry.open(name)

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities pass the filter; not ``fresh``, maybe as of seconds ago.

        A fresh count waits until the server has caught up, some 200 ms; the other takes 3 ms at
        100,000 entities.
        """
        expression, level = where.expression(), "Strong" if fresh else "Bounded"
        return self._read(
            name,
            "counting entities",
            lambda info: count_rows(self._client, info.collection, expression, level),
        )

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that pass the filter, in no promised order."""
        expression = where.expression() or EVERYTHING
        rows = self._rows(name, expression, None, limit=limit, offset=offset)
        return [to_entity(row) for row in rows]

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and media type over all entities that pass the filter."""
        expression = where.expression()
        return self._read(
            name,
            "reading entities",
            lambda info: facets_of(self._client, info.collection, expression),
        )

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound."""
        rows = self._rows(name, f"id == {quoted(entity_id)}", [EMBEDDING_FIELD])
        if not rows:
            raise EntityNotFound(
                f"The library {name} has no entity {entity_id}.",
                "Ids are printed by `sightline search --json`.",
            )
        return np.asarray(rows[0][EMBEDDING_FIELD], dtype=np.float32)

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what passes the filter with its embeddings, by chance where ``limit`` is less.

        Raises StoreError when the library is rebuilt meanwhile.
        """
        expression = where.expression()
        return read_through(
            self._registry,
            name,
            "reading vectors",
            lambda info: vector_pages(self._client, info, expression, limit, seed),
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
        expression = where.expression()

        def ask(info: LibraryInfo) -> list[list[Match]]:
            return matches(self._client, info, vectors, k, expression, params)

        found = self._read(name, "searching", ask)
        if all(found) or self.endpoint.embedded:
            return found
        # A server answers a search that a rebuild overtakes with nothing, and no error (2.3.5).
        with milvus_errors("searching", name):
            self._registry.forget(self._registry.open(name).collection)
        return self._read(name, "searching", ask)

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same without the index: what passes is fetched and compared one by one."""
        check_k(k)
        expression = where.expression()
        return self._read(
            name,
            "searching",
            lambda info: exact_matches(self._client, info, vectors, k, expression),
        )

    def _read(self, name: str, doing: str, ask: Callable[[LibraryInfo], _T]) -> _T:
        return read_library(self._registry, name, doing, ask)

    def _rows(
        self,
        name: str,
        expression: str,
        fields: Sequence[str] | None,
        limit: int = 1,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Return the rows that pass; all their scalar fields where none are named."""
        return self._read(
            name,
            "reading entities",
            lambda info: rows_where(
                self._client,
                info.collection,
                expression,
                fields or info.fields,
                limit=limit,
                offset=offset,
            ),
        )
