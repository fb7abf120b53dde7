"""Keyframes where something moves: what auto and motion choose, and how little they decode."""

from collections.abc import Callable

import numpy as np
import pytest

from ingest.media.base import FrameChooser, SmallPicture
from ingest.media.keyframes.analysis.sampling import MIN_SPACING_MS
from ingest.media.keyframes.auto import FILL_EVERY_MS, LONGEST_SPAN_MS
from ingest.media.keyframes.registry import parse_selector
from tests.support.made_frames import Frame, chosen, moments, stretch


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
