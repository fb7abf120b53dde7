"""Retrieval metrics as pure functions of ids; each says which recall it means."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray


def ann_recall_at_k(
    found: Sequence[Sequence[str]], exact: Sequence[Sequence[str]], k: int
) -> float:
    """Return the share of the exact ``k`` nearest neighbours that an index returned, over queries.

    ``exact`` holds each query's true neighbours, best first. This is the recall of ann-benchmarks
    (Aumueller, Bernhardsson, Faithfull 2018).
    """
    shares = [
        len(set(got[:k]) & set(truth[:k])) / min(k, len(truth))
        for got, truth in zip(found, exact, strict=True)
        if truth
    ]
    return float(np.mean(shares)) if shares else 1.0


def precision_at_k(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """Return the share of the first ``k`` answers that are relevant."""
    return sum(1 for item in ranked[:k] if item in relevant) / k


def recall_at_k(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """Return the share of all relevant items that are among the first ``k`` answers."""
    if not relevant:
        return 1.0
    return sum(1 for item in ranked[:k] if item in relevant) / len(relevant)


def hit_rate_at_k(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """Return 1 if at least one relevant item is among the first ``k`` (CLIP papers' R@k)."""
    return 1.0 if any(item in relevant for item in ranked[:k]) else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Set[str]) -> float:
    """Return 1 / rank of the first relevant answer, 0 when there is none."""
    ranks = (rank for rank, item in enumerate(ranked, start=1) if item in relevant)
    first = next(ranks, None)
    return 0.0 if first is None else 1.0 / first


def percentile_ms(seconds: Sequence[float] | NDArray[np.float64], percent: float) -> float:
    """Return a percentile (0 to 100) of durations in seconds, as milliseconds."""
    return float(np.percentile(np.asarray(seconds), percent)) * 1000.0
