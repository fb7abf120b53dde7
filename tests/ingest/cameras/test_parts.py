"""The parts of live cameras by themselves: clock, motion, backoff, names, retention's rules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from ingest.cameras.camera import Camera, check_camera_name, configured_cameras
from ingest.cameras.live_stream import (
    BUSY_SPACING_MS,
    HEARTBEAT_MS,
    SPACING_MS,
    LiveClock,
    MotionGate,
)
from ingest.cameras.status_log import Diary
from ingest.cameras.stills import (
    days_kept,
    folder_of,
    frame_ref,
    keep_name,
    source_of_day,
    still_path,
)
from ingest.cameras.supervisor import FIRST_S, LONGEST_S, STEADY_S, Backoff
from ingest.media.base import small_mask
from ingest.rows.retention import Rule, prune, rules_of
from search_core.errors import UsageError
from search_core.schema.camera import CameraSettings
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore

NOW_MS = 1_790_000_000_000
GREY = np.random.default_rng(3).integers(60, 160, (45, 80)).astype(np.uint8)


def frames(seconds: float, noise: float = 2.0) -> Iterator[tuple[int, np.ndarray]]:
    rng = np.random.default_rng(5)
    for number in range(round(seconds * 5)):
        picture = GREY + rng.normal(0, noise, GREY.shape)
        yield NOW_MS + number * 200, np.clip(picture, 0, 255).astype(np.uint8)


# The clock


@given(st.lists(st.integers(0, 900), min_size=2, max_size=200))
def test_frames_are_placed_where_they_were_captured(delays: list[int]) -> None:
    clock = LiveClock()
    least = delays[0]
    for number, delay_ms in enumerate(delays):
        least = min(least, delay_ms)
        made_ms = NOW_MS + number * 200
        captured_ms, lag_ms = clock.place(5_000 + number / 5, made_ms + delay_ms)
        # Later than it was by no more than the least delay there ever was.
        assert abs(captured_ms - made_ms - least) <= 1 + delays[0] - least
        assert lag_ms >= 0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6) | st.none(), st.integers(0, 10_000)), max_size=100))
@example([(0.0, 0), (None, 10_000), (0.0, 10_000), (None, 10_000), (0.0, 0)])
def test_the_times_of_frames_always_increase(arrivals: list[tuple[float | None, int]]) -> None:
    clock = LiveClock()
    now_ms, last_ms = NOW_MS, 0
    for stamp_s, elapsed_ms in arrivals:
        now_ms += elapsed_ms
        captured_ms, lag_ms = clock.place(stamp_s, now_ms)
        assert last_ms < captured_ms <= now_ms + len(arrivals) and lag_ms >= 0
        last_ms = captured_ms


def test_a_clock_of_this_machine_that_is_set_back_is_followed() -> None:
    clock = LiveClock()
    clock.place(0.0, NOW_MS)

    assert clock.place(1.0, NOW_MS - 59_000) == (NOW_MS - 59_000, 0)
    assert clock.place(None, NOW_MS - 3_600_000) == (NOW_MS - 3_600_000, 0)
    # By less, as time servers do, it is waited for.
    assert clock.place(None, NOW_MS - 3_610_000) == (NOW_MS - 3_599_999, 0)


def test_reading_that_falls_behind_is_told_as_lag() -> None:
    clock = LiveClock()
    clock.place(0.0, NOW_MS)

    assert clock.place(2.0, NOW_MS + 4_000) == (NOW_MS + 2_000, 2_000)
    # A camera that begins to count anew is not behind.
    assert clock.place(0.2, NOW_MS + 5_000) == (NOW_MS + 5_000, 0)


# Motion


def test_nothing_but_the_first_frame_of_a_still_view_is_kept() -> None:
    gate = MotionGate()

    assert sum(gate.wants(grey, at_ms) for at_ms, grey in frames(60)) == 1


def test_a_still_view_is_kept_now_and_then() -> None:
    gate = MotionGate()

    assert sum(gate.wants(GREY, NOW_MS + n * 1_000) for n in range(HEARTBEAT_MS // 500 + 1)) == 3


def test_what_enters_stays_and_leaves_makes_a_keyframe_each_time() -> None:
    gate = MotionGate()
    kept = []
    for at_ms, grey in frames(60):
        if 10_000 <= at_ms - NOW_MS < 40_000:
            grey[20:26, 30:34] = 250  # a person some way off
        if gate.wants(grey, at_ms):
            kept.append(at_ms - NOW_MS)

    assert kept == [0, 10_000, 40_000]


def test_what_goes_on_moving_is_kept_every_second_and_then_every_other() -> None:
    gate = MotionGate()
    kept = []
    for at_ms, grey in frames(30):
        left = (at_ms - NOW_MS) // 200 * 3 % 60
        grey[20:30, left : left + 12] = 250
        if gate.wants(grey, at_ms):
            kept.append(at_ms)

    gaps = np.diff(kept)
    assert gaps.min() == SPACING_MS and gaps[-1] == BUSY_SPACING_MS


def test_the_foreground_is_where_something_is_and_not_where_it_was() -> None:
    gate = MotionGate()
    boxes = []
    for at_ms, grey in frames(8):
        left = (at_ms - NOW_MS) // 200 * 3 - 60  # enters after four seconds
        thing = slice(max(0, left), max(0, left + 12))
        grey[20:30, thing] = 250
        if gate.wants(grey, at_ms) and thing.stop:
            seen = np.flatnonzero(gate.foreground.any(axis=0))
            boxes.append((thing.start - seen.min(), thing.stop - 1 - seen.max()))
            assert not gate.foreground[:19].any() and not gate.foreground[31:].any()
    assert len(boxes) >= 3 and np.abs(boxes).max() <= 1


def test_a_mask_of_any_size_becomes_one_of_blocks() -> None:
    mask = np.zeros((45, 80), np.bool_)
    mask[20:30, 40:60] = True
    small = small_mask(mask)
    assert small.shape == (36, 64)
    rows, columns = np.nonzero(small)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 23, 32, 47)


def test_a_lamp_that_is_switched_on_is_no_motion() -> None:
    gate = MotionGate()
    kept = 0
    for at_ms, grey in frames(20):
        brighter = 25 if at_ms - NOW_MS > 10_000 else 0
        kept += gate.wants(np.clip(grey.astype(int) + brighter, 0, 255).astype(np.uint8), at_ms)

    assert kept == 1


def test_a_camera_that_changes_its_size_begins_anew() -> None:
    gate = MotionGate()
    assert gate.wants(GREY, NOW_MS)

    assert gate.wants(GREY[:30], NOW_MS + 200)


# Backoff


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_waits_grow_up_to_a_bound_and_differ(draws: list[float]) -> None:
    drawn = iter(draws)
    backoff = Backoff(lambda: next(drawn))
    for number, draw in enumerate(draws):
        due_s = min(LONGEST_S, FIRST_S * 2**number)
        assert backoff.next_s() == pytest.approx(due_s * (0.5 + draw / 2))


def test_a_steady_connection_is_tried_again_soon() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(10):
        backoff.next_s(STEADY_S - 1)

    assert backoff.next_s(STEADY_S) == FIRST_S


# Names


@given(st.integers(0, 4_000_000_000_000))
def test_a_key_is_made_of_camera_and_moment_alone(captured_ms: int) -> None:
    ref = frame_ref("gate", captured_ms)
    day = datetime.fromtimestamp(captured_ms // 1000, UTC).date()

    assert ref.source_id == source_of_day("gate", day)
    assert 0 <= ref.pts_ms < 86_400_000 and captured_ms % 86_400_000 == ref.pts_ms
    assert ref != frame_ref("gate", captured_ms + 1) and ref != frame_ref("Gate", captured_ms)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_cameras_have_folders_of_their_own_wherever_their_names_point(a: str, b: str) -> None:
    root = Path("/stills")

    assert still_path(root, a, NOW_MS).resolve().parent.parent.parent == root
    assert (folder_of(a) == folder_of(b)) == (a == b)
    assert len(folder_of(a)) < 100


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 257])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_camera_name(name)


# Retention


def test_rules_come_from_the_settings_and_else_from_how_it_was_watched(settings: Settings) -> None:
    url = SecretStr("rtsp://cam/x")
    chosen = settings.model_copy(
        update={
            "retain": {"main": timedelta(days=365)},
            "cameras": {"gate": CameraSettings(url=url, retain=timedelta(days=30))},
        }
    )
    with Diary(settings.ledger_path) as diary:
        diary.begin(Camera("gate", url, "old", timedelta(days=1)), NOW_MS)
        diary.begin(Camera("dock", url, "yard", timedelta(hours=12)), NOW_MS)

    assert rules_of(chosen) == [
        Rule("main", timedelta(days=365)),
        Rule("main", timedelta(days=30), "gate"),
        Rule("yard", timedelta(hours=12), "dock"),
    ]
    assert [camera.retain for camera in configured_cameras(chosen)] == [timedelta(days=30)]

    with Diary(settings.ledger_path) as diary:  # changed on the page of cameras
        diary.set_retention("gate", timedelta(days=2))
        diary.set_retention("dock", None)
    assert rules_of(chosen) == [
        Rule("main", timedelta(days=365)),
        Rule("main", timedelta(days=2), "gate"),
    ]
    with Diary(settings.ledger_path) as diary:
        diary.begin(Camera("gate", url, "old", timedelta(days=1)), NOW_MS)  # watched anew
        diary.forget_retention("dock")
    assert rules_of(chosen)[1:] == [
        Rule("main", timedelta(days=2), "gate"),
        Rule("yard", timedelta(hours=12), "dock"),
    ]


def test_stills_a_crash_left_without_rows_go_as_well(
    settings: Settings, store: MemoryStore
) -> None:
    keep_name(settings.stills_dir, "Gate 3")
    moments = [NOW_MS - day * 86_400_000 for day in (0, 1, 2, 3)]
    stills = [still_path(settings.stills_dir, "Gate 3", moment) for moment in moments]
    for still in stills:
        still.parent.mkdir(parents=True)
        still.write_bytes(b"x")
    assert len(list(days_kept(settings))) == 4

    now = datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(seconds=1)
    pruned = prune(settings, store, Rule("main", timedelta(days=2), "Gate 3"), now)

    assert (pruned.keyframes, pruned.strays) == (0, 2)
    assert [still.exists() for still in stills] == [True, True, False, False]
    assert len(list(days_kept(settings))) == 3  # the day of the limit is not over


def test_a_cameras_process_stays_small() -> None:
    heavy = "{'torch', 'pymilvus', 'pydantic', 'pandas'}"
    code = f"import sys, ingest.cameras.decode_process; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
