"""Exact nearest neighbours in NumPy, of vectors that come block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Metrics where a larger value is nearer; in the others a smaller one is.
SIMILARITIES = frozenset({"COSINE", "IP"})
_BITS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
#: Of a block so many times as large as what is kept, the nearest are chosen before they are sorted.
_MANY = 50


def distances(queries: NDArray[Any], vectors: NDArray[Any], metric: str) -> NDArray[np.float32]:
    """Return Milvus's distance of each query (q, dim) to each vector (n, dim), as (q, n).

    COSINE and IP are similarities, L2 is squared; HAMMING counts bits and JACCARD is 1 - shared /
    all, of packed bits (uint8). Two vectors without a bit have JACCARD 0.
    """
    if metric == "HAMMING":
        return _bit_counts(queries, vectors, np.bitwise_xor)
    if metric == "JACCARD":
        every = _bit_counts(queries, vectors, np.bitwise_or)
        shared = _bit_counts(queries, vectors, np.bitwise_and)
        np.divide(shared, every, out=shared, where=every > 0)
        return np.where(every > 0, np.float32(1.0) - shared, np.float32(0.0))
    if metric == "L2":
        squares = np.square(queries).sum(axis=1)[:, None] + np.square(vectors).sum(axis=1)
        return np.asarray(np.maximum(squares - 2.0 * (queries @ vectors.T), 0.0), dtype=np.float32)
    products = queries @ vectors.T
    if metric == "COSINE":
        lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
        products = products / np.maximum(lengths, np.finfo(np.float32).tiny)
    return np.asarray(products, dtype=np.float32)


class NearestSoFar:
    """The ``k`` nearest of all blocks added, for each of the queries (q, dim).

    ``rows`` (q, k) are the numbers they were added under, best first and filled up with -1;
    ``distances`` (q, k) belong to them, NaN where there is none.
    """

    def __init__(self, queries: NDArray[Any], k: int, metric: str) -> None:
        self._queries = np.atleast_2d(queries)
        self._metric = metric
        shape = (len(self._queries), k)
        self.rows = np.full(shape, -1, dtype=np.int64)
        self.distances = np.full(shape, np.nan, dtype=np.float32)

    def add(self, rows: NDArray[np.int64], vectors: NDArray[Any]) -> None:
        """Take in a block of vectors (n, dim) under row numbers (n,)."""
        self.take(rows, distances(self._queries, vectors, self._metric))

    def take(self, rows: NDArray[np.int64], found: NDArray[np.float32]) -> None:
        """Take in the distances (q, n) of what is under row numbers (n,)."""
        numbers = np.broadcast_to(rows, found.shape)
        k = self.rows.shape[1]
        if found.shape[1] > _MANY * k:
            near = np.argpartition(self._keys(found), k, axis=1)[:, : k + 1]
            found = np.take_along_axis(found, near, axis=1)
            numbers = np.take_along_axis(numbers, near, axis=1)
        values = np.concatenate([self.distances, found], axis=1)
        numbers = np.concatenate([self.rows, numbers], axis=1)
        best = np.argsort(self._keys(values), axis=1, kind="stable")[:, :k]
        self.rows = np.take_along_axis(numbers, best, axis=1)
        self.distances = np.take_along_axis(values, best, axis=1)

    def _keys(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is nearest first in ascending order; NaN, where nothing is, is last."""
        return -values if self._metric in SIMILARITIES else values


def _bit_counts(
    queries: NDArray[np.uint8], vectors: NDArray[np.uint8], combine: np.ufunc
) -> NDArray[np.float32]:
    counts = np.empty((len(queries), len(vectors)), dtype=np.float32)
    for number, query in enumerate(queries):
        counts[number] = _BITS[combine(query, vectors)].sum(axis=1, dtype=np.int64)
    return counts
