from __future__ import annotations

import numpy as np

from search_core.search.engine import Hit
from search_core.search.grouping import Moment, fold_alike, fold_moments
from tests.conftest import make_entity

SECOND = 1000


def hits(*seen: tuple[str, int]) -> list[Hit]:
    """Hits in this order: camera, and second of capture."""
    return [
        Hit(rank, 1 - rank / 100, make_entity(rank, camera=camera, captured_at=second * SECOND))
        for rank, (camera, second) in enumerate(seen, start=1)
    ]


def ranks(moments: list[Moment]) -> list[list[int]]:
    return [[hit.rank for hit in moment.hits] for moment in moments]


def test_hits_close_in_time_on_one_camera_are_one_moment() -> None:
    found = hits(("gate", 100), ("dock", 101), ("gate", 104), ("gate", 300), ("gate", 108))
    moments = fold_moments(found, gap_ms=5 * SECOND)
    assert ranks(moments) == [[1, 3], [2], [4], [5]]
    assert (moments[0].first_ms, moments[0].last_ms) == (100 * SECOND, 104 * SECOND)
    assert moments[0].best is found[0]


def test_a_busy_minute_is_several_moments_each_around_its_best_hit() -> None:
    """A bus passes amid hits of something else: it stays to be seen."""
    found = hits(("gate", 30), ("gate", 10), *(("gate", second) for second in range(0, 60, 5)))
    moments = fold_moments(found, gap_ms=10 * SECOND)
    assert [moment.best.rank for moment in moments] == [1, 2, 12]
    assert all(moment.last_ms - moment.first_ms <= 20 * SECOND for moment in moments)
    assert sorted(rank for ranked in ranks(moments) for rank in ranked) == list(range(1, 15))


def test_a_hit_between_two_moments_is_of_the_nearer_one() -> None:
    found = hits(("gate", 0), ("gate", 15), ("gate", 8), ("gate", 7))
    assert ranks(fold_moments(found, gap_ms=10 * SECOND)) == [[1, 4], [2, 3]]


def test_without_a_gap_every_hit_stands_by_itself() -> None:
    assert ranks(fold_moments(hits(("gate", 1), ("gate", 1)), gap_ms=0)) == [[1], [2]]


def test_pictures_of_no_camera_are_one_moment_only_within_one_file() -> None:
    found = hits(("", 1), ("", 1))
    assert ranks(fold_moments(found, gap_ms=5 * SECOND)) == [[1], [2]]


def test_what_looks_like_a_better_hit_is_counted_there() -> None:
    moments = fold_moments(hits(("a", 1), ("b", 1), ("c", 1), ("d", 1)), gap_ms=SECOND)
    near = np.array([0.999, np.sqrt(1 - 0.999**2)], dtype=np.float32)
    vectors = [np.array([1, 0], np.float32), np.array([0, 1], np.float32), near]
    ids = [moment.best.entity.id for moment in moments]
    folded = fold_alike(moments, dict(zip(ids, vectors, strict=False)), least_distance=0.01)
    assert ranks(folded) == [[1], [2], [4]]  # what has no vector stays
    assert [moment.alike for moment in folded] == [1, 0, 0]
    assert not fold_alike([], {}, least_distance=0.01)
