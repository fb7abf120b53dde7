"""MemoryTrial: the Trial protocol in plain NumPy, exact whatever index is asked for."""

from __future__ import annotations

import ast
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.errors import FilterError, StoreError
from search_core.indexes import IndexSpec
from search_core.schema.entity import MediaEntity
from search_core.store.exact_search import NearestSoFar
from search_core.store.scratch import BuildTimes, Rows, Trial, Vectors, bucket_of, facet_row

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
