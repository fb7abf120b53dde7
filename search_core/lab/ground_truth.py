"""Exact neighbours, computed once, block by block: what every index is measured against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings
from search_core.indexes import BINARY_METRICS
from search_core.lab.plan import FilterCase
from search_core.lab.queries import QuerySet, VectorSpool
from search_core.lab.records import QueryKind
from search_core.store.exact_search import SIMILARITIES, NearestSoFar, distances

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Queries of one kind under one filter: what to ask a trial, and what it should find.

    ``queries`` are (q, dim) floats, or (q, dim / 8) packed bits; ``filter`` is a label, "" for
    none; ``selectivity`` the share of the rows that pass it.
    """

    kind: QueryKind
    queries: NDArray[Any]
    truth: Truth
    filter: str = ""
    expression: str = ""
    selectivity: float = 1.0

    def first(self, count: int) -> Case:
        """Return the case of its first ``count`` queries."""
        part = slice(count)
        truth = replace(
            self.truth,
            queries=self.truth.queries[part],
            nearest=self.truth.nearest[part],
            least_similarity=self.truth.least_similarity[part],
        )
        return replace(self, queries=self.queries[part], truth=truth)


def find_masks(spool: VectorSpool, filters: Sequence[FilterCase]) -> dict[str, Mask]:
    """Return which rows (rows,) pass each filter, by its label."""
    masks = {case.label: np.ones(spool.rows, dtype=bool) for case in filters}
    if all(case.where.is_empty for case in filters):
        rows = np.arange(spool.rows)
        return {case.label: case.mask(rows, ()) for case in filters}
    for page in spool.pages():
        for case in filters:
            masks[case.label][page.rows] = case.mask(page.rows, page.facets)
    return masks


def make_cases(
    spool: VectorSpool,
    asked: Sequence[QuerySet],
    filters: Sequence[FilterCase],
    masks: Mapping[str, Mask],
    *,
    k: int,
    metric: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Case]:
    """Return the cases in one metric, with their exact neighbours; one pass over the vectors."""
    everything = np.concatenate([queries.embeddings for queries in asked])
    truths = find_truth(
        spool,
        everything,
        k=k,
        metric=metric,
        masks={"": None, **masks},
        on_progress=on_progress,
    )
    cases = []
    for label, expression in [("", ""), *((case.label, case.expression()) for case in filters)]:
        start = 0
        for queries in asked:
            part = slice(start, start := start + len(queries.embeddings))
            truth = truths[label]
            own = replace(
                truth,
                queries=truth.queries[part],
                nearest=truth.nearest[part],
                least_similarity=truth.least_similarity[part],
            )
            asked_by, _ = _as_compared(queries.embeddings, queries.embeddings[:0], metric)
            share = float(masks[label].mean()) if label else 1.0
            cases.append(Case(queries.kind, asked_by, own, label, expression, share))
    return cases


#: Neighbours whose similarities differ by less are equally near: Milvus computes in single
#: precision, whose rounding over some hundred dimensions is of this size.
TIE = 1e-6
#: Candidates kept beyond k, so that single precision's rounding loses none of the true ones.
_SPARE = 16


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact neighbours of queries (q, dim) among the rows that pass one filter.

    ``nearest`` (q, k) are their rows, best first, -1 where fewer pass. A row counts as a neighbour
    when it is at least as near as the k-th (``least_similarity`` (q,)), so
    that of several at the same distance any may be returned. ``passing`` (rows,) says which rows
    pass the filter; None: all.
    """

    queries: Embeddings
    metric: str
    nearest: NDArray[np.int64]
    least_similarity: NDArray[np.float64]
    passing: NDArray[np.bool_] | None

    def shares(self, found: NDArray[np.int64], spool: VectorSpool) -> NDArray[np.float64]:
        """Return for each query which share of its neighbours is among the rows found (q, k).

        -1 in ``found`` is no row; a row that does not pass the filter, or is there twice, does not
        count. A query without neighbours has a share of 1.
        """
        shares = np.ones(len(found))
        wanted = (self.nearest >= 0).sum(axis=1)
        for at, rows in enumerate(found):
            if not wanted[at]:
                continue
            own = np.unique(rows[rows >= 0])
            if self.passing is not None:
                own = own[self.passing[own]]
            missing = np.setdiff1d(own, self.nearest[at], assume_unique=True)
            hits = len(own) - len(missing)
            if len(missing) and hits < wanted[at]:  # as near as the k-th, and not among the k?
                close = _precise(self.queries[at], spool.vectors[missing], self.metric)
                hits += int((close >= self.least_similarity[at] - TIE).sum())
            shares[at] = min(1.0, hits / wanted[at])
        return shares


def find_truth(
    spool: VectorSpool,
    queries: Embeddings,
    *,
    k: int,
    metric: str,
    masks: Mapping[str, NDArray[np.bool_] | None],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Truth]:
    """Return the exact neighbours of the queries (q, dim) under each of the masks (rows,).

    HAMMING and JACCARD compare the signs of the vectors. One pass over the vectors; memory is that
    of a block. ``on_progress`` hears how many rows of how many were compared.
    """
    best = {label: NearestSoFar(queries, k + _SPARE, metric) for label in masks}
    for start, block in spool.blocks():
        found = distances(*_as_compared(queries, block, metric), metric)
        for label, mask in masks.items():
            if mask is None:
                best[label].take(np.arange(start, start + len(block)), found)
            else:
                columns = np.flatnonzero(mask[start : start + len(block)])
                best[label].take(columns + start, found[:, columns])
        on_progress(start + len(block), spool.rows)
    return {
        label: _refined(best[label].rows, spool, queries, k, metric, mask)
        for label, mask in masks.items()
    }


def sign_bits(vectors: Embeddings) -> NDArray[np.uint8]:
    """Return the signs of vectors (n, dim) as packed bits (n, dim / 8): 1 where a value is above 0.

    So are vectors of bits made from an encoder's embeddings (Charikar, STOC 2002).
    """
    return np.packbits(vectors > 0, axis=1)


def _refined(
    candidates: NDArray[np.int64],
    spool: VectorSpool,
    queries: Embeddings,
    k: int,
    metric: str,
    mask: NDArray[np.bool_] | None,
) -> Truth:
    """Order the candidates (q, k + spare) in double precision, and keep k."""
    nearest = np.full((len(queries), k), -1, dtype=np.int64)
    least = np.full(len(queries), -np.inf)
    for at, query in enumerate(queries):
        rows = np.sort(candidates[at][candidates[at] >= 0])
        scores = _precise(query, spool.vectors[rows], metric)
        order = np.argsort(-scores, kind="stable")[:k]
        nearest[at, : len(order)] = rows[order]
        if len(order):
            least[at] = scores[order[-1]]
    return Truth(queries, metric, nearest, least, mask)


def _as_compared(
    queries: NDArray[Any], vectors: NDArray[Any], metric: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return queries and vectors as the metric compares them: HAMMING and JACCARD by their bits."""
    if metric in BINARY_METRICS:
        return sign_bits(queries), sign_bits(vectors)
    return queries, vectors


def _precise(query: Embeddings, vectors: Embeddings, metric: str) -> NDArray[np.float64]:
    """Return how near vectors are to one query (dim,), higher is nearer, in double precision."""
    one, many = query[None, :].astype(np.float64), vectors.astype(np.float64)
    compared = distances(*_as_compared(one, many, metric), metric)[0]
    found: NDArray[np.float64] = np.asarray(compared, dtype=np.float64)
    return found if metric in SIMILARITIES else -found
