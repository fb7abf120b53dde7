"""Selectors: what they are called, what they decode, and what they choose."""

import contextlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.media.keyframes.registry import parse_selector
from search_core.errors import UsageError
from tests.support.made_frames import Frame, moments, stretch


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("auto", "auto:200:12000:4000:10000:60000:2"),
        (" AUTO ", "auto:200:12000:4000:10000:60000:2"),
        ("iframe", "iframe"),
        ("interval:2", "interval:2000"),
        ("scene", "scene:27"),
        ("scene:40", "scene:40"),
        ("motion", "motion:0.13:60000:2"),
        ("motion:1.5", "motion:1.5:60000:2"),
        ("iframe+distinct", "iframe+distinct:2:0.01"),
        ("scene:9+distinct:0.05", "scene:9+distinct:2:0.05"),
    ],
)
def test_names_are_understood_and_recipes_are_stable(text: str, recipe: str) -> None:
    assert parse_selector(text).recipe == recipe


@pytest.mark.parametrize(
    "text",
    [
        *("", "auto:1", "auto:", "iframe:2", "every"),
        *("interval", "interval:", "interval:0", "interval:-1", "interval:nan"),
        *("+distinct", "iframe+", "iframe+distinct:", "iframe+distinct:1", "iframe+near:0.1"),
        *("scene:", "scene:0", "scene:300", "motion:0", "motion:99", "motion:much"),
    ],
)
def test_other_names_are_refused_with_the_ways_there_are(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_selector(text)
    for way in ("auto", "iframe", "interval:SECONDS", "scene[:THRESHOLD]", "motion[:PERCENT]"):
        assert way in raised.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_selector(text).recipe


@given(st.floats(0.001, 86_400))
def test_an_interval_is_taken_to_the_millisecond(seconds: float) -> None:
    assert parse_selector(f"interval:{seconds!r}").recipe == f"interval:{round(seconds * 1000)}"


def test_different_ways_have_different_recipes() -> None:
    texts = ["auto", "iframe", "interval:1", "interval:2", "scene", "scene:9", "motion", "motion:1"]
    assert len({parse_selector(text).recipe for text in texts}) == len(texts)


def test_iframe_takes_every_keyframe_and_nothing_else() -> None:
    frames = [Frame(0), Frame(40, False), Frame(80), Frame(9_000, False), Frame(90_000)]
    assert moments("iframe", frames) == [0, 80, 90_000]
    assert parse_selector("iframe").chooser().depth(stretch(0, [900, 10, 10])) == 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 100_000), min_size=1, unique=True), st.integers(1, 20_000))
def test_an_interval_is_served_once_and_never_missed(times: list[int], every_ms: int) -> None:
    times = sorted(times)
    taken = moments(f"interval:{every_ms / 1000}", [Frame(time, False) for time in times])
    assert taken[0] == times[0]
    assert [pts // every_ms for pts in taken] == sorted({pts // every_ms for pts in times})


def test_an_interval_goes_on_after_the_clock_was_set_back() -> None:
    times = [50_000, 50_500, 51_000, 0, 500, 1_000]
    assert moments("interval:1", [Frame(time) for time in times]) == [50_000, 51_000, 0, 1_000]


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.integers(10, 5_000),
    st.randoms(use_true_random=False),
)
def test_an_interval_decodes_no_more_than_what_leads_up_to_its_frames(
    lengths: list[int], every_ms: int, random: Random
) -> None:
    """What is decoded holds the same frames as everything does, whatever the decoding order."""
    every = chooser = parse_selector(f"interval:{every_ms / 1000}").chooser()
    everything = parse_selector(f"interval:{every_ms / 1000}").chooser()
    start = 0
    got: list[int] = []
    wanted: list[int] = []
    for length in lengths:
        rest = [start + 40 * number for number in range(1, length)]
        random.shuffle(rest)
        times = [start, *rest]
        depth = chooser.depth(stretch(start, [9] * length, times=times))
        got += [f.pts_ms for t in sorted(times[:depth]) for f in every.offer(Frame(t))]
        wanted += [f.pts_ms for t in sorted(times) for f in everything.offer(Frame(t))]
        assert depth == 0 or times[depth - 1] in got
        start += 40 * length
    assert got == wanted


def test_packets_without_times_are_all_decoded() -> None:
    sized = stretch(0, [900, 10, 10], times=[0, None, 80])
    assert parse_selector("interval:10").chooser().depth(sized) == 3


def test_scene_takes_the_first_frame_of_each_shot_and_ignores_what_moves() -> None:
    shots = [(20, 0), (200, 2_000), (90, 5_000)]
    frames = [
        Frame(
            time,
            False,
            grey=[grey for grey, start in shots if start <= time][-1],
            thing_x=time // 100,
        )
        for time in range(0, 6_000, 40)
    ]
    assert moments("scene", frames) == [0, 2_000, 5_000]
    assert moments("scene:250", frames) == [0]


def test_scene_takes_what_a_dissolve_ends_in() -> None:
    frames = [
        Frame(t, False, grey=40 + min(160, max(0, t - 1_000) // 20)) for t in range(0, 8_000, 40)
    ]
    found = moments("scene", frames)
    assert found[0] == 0 and 1_000 < found[-1] <= 4_400 and len(found) <= 4


def test_distinct_leaves_out_what_looks_like_the_keyframe_before() -> None:
    greys = [100, 101, 100, 140, 141, 100]
    frames = [Frame(2_000 * number, grey=grey) for number, grey in enumerate(greys)]
    assert moments("iframe+distinct", frames) == [0, 6_000, 10_000]
    chooser = parse_selector("interval:2+distinct:0.05").chooser()
    for frame in frames:
        chooser.offer(frame)
    assert chooser.left_out == 3
