"""MemoryStore: the Store protocol in plain NumPy, exact, for tests and for trying things out."""

from __future__ import annotations

import ast
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import (
    EntityNotFound,
    FilterError,
    LibraryNotFound,
    StoreError,
    UsageError,
)
from search_core.indexes import DEFAULT_INDEX, IndexSpec, MetricType, SearchParams
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import MediaEntity
from search_core.schema.facets import FACET_FIELDS, Facets, count_facets
from search_core.schema.filters import Filter
from search_core.schema.lettering import Wording
from search_core.store.exact_search import NearestSoFar
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
from search_core.store.scratch import BuildTimes, Rows, Trial, Vectors, bucket_of, facet_row

MemoryRows: TypeAlias = dict[str, tuple[MediaEntity, Embeddings]]


class MemoryStore:
    """Libraries in a dictionary; behaves as MilvusStore does, and is gone with the process."""

    def __init__(self) -> None:
        self._infos: dict[str, LibraryInfo] = {}
        self._rows: dict[str, MemoryRows] = {}

    @property
    def address(self) -> str:
        """Nowhere."""
        return ""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def server(self) -> ServerInfo:
        """Return what it stands in for: an embedded Milvus."""
        return ServerInfo("3.2.2", embedded=True, gpu=False)

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""
        return [self._infos[name] for name in sorted(self._infos)]

    def library(self, name: str, encoder: EncoderIdentity | None = None) -> LibraryInfo:
        """Return one library; raises LibraryNotFound, EncoderMismatch."""
        check_library_name(name)
        if name not in self._infos:
            raise LibraryNotFound("There is no library {name} here.", name=name)
        info = self._infos[name]
        if encoder is not None:
            info.require_encoder(encoder)
        rows = [entity for entity, _ in self._rows[name].values()]
        return replace(
            info,
            has_regions=any(entity.is_region for entity in rows),
            has_lettering=any(entity.lettering for entity in rows),
        )

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
        if name not in self._infos:
            now = round(time.time() * 1000)
            self._infos[name] = LibraryInfo(
                name, f"{name}_memory", identity, metric, index, SearchParams(), now
            )
            self._rows[name] = {}
        self._infos[name].require_encoder(identity)
        return self._infos[name]

    def drop_library(self, name: str) -> None:
        """Remove a library with all its entities; raises LibraryNotFound."""
        self.library(name)
        del self._infos[name], self._rows[name]

    def rename_library(self, name: str, new_name: str) -> None:
        """Give a library another name; raises LibraryNotFound, and UsageError if it is taken."""
        info = self.library(name)
        if check_library_name(new_name) in self._infos:
            raise UsageError(
                "There is a library {name} already.", "Choose another name.", name=new_name
            )
        del self._infos[name]
        self._infos[new_name] = replace(info, name=new_name)
        self._rows[new_name] = self._rows.pop(name)

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced."""
        self.library(name)
        for entity, vector in zip(entities, embeddings, strict=True):
            self._rows[name][entity.id] = (entity, np.array(vector, dtype=np.float32))

    def settle(self, name: str) -> None:
        """Do nothing: what is written is seen at once."""
        self.library(name)

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities pass the filter."""
        return len(self._matching(name, where))

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that pass the filter, in no promised order."""
        return [entity for entity, _ in self._matching(name, where)][offset : offset + limit]

    def lettered(
        self,
        name: str,
        wording: Wording,
        where: Filter = NO_FILTER,
        *,
        limit: int = 100,
        fuzzy: bool = False,
    ) -> list[MediaEntity]:
        """Return entities that pass the filter and on which all words were read."""
        found = [entity for entity, _ in self._matching(name, where)]
        return [e for e in found if wording.matches(e.lettering_text, fuzzy=fuzzy)][:limit]

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and media type over all entities that pass the filter."""
        found = self._matching(name, where)
        return count_facets(
            {field: getattr(entity, field) for field in FACET_FIELDS} for entity, _ in found
        )

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound."""
        self.library(name)
        if entity_id not in self._rows[name]:
            raise EntityNotFound("The library {name} has no entity {id}.", name=name, id=entity_id)
        return self._rows[name][entity_id][1]

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what passes the filter with its embeddings, by chance where ``limit`` is less."""
        rows = self._matching(name, where)
        if limit is not None and limit < len(rows):
            chosen = np.random.default_rng(seed).choice(len(rows), limit, replace=False)
            rows = [rows[number] for number in np.sort(chosen)]
        for start in range(0, len(rows), 1000):
            part = rows[start : start + 1000]
            yield VectorPage([entity for entity, _ in part], np.stack([row for _, row in part]))

    def delete(self, name: str, where: Filter) -> int:
        """Remove what passes the filter, with its regions; return how many keyframes that were."""
        require_filter(where)
        count = self.count(name, where)
        for entity, _ in self._matching(name, where.with_regions()) if count else ():
            del self._rows[name][entity.id]
        return count

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
        info.search_params(params, check_k(k))
        rows = self._matching(name, where)
        matches = []
        for query in np.atleast_2d(vectors):
            scored = [Match(float(query @ vector), entity) for entity, vector in rows]
            matches.append(sorted(scored, key=lambda match: -match.score)[:k])
        return matches

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same: every search here is exact."""
        return self.search(name, vectors, k=k, where=where)

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
        *,
        in_place: bool = False,
    ) -> LibraryInfo:
        """Remember the index and how it is searched: there is nothing to build."""
        changed = search or SearchParams()
        index.search_params(changed, 1)
        self._infos[name] = replace(self.library(name), index=index, search=changed)
        on_progress("switching", 1.0)
        return self.library(name)

    def replacement(self, name: str, identity: EncoderIdentity, work: str = "") -> Replacement:
        """Return what fills a library's next dictionary, for embeddings of another encoder."""
        info = replace(self.library(name), encoder=identity)

        def switch(rows: MemoryRows) -> None:
            self._infos[name], self._rows[name] = info, rows

        return MemoryReplacement(self._rows[name], switch)

    def open_trial(self, dim: int, *, metric: str, **ignored: Any) -> MemoryTrial:
        """Return an empty trial; it takes vectors of any dimension, and no time."""
        return MemoryTrial(metric)

    def remove_leftovers(self) -> list[str]:
        """Return nothing: what is in memory goes with its process."""
        return []

    def _matching(self, name: str, where: Filter) -> list[tuple[MediaEntity, Embeddings]]:
        self.library(name)
        return [row for row in self._rows[name].values() if where.matches(row[0])]


class MemoryReplacement(Replacement):
    """Fills a dictionary beside that of a library; ``switch`` puts it in its place."""

    def __init__(self, old: MemoryRows, switch: Callable[[MemoryRows], None]) -> None:
        self._old = old
        self._new: MemoryRows = {}
        self._switch = switch

    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that are lacking, or as they were."""
        for key in self._new.keys() - self._old.keys():
            del self._new[key]
        old = [entity for entity, _ in self._old.values()]
        lacking = [entity for entity in old if self._new.get(entity.id, (None, None))[0] != entity]
        if lacking:
            yield sorted(lacking, key=lambda entity: entity.id)

    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Keep entities with their new embeddings (n, dim)."""
        for entity, vector in zip(entities, embeddings, strict=True):
            self._new[entity.id] = (entity, vector)

    def switch(self) -> None:
        """Put the new rows in place of the old ones."""
        self._switch(self._new)


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.In: lambda value, values: value in values,
}


class MemoryTrial(Trial):
    """Vectors in lists; "builds" any index that has the metric, and searches exactly."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._vectors: list[NDArray[Any]] = []
        self._facets: list[dict[str, Any]] = []
        self._built = False
        self._dropped = False

    def insert(self, rows: Rows, embeddings: Vectors, facets: Sequence[MediaEntity]) -> None:
        """Add vectors under row numbers (n,), each given once; ``facets`` has the n entities."""
        buckets = bucket_of(rows).tolist()
        for row, bucket, entity in zip(rows.tolist(), buckets, facets, strict=True):
            self._facets.append(facet_row(row, bucket, entity))
        self._vectors.extend(np.array(embeddings))

    def build(self, spec: IndexSpec) -> BuildTimes:
        """Remember that there is an index; raises IndexParameterError for another metric."""
        started = time.perf_counter()
        if self._dropped:
            raise StoreError("The trial has been removed.")
        spec.metric_for(self._metric)
        self._built = True
        return BuildTimes(time.perf_counter() - started, 0.0)

    def search(
        self, queries: Vectors, *, k: int, params: dict[str, int], expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the rows found (q, k), filled up with -1, and their distances, with NaN."""
        if not self._built:
            raise StoreError("The trial has no index yet.", "Build one first.")
        return self.search_exact(queries, k=k, expression=expression)

    def search_exact(
        self, queries: Vectors, *, k: int, expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the same, computed in NumPy."""
        nearest = NearestSoFar(queries, k, self._metric)
        keep = [n for n, facets in enumerate(self._facets) if passes(expression, facets)]
        if keep:
            rows = np.array([self._facets[n]["row"] for n in keep], dtype=np.int64)
            nearest.add(rows, np.stack([self._vectors[n] for n in keep]))
        return nearest.rows, nearest.distances

    def memory_bytes(self) -> int | None:
        """Return what the vectors take."""
        return sum(vector.nbytes for vector in self._vectors)

    def drop(self) -> None:
        """Forget all it holds; again does nothing."""
        self._vectors.clear()
        self._facets.clear()
        self._built = False
        self._dropped = True


def passes(expression: str, values: Mapping[str, Any]) -> bool:
    """Whether a row passes an expression of the kind that Filter.expression() writes.

    Those expressions are Python's as well. Raises FilterError for others.
    """
    if not expression:
        return True
    try:
        return bool(_value(ast.parse(expression, mode="eval").body, values))
    except (SyntaxError, KeyError, TypeError) as error:
        raise FilterError(
            "The filter {expression} cannot be read.", expression=expression
        ) from error


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.BoolOp(ast.And(), parts):
            return all(_value(part, values) for part in parts)
        case ast.BoolOp(ast.Or(), parts):
            return any(_value(part, values) for part in parts)
        case ast.Compare(left, [test], [right]):
            return _COMPARE[type(test)](_value(left, values), _value(right, values))
        case ast.Call(ast.Name("array_contains"), [array, item]):
            return _value(item, values) in _value(array, values)
        case ast.Name(name):
            return values[name]
        case ast.UnaryOp(ast.USub(), number):
            return -_value(number, values)
        case ast.Constant() | ast.List():
            return ast.literal_eval(node)
    raise TypeError(f"{type(node).__name__} is not part of it")
