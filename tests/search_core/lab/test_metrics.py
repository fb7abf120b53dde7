from __future__ import annotations

import pytest

from search_core.lab.results import (
    ann_recall_at_k,
    hit_rate_at_k,
    percentile_ms,
    precision_at_k,
    recall_at_k,
    reciprocal_rank,
)


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
