from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.cameras.folders.scan import BATCH_FILES, LOOK_EVERY_S, Candidates, FileVersion
from ingest.media.files import ABANDONED_S, QUIET_S
from tests.support.made_media import make_clip


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


def version(path: Path) -> FileVersion:
    return FileVersion.of(str(path), path.stat())


def taken(candidates: Candidates, now_s: float) -> list[str]:
    return [Path(one.path).name for one in candidates.batch(now_s)[0]]


def test_a_file_with_its_end_mark_is_taken_at_once(candidates: Candidates, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1.0)
    candidates.offer([version(clip)], 0.0)
    assert taken(candidates, 0.0) == ["clip.mp4"]
    candidates.drop(version(clip))
    assert taken(candidates, 0.0) == [] and len(candidates) == 0


def test_a_file_without_an_end_mark_is_taken_when_it_was_quiet(
    candidates: Candidates, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.ts", seconds=1.0)
    candidates.offer([version(clip)], 0.0)
    assert taken(candidates, 0.0) == []
    with clip.open("ab") as file:
        file.write(clip.read_bytes())
    assert taken(candidates, QUIET_S) == []  # it has grown: the time begins anew
    candidates.offer([version(clip)], QUIET_S + 1)
    assert taken(candidates, 2 * QUIET_S - 1) == []
    assert taken(candidates, 2 * QUIET_S + LOOK_EVERY_S) == ["clip.ts"]


@pytest.mark.parametrize(("local", "patience_s"), [(True, QUIET_S), (False, ABANDONED_S)])
def test_a_file_cut_short_is_taken_when_nobody_goes_on_with_it(
    candidates: Candidates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local: bool,
    patience_s: float,
) -> None:
    if not local:
        monkeypatch.delattr("fcntl.F_SETLEASE", raising=False)
    elif not hasattr(os, "O_NOATIME"):
        pytest.skip("who has a file open is known on Linux")
    clip = make_clip(tmp_path / "clip.mp4", seconds=1.0)
    clip.write_bytes(clip.read_bytes()[:-50])
    candidates.offer([version(clip)], 0.0)
    assert taken(candidates, 0.0) == []
    assert taken(candidates, patience_s - LOOK_EVERY_S) == []
    assert taken(candidates, patience_s) == ["clip.mp4"]


def test_the_newest_come_first_and_a_batch_is_in_the_order_of_names(
    candidates: Candidates, tmp_path: Path
) -> None:
    data = make_clip(tmp_path / "clip.mp4", seconds=1.0).read_bytes()
    (tmp_path / "clip.mp4").unlink()
    for number in range(BATCH_FILES + 5):
        path = tmp_path / f"{number:03d}.mp4"
        path.write_bytes(data)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
        candidates.offer([version(path)], 0.0)
    first = taken(candidates, 0.0)
    assert first == [f"{number:03d}.mp4" for number in range(5, BATCH_FILES + 5)]


def test_what_is_no_media_and_what_is_gone_is_held_no_longer(
    candidates: Candidates, tmp_path: Path
) -> None:
    (tmp_path / "frigate.db-wal").write_bytes(b"SQLite")
    gone = make_clip(tmp_path / "gone.mp4", seconds=1.0)
    candidates.offer([version(tmp_path / "frigate.db-wal"), version(gone)], 0.0)
    gone.unlink()
    whole, other = candidates.batch(0.0)
    assert whole == [] and [Path(one.path).name for one in other] == ["frigate.db-wal"]
    assert len(candidates) == 1


def test_what_could_not_be_read_is_tried_again_later_and_later(
    candidates: Candidates, tmp_path: Path
) -> None:
    clip = version(make_clip(tmp_path / "clip.mp4", seconds=1.0))
    candidates.offer([clip], 0.0)
    due_s = [0.0]
    for _ in range(3):
        candidates.retry(clip, due_s[-1])
        candidates.offer([clip], due_s[-1])  # seen again by each scan
        wait_s = next(s for s in range(1, 1000) if taken(candidates, due_s[-1] + s))
        due_s.append(due_s[-1] + wait_s)
    waits = [after - before for before, after in pairwise(due_s)]
    assert waits == sorted(waits) and waits[0] < waits[-1]
