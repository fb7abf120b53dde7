"""A disk that is full, or fills up in the middle: said so, and afterwards exactly the right rows.

On a small file system in memory, which only root can make. One moment each time; twenty with
SIGHTLINE_SOAK=1 (``make soak``).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.jobs.client import Jobs
from ingest.ledger import Ledger
from search_core.errors import DiskFull, LibraryNotFound
from search_core.settings import Settings
from tests.integration.real_ingest import Ingest
from tests.support.made_media import make_clip, make_photo
from tests.support.waiting import wait_until

MOMENTS = 20 if os.environ.get("SIGHTLINE_SOAK") else 1
PICTURES, CLIPS, SECONDS = 120, 2, 10
FEW = 5
#: What is said of a full disk.
FULL = r"(?i)no space|is full|are free"
ROOM_MIB = 96


class Disk:
    """A small disk, and a file that takes up what is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, but_bytes: int = 0) -> None:
        """Leave so many bytes free."""
        left = shutil.disk_usage(self.folder).free - but_bytes
        with self._filler.open("ab", buffering=0) as file:
            try:
                while left > 0:
                    left -= file.write(bytes(min(left, 1 << 16)))
            except OSError:
                return

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no small disk can be made here: {error}")
    if made.returncode:
        pytest.skip(f"no small disk can be made here: {made.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full_disk")
    for number in range(PICTURES):
        make_photo(folder / f"{number}.png", (number, 60, 90))
    for number in range(CLIPS):
        make_clip(folder / f"clip{number}.mp4", seconds=SECONDS, size=(64 + 16 * number, 48))
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    for number in range(FEW):
        make_photo(folder / f"{number}.png", (number, 60, 90))
    return folder


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def ingest(request: pytest.FixtureRequest, disk: Disk, media: Path) -> Iterator[Ingest]:
    uri = request.getfixturevalue("milvus_server_uri") if request.param == "server" else None
    made = Ingest(media, disk.folder / "data", uri)
    yield made
    disk.make_room()
    if uri and made.settings.data_dir.exists():
        made.begin_anew()


def check_said(said: str, out: str, code: int) -> None:
    """What a user is told of a full disk names it, and is no traceback."""
    assert "Traceback" not in said and "bug" not in said, said
    if code:
        assert re.search(FULL, said + out), (said, out)


def until_it_has_done_some(ingest: Ingest, process: subprocess.Popen[str]) -> None:
    """Return when some more sources are done, or the process is over."""

    def done() -> int:
        if not ingest.settings.ledger_path.exists():
            return 0
        with Ledger(ingest.settings.ledger_path) as ledger:
            return ledger.counts("main")["done"]

    wanted = random.randint(min(done(), PICTURES - 1) + 1, PICTURES)
    wait_until(
        lambda: process.poll() is not None or done() >= wanted, f"{wanted} sources to be done", 120
    )


def check_all_is_there(ingest: Ingest) -> None:
    report = ingest.run()
    assert report["failed"] == 0, report
    ids = ingest.ids()
    assert len(ids) == len(set(ids)) == PICTURES + CLIPS * SECONDS
    ingest.check_ledger()
    assert [finding for finding in ingest.findings() if not finding.startswith("orphan")] == []


@pytest.mark.parametrize("free_bytes", [0, 20_000, 300_000, 3_000_000])
def test_a_disk_that_is_full_is_named_and_room_is_enough(
    disk: Disk, few: Path, free_bytes: int
) -> None:
    ingest = Ingest(few, disk.folder / "data", bare=True)
    disk.fill(free_bytes)
    process = ingest.start(subprocess.PIPE)
    _, said = process.communicate()
    assert process.returncode and re.search(FULL, said.splitlines()[-1]), said
    disk.make_room()
    assert ingest.run()["keyframes"] == len(ingest.ids()) == FEW


def test_a_disk_that_fills_up_in_the_middle(ingest: Ingest, disk: Disk) -> None:
    for _ in range(MOMENTS):
        process = ingest.start(subprocess.PIPE)
        until_it_has_done_some(ingest, process)
        disk.fill()
        out, said = process.communicate()
        check_said(said, out, process.returncode)
        disk.make_room()
        try:
            ids = ingest.ids()
        except LibraryNotFound:
            continue
        assert len(ids) == len(set(ids)) <= PICTURES + CLIPS * SECONDS
        with Ledger(ingest.settings.ledger_path) as ledger:
            done = sum(row.keyframes for row in ledger.outcomes("main", "done"))
        assert done <= len(ids)
        if len(ids) == PICTURES + CLIPS * SECONDS:
            ingest.begin_anew()
    check_all_is_there(ingest)


def test_ledger_and_jobs_say_that_the_disk_is_full_and_work_again_after(disk: Disk) -> None:
    settings = Settings(data_dir=disk.folder / "data")
    jobs = Jobs(settings)
    first = jobs.submit_ingest(["/a"], "main")
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "one", "r", "/a", "done")
        disk.fill()
        with pytest.raises(DiskFull, match=str(settings.ledger_path)):
            for number in range(10_000):  # until the room in its log is used up
                ledger.record("main", f"{number}", "r", "/b" * 2000, "done")
        with pytest.raises(DiskFull, match=str(settings.jobs_path)):
            for _ in range(10_000):
                jobs.submit_ingest(["/b" * 2000], "main")
        kept = len(ledger.outcomes("main"))
        disk.make_room()
        ledger.record("main", "two", "r", "/c", "done")
        assert len(ledger.outcomes("main")) == kept + 1
    last = jobs.submit_ingest(["/c"], "main")
    assert {first, last} <= {job.id for job in jobs.list(20_000)}
    jobs.close()


def test_what_is_there_can_be_looked_at_on_a_full_disk(disk: Disk) -> None:
    path = disk.folder / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.record("main", "one", "r", "/a", "done")
        disk.fill()
        with Ledger(path) as other:
            assert other.counts("main")["done"] == 1
