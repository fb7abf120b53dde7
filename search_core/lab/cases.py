"""What every setting is asked: each kind of query, without a filter and under each filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.index_specs import BINARY_METRICS
from search_core.lab.plan import FilterCase
from search_core.lab.queries import QuerySet
from search_core.lab.records import QueryKind
from search_core.lab.truth import Truth, find_truth, sign_bits
from search_core.lab.vectors import VectorSpool

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
            cases.append(
                Case(
                    queries.kind,
                    _as_stored(queries.embeddings, metric),
                    _part(truths[label], part),
                    label,
                    expression,
                    float(masks[label].mean()) if label else 1.0,
                )
            )
    return cases


def _as_stored(queries: NDArray[np.float32], metric: str) -> NDArray[Any]:
    return sign_bits(queries) if metric in BINARY_METRICS else queries


def _part(truth: Truth, part: slice) -> Truth:
    return Truth(
        truth.queries[part],
        truth.metric,
        truth.nearest[part],
        truth.least_similarity[part],
        truth.passing,
    )
