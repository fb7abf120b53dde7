"""Selectors: what they are called, what they decode, and what they choose."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.keyframes import FrameChooser, SeenFrame, parse_selector
from ingest.keyframes.auto import FILL_EVERY_MS, LONGEST_SPAN_MS
from ingest.keyframes.base import SMALL_HEIGHT, SMALL_WIDTH, SmallPicture
from ingest.keyframes.distinct import NearDuplicates
from ingest.keyframes.lookout import MIN_SPACING_MS
from ingest.stretches import Stretch
from search_core.errors import UsageError


@dataclass(frozen=True)
class Packet:
    """A packet whose content nobody asks for."""

    is_keyframe: bool
    size: int


@dataclass
class Frame:
    """A frame of one grey level, with a block of another colour at ``thing_x``."""

    pts_ms: int
    is_keyframe: bool = True
    grey: int = 100
    thing_x: int | None = None
    colour: tuple[int, int, int] = (220, 40, 40)
    width: int = 8
    ends_ms: int | None = None

    def small(self) -> SmallPicture:
        picture = np.full((SMALL_HEIGHT, SMALL_WIDTH, 3), self.grey, np.uint8)
        if self.thing_x is not None:
            left, right = max(0, self.thing_x), max(0, self.thing_x + self.width)
            picture[12:24, left:right] = self.colour
        return picture


def stretch(
    start_ms: int,
    sizes: Sequence[int],
    *,
    step_ms: int = 40,
    last: bool = False,
    times: Sequence[int | None] = (),
) -> Stretch[Packet]:
    """A stretch of packets of these sizes, a keyframe first, one every ``step_ms``."""
    steady = [start_ms + number * step_ms for number in range(len(sizes))]
    packets = [Packet(number == 0, size) for number, size in enumerate(sizes)]
    return Stretch(True, packets, list(times or steady), list(sizes), ends=True, last=last)


def chosen(selector: str, frames: Sequence[Frame]) -> list[SeenFrame]:
    """The frames that come out when all of these are decoded, each a stretch of its own."""
    chooser = parse_selector(selector).chooser()
    found: list[SeenFrame] = []
    for frame in frames:
        if frame.is_keyframe:
            chooser.depth(stretch(frame.pts_ms, [1000]))
        found.extend(chooser.offer(frame))
    return [*found, *chooser.finish()]


def moments(selector: str, frames: Sequence[Frame]) -> list[int]:
    return [frame.pts_ms for frame in chosen(selector, frames)]


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


def test_auto_thins_out_footage_of_nothing_but_keyframes() -> None:
    chooser = parse_selector("auto").chooser()
    depths = {time: chooser.depth(stretch(time, [1000])) for time in range(0, 4_000, 40)}
    assert [time for time, depth in depths.items() if depth] == list(
        range(0, 4_000, MIN_SPACING_MS)
    )


def test_auto_fills_a_long_stretch_every_few_seconds() -> None:
    chooser = parse_selector("auto").chooser()
    long = stretch(0, [1000] * 160, step_ms=100)
    assert chooser.depth(long) == len(long)
    frames = [Frame(time, time == 0, grey=20 + time // 100) for time in range(0, 12_100, 100)]
    found = [f.pts_ms for frame in frames for f in chooser.offer(frame)]
    assert found == [0, FILL_EVERY_MS, 2 * FILL_EVERY_MS, 3 * FILL_EVERY_MS]


def test_auto_fills_a_video_with_a_single_keyframe_however_short() -> None:
    chooser = parse_selector("auto").chooser()
    assert chooser.depth(stretch(0, [1000] * 20, last=True)) == 20


def test_auto_keeps_one_of_a_scene_in_which_nothing_happens_and_one_a_minute() -> None:
    frames = [Frame(time) for time in range(0, 150_000, 2_000)]
    assert moments("auto", frames) == [0, LONGEST_SPAN_MS, 2 * LONGEST_SPAN_MS]
    assert moments("motion", frames) == [0]


@pytest.mark.parametrize("selector", ["auto", "motion"])
def test_what_comes_and_goes_is_kept_and_its_end_is_known(selector: str) -> None:
    frames = [Frame(time) for time in range(0, 60_000, 2_000)]
    frames[10].thing_x = 20
    found = chosen(selector, frames)
    assert [frame.pts_ms for frame in found] == [0, 20_000]
    assert found[1].ends_ms == 22_000


def test_auto_waits_until_what_comes_in_is_whole() -> None:
    frames = [Frame(time) for time in range(0, 60_000, 2_000)]
    frames[10].thing_x, frames[11].thing_x, frames[12].thing_x = -6, 20, 44
    assert moments("auto", frames) == [0, 22_000]
    assert moments("motion", frames) == [0, 20_000, 22_000, 24_000]


def test_auto_tells_things_of_different_colours_apart() -> None:
    frames = [Frame(time) for time in range(0, 60_000, 2_000)]
    for number, colour in ((10, (220, 40, 40)), (11, (40, 40, 220)), (12, (40, 220, 40))):
        frames[number].thing_x, frames[number].colour = 20, colour
    assert moments("auto", frames) == [0, 20_000, 22_000, 24_000]


def test_what_was_left_standing_becomes_background() -> None:
    frames = [Frame(time) for time in range(0, 60_000, 2_000)]
    for frame in frames[10:]:
        frame.thing_x = 20
    assert moments("auto", frames) == [0, 20_000]
    assert moments("motion", frames) == [0, 20_000]


def test_motion_looks_seldom_where_something_always_moves() -> None:
    looked = []

    class Looked(Frame):
        def small(self) -> SmallPicture:
            looked.append(self.pts_ms)
            return super().small()

    passing = [Looked(2_000 * at, thing_x=(7 * at) % 50) for at in range(1, 40)]
    gone = [Looked(2_000 * at) for at in range(40, 60)]
    found = moments("motion", [Looked(0), *passing, *gone])
    assert found[:40] == [2_000 * at for at in range(40)]
    assert len({time for time in looked if time < 80_000}) <= 12
    assert len(found) - 40 <= 7  # it is taken for moving until the next look


def test_what_is_left_out_is_counted() -> None:
    chooser = parse_selector("auto").chooser()
    for time in range(0, 40_000, 2_000):
        chooser.depth(stretch(time, [1000]))
        chooser.offer(Frame(time))
    assert chooser.left_out == 19


def quiet_then(
    chooser: FrameChooser, burst_at: int | None, frames_of: Callable[[int], Frame]
) -> list[tuple[int, int]]:
    """Show a chooser two minutes of steady sizes with one burst; return (start, depth) of each."""
    rng = np.random.default_rng(0)
    depths = []
    for start in range(0, 120_000, 2_000):
        sizes = [100_000, *rng.normal(800, 12, 49).astype(int)]
        if start == burst_at:
            sizes[1:] = [size + 900 for size in sizes[1:]]
        depth = chooser.depth(stretch(start, sizes))
        depths.append((start, depth))
        if depth:
            chooser.offer(frames_of(start))
    return depths


@pytest.mark.parametrize(("selector", "most"), [("motion", 16), ("auto", 28)])
def test_where_sizes_tell_that_nothing_moves_little_is_decoded(selector: str, most: int) -> None:
    chooser = parse_selector(selector).chooser()
    depths = quiet_then(chooser, 90_000, Frame)
    looked = [start for start, depth in depths if depth]
    assert len(looked) <= most
    assert {90_000, 92_000} <= set(looked)  # the burst's keyframe, and the one after


def test_long_stretches_are_filled_only_where_something_moves() -> None:
    rng = np.random.default_rng(0)
    chooser = parse_selector("auto").chooser()
    depths = []
    for start in range(0, 400_000, 20_000):
        sizes = [100_000, *rng.normal(800, 12, 499).astype(int)]
        if start == 300_000:
            sizes[1:] = [size + 900 for size in sizes[1:]]
        depths.append(chooser.depth(stretch(start, sizes)))
        chooser.offer(Frame(start))
    assert depths[:4] == [500] * 4  # until it is known what these sizes mean
    assert {start: depth for start, depth in enumerate(depths[8:], 8) if depth > 1} == {15: 500}


def test_sizes_that_missed_a_change_are_not_believed_for_a_while() -> None:
    chooser = parse_selector("motion").chooser()
    seen = quiet_then(chooser, None, lambda start: Frame(start, grey=100 + 40 * (start > 60_000)))
    looked = [start for start, depth in seen if depth]
    after = [start for start in looked if start > 60_000][:16]
    assert set(np.diff(after)) == {2_000}


def test_where_noise_hides_what_moves_every_keyframe_is_decoded() -> None:
    rng = np.random.default_rng(0)
    chooser = parse_selector("motion").chooser()
    for start in range(0, 60_000, 2_000):
        sizes = [50_000, *rng.normal(20_000, 6_000, 49).clip(0).astype(int)]
        assert chooser.depth(stretch(start, sizes)) == 1
        chooser.offer(Frame(start))


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


def test_near_duplicates_are_told_per_source() -> None:
    near, far = np.eye(3, dtype=np.float32)[:2]
    duplicates = NearDuplicates(0.01)
    told = [("a", near), ("b", near), ("a", near), ("a", far), ("b", far), ("a", far), ("a", near)]
    assert [duplicates.is_near(*one) for one in told] == [0, 0, 1, 0, 0, 1, 0]
    duplicates.forget("a")
    assert not duplicates.is_near("a", near)
    assert not any(NearDuplicates(0.0).is_near("a", near) for _ in range(3))
