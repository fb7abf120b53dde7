"""kill -9 at random moments of the real command, parent or worker: then exactly the expected rows.

Three kills each time; a hundred with SIGHTLINE_SOAK=1 (``make soak``).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.verification import verify
from search_core.endpoint import resolve_endpoint
from search_core.entities import MediaEntity
from search_core.errors import LibraryNotFound, StoreBusy
from search_core.settings import MilvusSettings, Settings
from search_core.store import MilvusStore
from tests.ingest.made_media import make_clip, make_photo

KILLS = 100 if os.environ.get("SIGHTLINE_SOAK") else 3
ROOT = Path(__file__).parents[2]
PICTURES, CLIPS, SECONDS = 12, 3, 10


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, clips, a copy of one of them, something that is no media, a damaged file."""
    folder = tmp_path_factory.mktemp("mixed")
    for number in range(PICTURES):
        make_photo(folder / f"{number}.jpg", (10 * number, 60, 90))
    for number in range(CLIPS):
        make_clip(folder / f"clip{number}.mp4", seconds=SECONDS, size=(64 + 16 * number, 48))
    shutil.copy(folder / "3.jpg", folder / "copy.jpg")
    (folder / "notes.txt").write_text("no media")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no photograph")
    return folder


class Ingest:
    """The real `sightline ingest` of a folder, in a process that can be killed."""

    def __init__(self, media: Path, data: Path, uri: str | None) -> None:
        self.settings = Settings(data_dir=data, milvus=MilvusSettings(uri=uri))
        self._media = media
        self._uri = uri

    def start(self) -> subprocess.Popen[bytes]:
        extra = {"SIGHTLINE_MILVUS_URI": self._uri} if self._uri else {}
        kept = {name: value for name, value in os.environ.items() if "SIGHTLINE" not in name}
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "cli.main", "--data-dir", str(self.settings.data_dir)),
                *("ingest", str(self._media), "--keyframes", "iframe", "--json"),
            ],
            cwd=ROOT,
            env={**kept, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self) -> dict[str, object]:
        """Run it to its end; returns its report."""
        process = self.start()
        out, _ = process.communicate()
        report: dict[str, object] = json.loads(out)
        return report

    def rows(self) -> list[MediaEntity]:
        """Every row of the library, as often as it is there."""
        store = MilvusStore(resolve_endpoint(self.settings))
        try:
            return [entity for page in store.vectors("main") for entity in page.entities]
        finally:
            store.close()

    def findings(self) -> list[str]:
        store = MilvusStore(resolve_endpoint(self.settings))
        try:
            return [f.detail for f in verify(self.settings, store, ["main"])]
        finally:
            store.close()

    def begin_anew(self) -> None:
        store = MilvusStore(resolve_endpoint(self.settings))
        try:
            store.drop_library("main")
        except LibraryNotFound:
            pass
        finally:
            store.close()
        shutil.rmtree(self.settings.data_dir)


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def ingest(request: pytest.FixtureRequest, mixed_folder: Path, tmp_path: Path) -> Iterator[Ingest]:
    uri = request.getfixturevalue("milvus_server_uri") if request.param == "server" else None
    made = Ingest(mixed_folder, tmp_path / "data", uri)
    yield made
    if uri:
        made.begin_anew()


def children_of(pid: int) -> list[int]:
    """The processes a process started, by Linux's own account."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill_somewhere(ingest: Ingest, after_s: float, chance: random.Random) -> bool:
    """Start it, kill it or one of its workers after a while; whether it was killed itself."""
    process = ingest.start()
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        workers = children_of(process.pid)
        if workers and chance.random() < 0.3:
            os.kill(chance.choice(workers), signal.SIGKILL)
            process.communicate()
            return False
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 30
        while not all(is_over(worker) for worker in workers):
            assert time.monotonic() < deadline, "a decoding process outlived its parent"
        return True
    process.communicate()
    return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_killed_at_random_moments_and_run_again(ingest: Ingest) -> None:
    began = time.monotonic()
    reference = ingest.run()
    whole_s = time.monotonic() - began
    expected = sorted(entity.id for entity in ingest.rows())
    assert len(expected) == PICTURES + CLIPS * SECONDS
    assert (reference["done"], reference["failed"]) == (PICTURES + CLIPS, 1)
    ingest.begin_anew()

    chance = random.Random(2026)
    for _ in range(KILLS):
        killed = kill_somewhere(ingest, whole_s * chance.uniform(0.3, 1.0), chance)
        try:
            rows = [entity.id for entity in ingest.rows()]
        except LibraryNotFound:
            continue
        except StoreBusy as error:
            raise AssertionError("a killed ingest still holds Milvus") from error
        assert len(rows) == len(set(rows))
        assert set(rows) <= set(expected)
        if not killed and len(rows) == len(expected):
            ingest.begin_anew()

    last = ingest.run()
    assert last["failed"] == 1  # the damaged file
    assert sorted(entity.id for entity in ingest.rows()) == expected
    assert ingest.findings() == []
