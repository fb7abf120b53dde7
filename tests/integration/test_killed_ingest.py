"""kill -9 at random moments of an ingest, parent or worker: then exactly the expected rows.

Three kills of an ingest without the command and its model, which start slowly; with
SIGHTLINE_SOAK=1 (``make soak``) a hundred, and a hundred of the real command.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_core.errors import LibraryNotFound, StoreBusy
from tests.integration.real_ingest import Ingest
from tests.support.made_media import make_clip, make_photo
from tests.support.waiting import wait_until

SOAK = bool(os.environ.get("SIGHTLINE_SOAK"))
PICTURES, CLIPS, SECONDS = (60, 6, 20) if SOAK else (12, 3, 10)
#: A few rows at a time, so that there is much to be killed in the middle of.
SLOWLY = {"SIGHTLINE_ENCODER_BATCH_SIZE": "2"}


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, clips, a copy of one of them, something that is no media, a damaged file."""
    folder = tmp_path_factory.mktemp("mixed")
    for number in range(PICTURES):
        make_photo(folder / f"{number}.png", (4 * number, 60, 90))
    for number in range(CLIPS):
        make_clip(folder / f"clip{number}.mp4", seconds=SECONDS, size=(64 + 16 * number, 48))
    shutil.copy(folder / "3.png", folder / "copy.png")
    (folder / "notes.txt").write_text("no media")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no photograph")
    return folder


@pytest.fixture(
    params=[
        pytest.param(False, id="command", marks=pytest.mark.skipif(not SOAK, reason="make soak")),
        pytest.param(True, id="bare"),
    ]
)
def bare(request: pytest.FixtureRequest) -> bool:
    """Whether it is an ingest without the command and its model, which starts sooner."""
    return bool(request.param)


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def ingest(
    request: pytest.FixtureRequest, mixed_folder: Path, tmp_path: Path, bare: bool
) -> Iterator[Ingest]:
    uri = request.getfixturevalue("milvus_server_uri") if request.param == "server" else None
    made = Ingest(mixed_folder, tmp_path / "data", uri, bare=bare, environment=SLOWLY)
    yield made
    if uri:
        made.begin_anew()


def children_of(pid: int) -> list[int]:
    """The processes that any thread of a process started, by Linux's own account."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text().split())
        except OSError:  # the thread has ended
            continue
    return found


def is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def until_it_decodes(process: subprocess.Popen[str]) -> None:
    """Return when a process has workers, or is over."""
    wait_until(
        lambda: process.poll() is not None or children_of(process.pid), "workers to be started", 300
    )


def kill_somewhere(ingest: Ingest, most_s: float, chance: random.Random) -> str:
    """Start it, and kill it or a worker up to ``most_s`` after decoding began, or once before that.

    Returns which of them it was.
    """
    process = ingest.start()
    if chance.random() < 0.9:
        until_it_decodes(process)
    try:
        process.wait(timeout=most_s * chance.random())
    except subprocess.TimeoutExpired:
        workers = children_of(process.pid)
        if workers and chance.random() < 0.4:
            os.kill(chance.choice(workers), signal.SIGKILL)
            process.communicate()
            return "worker"
        process.kill()
        process.communicate()
        wait_until(
            lambda: all(map(is_over, workers)), "decoding processes to end with their parent"
        )
        return "parent, with workers" if workers else "parent alone"
    process.communicate()
    return "nobody"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_killed_at_random_moments_and_run_again(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = 100 if SOAK else 3
    began = time.monotonic()
    process = ingest.start()
    until_it_decodes(process)
    decodes = time.monotonic()
    reference = json.loads(process.communicate()[0])
    most_s = time.monotonic() - decodes
    expected = ingest.ids()
    assert len(expected) == PICTURES + CLIPS * SECONDS
    assert (reference["done"], reference["failed"]) == (PICTURES + CLIPS, 1)
    ingest.begin_anew()

    seed = random.randrange(10**9)
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    rows_after: Counter[str] = Counter()
    for _ in range(4 * kills):  # a kill may come too late, when all is done
        if killed.total() - killed["nobody"] >= kills:
            break
        killed[kill_somewhere(ingest, most_s, chance)] += 1
        rows = rows_left(ingest)
        assert len(rows) == len(set(rows)), seed
        assert set(rows) <= set(expected), seed
        rows_after["all" if len(rows) == len(expected) else "some" if rows else "none"] += 1
        if killed.total() % 10 == 0:
            tell(capsys, f"killed: {dict(killed)}; rows then: {dict(rows_after)}")
        if len(rows) == len(expected):
            ingest.begin_anew()

    last = ingest.run()
    assert last["failed"] == 1  # the damaged file
    assert ingest.ids() == expected
    assert ingest.findings() == []
    ingest.check_ledger()
    took_s = time.monotonic() - began
    tell(capsys, f"killed: {dict(killed)}; rows then: {dict(rows_after)}; {took_s:.0f} s")


def rows_left(ingest: Ingest) -> list[str]:
    try:
        return ingest.ids()
    except LibraryNotFound:
        return []
    except StoreBusy as error:
        raise AssertionError("a killed ingest still holds Milvus") from error


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}", flush=True)
