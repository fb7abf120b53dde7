from __future__ import annotations

import pytest
from PIL import Image

from dashboard.components.image_input import Box, box_from_text, box_of, box_to_text
from dashboard.query.terms import Said, said
from dashboard.search.results import brushed, timeline_bars
from dashboard.search.times import Span
from search_core.search.engine import Hit
from tests.conftest import make_entity


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("a car", "a car", ()),
        ("a person without an umbrella", "a person", ("an umbrella",)),
        ("a car but not red or blue, night", "a car", ("red", "blue", "night")),
        ("A dog WITHOUT a person.", "A dog", ("a person",)),
        ("a van with no lettering without rain", "a van", ("lettering", "rain")),
        ("without a hat", "", ("a hat",)),
        ('a van "EXIT without" without rain', "a van “EXIT without”", ("rain",)),
        ('"JCN"', "“JCN”", ()),
        ("", "", ()),
    ],
)
def test_a_sentence_says_what_to_leave_out(
    text: str, wanted: str, unwanted: tuple[str, ...]
) -> None:
    assert said(text) == Said(wanted, unwanted)


def test_a_region_survives_the_address() -> None:
    box = Box(0.1, 0.25, 0.5, 0.75)
    assert box_from_text(box_to_text(box)) == box


@pytest.mark.parametrize("text", ["", "x", "0,0,1,1", "0.5,0.5,0.5,0.9", "nan,0,1,0.5", "0,0,1"])
def test_what_is_no_region_is_the_whole_picture(text: str) -> None:
    assert box_from_text(text) is None


def test_a_region_is_cut_out_of_the_picture() -> None:
    image = Image.new("RGB", (100, 50))
    assert Box(0.1, 0.2, 0.5, 0.6).of(image).size == (40, 20)
    assert Box(0.98, 0.98, 1.0, 1.0).of(Image.new("RGB", (3, 3))).size == (1, 1)
    assert box_of([-5, -5, 0.5, 7]) == Box(0.0, 0.0, 0.5, 1.0)


def test_the_timeline_counts_hits_by_time_and_camera() -> None:
    seen = [("a", 0), ("a", 1), ("b", 1), ("a", 3600), *((f"c{n}", 7200) for n in range(9))]
    hits = [
        Hit(rank, 0.5, make_entity(rank, camera=camera, captured_at=second * 1000))
        for rank, (camera, second) in enumerate(seen)
    ]
    bars = timeline_bars(hits)
    assert sum(bar["hits"] for bar in bars) == len(hits)
    assert {bar["until"] - bar["from"] for bar in bars} == {120_000}
    assert next(bar for bar in bars if bar["camera"] == "a")["hits"] == 2
    assert "other cameras" in {bar["camera"] for bar in bars}


def test_a_brush_is_a_span_of_time() -> None:
    assert brushed({"selection": {"brush": {"from": [2000.4, 1000]}}}) == Span(1000, 2000)
    nothing: tuple[object, ...] = (
        None,
        {},
        {"selection": {"brush": {}}},
        {"selection": {"brush": {"from": [5, 5]}}},
    )
    for none in nothing:
        assert brushed(none) is None
