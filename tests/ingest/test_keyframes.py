"""Selectors: what they are called, and what they choose."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.keyframes import FILL_EVERY_MS, MIN_SPACING_MS, parse_selector
from search_core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "reach"),
    [("auto", "gaps"), ("iframe", "keyframes"), ("interval:2", "all"), (" AUTO ", "gaps")],
)
def test_names_are_understood(text, reach):
    assert parse_selector(text).reach == reach


@pytest.mark.parametrize(
    "text",
    ["", "auto:1", "interval", "interval:", "interval:0", "interval:-1", "interval:nan", "every"],
)
def test_other_names_are_refused_with_the_ways_there_are(text):
    with pytest.raises(UsageError) as raised:
        parse_selector(text)
    assert "interval:SECONDS" in raised.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert parse_selector(text).recipe


@given(st.floats(0.001, 86_400))
def test_an_interval_is_taken_to_the_millisecond(seconds):
    assert parse_selector(f"interval:{seconds!r}").recipe == f"interval:{round(seconds * 1000)}"


def test_different_ways_have_different_recipes():
    texts = ["auto", "iframe", "interval:1", "interval:2"]
    assert len({parse_selector(text).recipe for text in texts}) == len(texts)


def test_iframe_takes_every_keyframe_and_nothing_else():
    gate = parse_selector("iframe").gate()
    frames = [(0, True), (40, False), (80, True), (9_000, False), (90_000, False), (90_040, True)]
    assert [pts for pts, key in frames if gate.wants(pts, key)] == [0, 80, 90_040]


def test_auto_thins_out_footage_of_nothing_but_keyframes():
    gate = parse_selector("auto").gate()
    taken = [pts for pts in range(0, 4_000, 40) if gate.wants(pts, True)]
    assert taken == list(range(0, 4_000, MIN_SPACING_MS))


def test_auto_fills_with_other_frames_once_it_waited_long():
    gate = parse_selector("auto").gate()
    taken = [pts for pts in range(0, 10_000, 100) if gate.wants(pts, pts == 0)]
    assert taken == [0, FILL_EVERY_MS, 2 * FILL_EVERY_MS]


@given(st.lists(st.integers(0, 100_000), min_size=1, unique=True), st.integers(1, 20_000))
def test_an_interval_is_served_once_and_never_missed(moments, every_ms):
    gate = parse_selector(f"interval:{every_ms / 1000}").gate()
    moments = sorted(moments)
    taken = [pts for pts in moments if gate.wants(pts, False)]
    assert taken[0] == moments[0]
    assert [pts // every_ms for pts in taken] == sorted({pts // every_ms for pts in moments})


def test_an_interval_goes_on_after_the_clock_was_set_back():
    gate = parse_selector("interval:1").gate()
    taken = [pts for pts in [50_000, 50_500, 51_000, 0, 500, 1_000] if gate.wants(pts, False)]
    assert taken == [50_000, 51_000, 0, 1_000]
