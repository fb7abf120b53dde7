from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.status_log import Diary, Gap
from ingest.ledger import Ledger

GATE = Camera("gate-3", SecretStr("rtsp://u:hunter2@cam:554/x"), "main", timedelta(days=30))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def diary(path: Path) -> Iterator[Diary]:
    with Diary(path) as opened:
        yield opened


def seen(diary: Diary, first_ms: int, last_ms: int) -> None:
    diary.seen("gate-3", first_ms, last_ms, frames=5, dropped=1, lag_ms=20)


def test_tells_a_cameras_state_and_keeps_its_secret(diary: Diary, path: Path) -> None:
    diary.begin(GATE, 1_000)
    seen(diary, 1_500, 2_000)
    seen(diary, 2_100, 3_000)

    [state] = diary.cameras()
    assert (state.state, state.since_ms, state.last_frame_ms) == ("live", 1_500, 3_000)
    assert (state.frames, state.dropped, state.retain) == (10, 2, timedelta(days=30))
    assert state.address == "rtsp://cam:554"
    diary.lost("gate-3", "refuses the connection", 4_000)
    assert b"hunter2" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_a_gap_lasts_from_the_last_frame_to_the_next(diary: Diary) -> None:
    diary.begin(GATE, 1_000)
    seen(diary, 1_500, 2_000)
    diary.lost("gate-3", "ended the stream", 2_500)
    diary.lost("gate-3", "refuses the connection", 4_000)
    assert diary.gaps() == [Gap("gate-3", 2_000, None, "ended the stream")]
    assert diary.cameras()[0].reason == "refuses the connection"

    seen(diary, 9_000, 9_500)

    assert diary.gaps() == [Gap("gate-3", 2_000, 9_000, "ended the stream")]
    assert diary.gaps("other") == [] and diary.gaps(since_ms=9_000) == []


def test_a_short_silence_is_no_gap(diary: Diary) -> None:
    diary.begin(GATE, 1_000)
    seen(diary, 1_500, 2_000)
    diary.lost("gate-3", "ended the stream", 2_100)
    seen(diary, 3_000, 3_500)

    assert diary.gaps() == []


def test_a_camera_that_never_came_is_missed_since_watching_began(diary: Diary) -> None:
    diary.begin(GATE, 1_000)
    assert diary.gaps() == []
    diary.lost("gate-3", "refuses the connection", 6_000)

    assert diary.gaps() == [Gap("gate-3", 1_000, None, "refuses the connection")]


def test_the_time_nobody_watched_is_a_gap_as_well(diary: Diary) -> None:
    diary.begin(GATE, 1_000)
    seen(diary, 1_500, 2_000)
    diary.end("gate-3", 2_100)
    diary.begin(GATE, 60_000)
    seen(diary, 61_000, 62_000)

    assert diary.gaps() == [Gap("gate-3", 2_000, 61_000, "was not watched")]
    diary.forget_gaps("gate-3", 61_000)
    assert diary.gaps() != []
    diary.forget_gaps("gate-3", 61_001)
    assert diary.gaps() == []


def test_keyframes_are_counted_in_the_ledger_by_day(diary: Diary, path: Path) -> None:
    diary.begin(GATE, 1_000)
    for added in (2, 3):
        diary.add_keyframes("gate-3", "main", "day-1", "recipe", "stills/x", added, 5_000)

    with Ledger(path) as ledger:
        [row] = ledger.outcomes("main")
    assert (row.status, row.keyframes, row.source_id) == ("done", 5, "day-1")
    assert diary.cameras()[0].keyframes == 5
