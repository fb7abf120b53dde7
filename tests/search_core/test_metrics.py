from __future__ import annotations

import numpy as np
import pytest

from search_core.metrics import (
    ann_recall_at_k,
    exact_neighbours,
    hit_rate_at_k,
    percentile_ms,
    precision_at_k,
    recall_at_k,
    reciprocal_rank,
)
from tests.conftest import clip_like_vectors


def test_ann_recall_is_the_share_of_true_neighbours() -> None:
    exact = [["a", "b", "c"], ["d", "e", "f"]]
    assert ann_recall_at_k(exact, exact, 3) == 1.0
    assert ann_recall_at_k([["c", "x", "a"], ["x", "y", "z"]], exact, 3) == pytest.approx(1 / 3)
    assert ann_recall_at_k([["a"], ["d"]], [["a"], ["d"]], 10) == 1.0


def test_the_three_recalls_differ() -> None:
    ranked, relevant = ["x", "a", "y", "b"], {"a", "b", "c"}
    assert recall_at_k(ranked, relevant, 2) == pytest.approx(1 / 3)
    assert hit_rate_at_k(ranked, relevant, 2) == 1.0
    assert hit_rate_at_k(ranked, relevant, 1) == 0.0
    assert precision_at_k(ranked, relevant, 4) == 0.5
    assert reciprocal_rank(ranked, relevant) == 0.5
    assert reciprocal_rank(["x"], relevant) == 0.0


def test_percentiles_are_milliseconds() -> None:
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)


def test_exact_neighbours_are_those_of_a_plain_loop() -> None:
    vectors, queries = clip_like_vectors(200, 16), clip_like_vectors(5, 16, seed=1)
    nearest = exact_neighbours(vectors, queries, 10)
    for query, rows in zip(queries, nearest, strict=True):
        scores = [float(np.dot(query, vector)) for vector in vectors]
        assert sorted(scores, reverse=True)[:10] == pytest.approx([scores[row] for row in rows])
