"""Pairs: in order, in time, on one camera, each event once; and how sentences say them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from search_core.search.engine import Hit
from search_core.search.pairs import pair_hits
from search_core.search.query_text.sequence import Sequence, read_sequence
from tests.conftest import make_entity

TWO_MINUTES = timedelta(minutes=2)


def hit(number: int, camera: str, at_s: float, standing: float) -> tuple[Hit, float]:
    entity = make_entity(number, camera=camera, captured_at=round(at_s * 1000))
    return Hit(1, standing / 10, entity), standing


def numbers(first: list[tuple[Hit, float]], second: list[tuple[Hit, float]]) -> list[list[float]]:
    found = pair_hits(first, second, within=TWO_MINUTES)
    assert [pair.rank for pair in found] == list(range(1, len(found) + 1))
    return [[pair.first.entity.captured_at / 1000, pair.apart_ms / 1000] for pair in found]


def test_pairs_are_in_order_in_time_and_on_one_camera() -> None:
    vans = [hit(0, "gate", 100, 3.0), hit(1, "yard", 100, 3.0)]
    runners = [
        hit(2, "gate", 90, 5.0),  # before
        hit(3, "gate", 100, 5.0),  # at once
        hit(4, "gate", 160, 2.0),
        hit(5, "gate", 220, 4.0),  # at two minutes
        hit(6, "gate", 221, 9.0),  # later than that
        hit(7, "hall", 110, 9.0),  # elsewhere
    ]
    assert numbers(vans, runners) == [[100, 120], [100, 60]]


def test_any_camera_will_do_if_asked() -> None:
    [pair] = pair_hits(
        [hit(0, "gate", 0, 1.0)], [hit(1, "yard", 5, 1.0)], within=TWO_MINUTES, any_camera=True
    )
    assert (pair.first.entity.camera, pair.second.entity.camera) == ("gate", "yard")


def test_a_pair_is_as_good_as_the_worse_of_its_two() -> None:
    vans = [hit(0, "a", 0, 9.0), hit(1, "b", 0, 4.0)]
    runners = [hit(2, "a", 30, 1.0), hit(3, "b", 30, 4.0)]
    found = pair_hits(vans, runners, within=TWO_MINUTES)
    assert [(pair.first.entity.camera, pair.score) for pair in found] == [("b", 4.0), ("a", 1.0)]


def test_one_event_is_one_pair() -> None:
    vans = [hit(n, "gate", 100 + 2 * n, 3.0 + n) for n in range(4)]
    runners = [hit(10 + n, "gate", 150 + 2 * n, 3.0 + n) for n in range(4)]
    assert numbers(vans, runners) == [[106, 50]]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a white van, then a person running, within 2 minutes",
         Sequence("a white van", "a person running", TWO_MINUTES, words="then")),
        ("a white van then a person",
         Sequence("a white van", "a person", TWO_MINUTES, words="then")),
        ("first a bus, and then a lorry within an hour",
         Sequence("a bus", "a lorry", timedelta(hours=1), words="and then")),
        ("a car followed by a bus within half an hour on any camera",
         Sequence("a car", "a bus", timedelta(minutes=30), any_camera=True, words="followed by")),
        ("先一辆白色货车，然后一个人在跑，两分钟内",
         Sequence("一辆白色货车", "一个人在跑", TWO_MINUTES, words="然后")),
        ("先是一个人，再一辆车，30秒内，任意摄像头",
         Sequence("一个人", "一辆车", timedelta(seconds=30), any_camera=True, words="再")),
        ("a man now and then", None),
        ("a person, then", None),
        ("a van, then a bus, then a car", None),
        ('a van with ", then a bus" on it', None),
        ("a car within 2 minutes", None),
        ("a person running", None),
    ],
)  # fmt: skip
def test_sentences_say_one_thing_and_then_another(sentence: str, expected: Sequence | None) -> None:
    assert read_sequence(sentence) == expected
    assert read_sequence(sentence, literal=[sentence]) is None
    if expected is not None:
        assert read_sequence(sentence, literal=[expected.words]) is None
