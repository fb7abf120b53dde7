"""The spool that fetched files lie in: bounded, and empty afterwards whatever happens."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.sources.remote.fetching import Spool
from search_core.settings import Settings
from tests.ingest.conftest import TakeIn
from tests.ingest.sources.remote.conftest import Put, spooled
from tests.support.made_media import make_photo


def test_no_room_is_said_before_anything_is_written(
    take_in: TakeIn, put: Put, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    put("a.jpg")
    full = shutil.disk_usage(settings.data_dir.parent)._replace(free=0)
    monkeypatch.setattr("ingest.sources.remote.fetching.shutil.disk_usage", lambda path: full)
    report = take_in("s3://footage/a.jpg")
    assert "are free there" in report.outcomes[0].reason
    assert spooled(settings) == []


def test_what_a_killed_run_left_is_removed_by_the_next(
    settings: Settings, tmp_path: Path, take_in: TakeIn, media: Path
) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ingest.sources.remote.fetching import Spool\n"
        "with Spool(Path(sys.argv[1])) as spool:\n"
        "    spool.make_room(10, 'a.mp4', lambda: None).write_bytes(b'0123456789')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, settings.spool_dir], cwd=Path.cwd())
    assert killed.returncode == -signal.SIGKILL
    assert len([path for path in spooled(settings) if path.is_file()]) == 1
    with Spool(settings.spool_dir) as other:  # a run that is alive is left alone
        mine = other.make_room(1, "b.mp4", lambda: None)
        take_in(make_photo(media / "a.jpg"))
        assert [path for path in spooled(settings) if path.is_file()] == [mine]
    assert spooled(settings) == []


def test_the_spool_never_holds_many_files(
    take_in: TakeIn, put: Put, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = []
    make_room = Spool.make_room

    def counted(self: Spool, size: int | None, name: str, check: Callable[[], None]) -> Path:
        path = make_room(self, size, name, check)
        most.append(len([p for p in spooled(settings) if p.is_file()]))
        return path

    monkeypatch.setattr("ingest.sources.remote.fetching.MOST_FILES", 5)
    monkeypatch.setattr(Spool, "make_room", counted)
    for number in range(16):
        put(f"many/{number:02d}.jpg", (number * 9, 0, 0))
    assert take_in("s3://footage/many").done == 16
    assert 1 < max(most) <= 5
