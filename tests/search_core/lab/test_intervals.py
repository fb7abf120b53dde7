from __future__ import annotations

import math

import numpy as np
import pytest

from search_core.lab.timing import recall_interval, repeated_interval, t_quantile


def test_a_perfect_recall_still_has_an_interval() -> None:
    low, high = recall_interval(np.ones(50), 10)
    assert high == 1.0
    assert low == pytest.approx(1 / (1 + 1.96**2 / 500), abs=1e-4)


def test_neighbours_lost_together_count_as_one() -> None:
    """Ten queries of a hundred lost whole, or a tenth of each: the mean is the same."""
    whole, spread = np.r_[np.zeros(10), np.ones(90)], np.full(100, 0.9)
    wide, narrow = recall_interval(whole, 10), recall_interval(spread, 10)
    assert wide == pytest.approx((0.826, 0.945), abs=0.002)  # Wilson's of 90 in 100
    assert narrow == pytest.approx((0.880, 0.917), abs=0.002)  # of 900 in 1,000


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.beta(8, 1, size=20_000)
    truth = difficulty.mean()
    held = 0
    for _ in range(500):
        shares = rng.binomial(10, rng.choice(difficulty, 60)) / 10
        low, high = recall_interval(shares, 10)
        held += low <= truth <= high
    assert 0.92 <= held / 500 <= 0.98


def test_repeats_give_students_interval() -> None:
    low, high = repeated_interval([1.0, 2.0, 3.0], centre=2.0)
    assert (low, high) == pytest.approx((0.0, 2 + 4.303 / math.sqrt(3)), abs=1e-3)
    assert repeated_interval([2.0, 2.0], centre=2.5) == (2.0, 2.5)
    assert repeated_interval([2.0], centre=2.0) == (0.0, math.inf)


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (11, 2.201), (30, 2.042), (200, 1.972)])
def test_students_quantiles(freedom: int, t: float) -> None:
    assert t_quantile(freedom) == pytest.approx(t, abs=3e-3)
