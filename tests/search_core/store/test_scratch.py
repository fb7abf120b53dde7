from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import FilterError
from search_core.schema.filters import Filter
from search_core.store.memory.store import passes
from search_core.store.scratch import BUCKETS, bucket_of, facet_row
from tests.conftest import make_entity


@given(st.integers(1, 30_000), st.sampled_from([10, 100, 1000, 5000]))
def test_any_number_of_rows_has_its_share_in_the_low_buckets(rows: int, bound: int) -> None:
    buckets = bucket_of(np.arange(rows))
    assert buckets.min() >= 0
    assert buckets.max() < BUCKETS
    assert abs((buckets < bound).sum() - rows * bound / BUCKETS) <= (1 if bound < 5000 else 5)


def test_each_bucket_is_used_as_often_as_the_others() -> None:
    assert np.bincount(bucket_of(np.arange(3 * BUCKETS))).tolist() == [3] * BUCKETS


def test_rows_of_one_bucket_do_not_follow_a_pattern() -> None:
    chosen = np.flatnonzero(bucket_of(np.arange(100_000)) < 1000)
    assert len(np.unique(np.diff(chosen))) == 19  # all that is possible: 1 to 19


@given(st.integers(0, 200), st.text(), st.lists(st.text(), max_size=3))
def test_an_expression_means_what_its_filter_means(
    number: int, camera: str, tags: list[str]
) -> None:
    entity = make_entity(number, camera=camera, tags=tuple(tags))
    row = facet_row(1, 2, entity)
    for where in (
        Filter(cameras=("cam-1", camera)),
        Filter(tags=("odd",)),
        Filter(tags=tuple(tags), media_type="image"),
        Filter(source_ids=("source7", "source8")),
    ):
        try:
            expression = where.with_regions().expression()
        except FilterError:  # control characters
            continue
        assert passes(expression, row) == where.matches(entity)


@pytest.mark.parametrize("expression", ["camera like 'a%'", "row + 1", "colour == 'red'", "f(x)"])
def test_other_expressions_are_refused(expression: str) -> None:
    with pytest.raises(FilterError):
        passes(expression, facet_row(1, 2, make_entity(1)))
