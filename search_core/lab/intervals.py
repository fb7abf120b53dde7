"""95 % intervals of what is measured: recall over queries, medians over repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964
#: Student's t at 0.975 for 1 to 10 degrees of freedom (Student 1908).
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def recall_interval(shares: NDArray[np.float64], k: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean recall, from each query's share (q,) of ``k`` neighbours.

    Wilson's score interval (Wilson 1927), which stays within 0 and 1 and does not shrink to nothing
    at 1. The neighbours of one query are found or lost together, so that they count as fewer trials
    than q * k: divided by the design effect, the variance among queries over that of independent
    neighbours (Kish 1965), at least 1 and at most k.
    """
    queries = len(shares)
    if not queries:
        return 0.0, 1.0
    mean = float(np.mean(shares))
    independent = mean * (1 - mean) / k
    among = float(np.var(shares, ddof=1)) if queries > 1 else independent * k
    effect = min(max(among / independent, 1.0), float(k)) if independent > 0 else 1.0
    trials = queries * k / effect
    middle = (mean + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    half = _Z / (1 + _Z**2 / trials)
    half *= math.sqrt(mean * (1 - mean) / trials + _Z**2 / (4 * trials**2))
    return max(0.0, min(mean, middle - half)), min(1.0, max(mean, middle + half))


def repeated_interval(values: Sequence[float], centre: float) -> tuple[float, float]:
    """Return the 95 % interval of what was measured again and again, widened to hold ``centre``.

    Student's t over the repeats, as Georges, Buytaert and Eeckhout (OOPSLA 2007) compare
    performance: two measurements differ when their intervals do not overlap. With one value there
    is no telling: from 0 to infinity.
    """
    count = len(values)
    if count < 2:
        return 0.0, math.inf
    half = t_quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    mean = float(np.mean(values))
    return max(0.0, min(mean - half, centre)), max(mean + half, centre)


def t_quantile(freedom: int) -> float:
    """Return Student's t at 0.975; beyond ten degrees of freedom by Cornish and Fisher's series."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    first = (_Z**3 + _Z) / (4 * freedom)
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    return _Z + first + second
