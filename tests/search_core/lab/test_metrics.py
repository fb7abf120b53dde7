from __future__ import annotations

import pytest

from search_core.lab.timing import percentile_ms


def test_percentiles_are_milliseconds() -> None:
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)
