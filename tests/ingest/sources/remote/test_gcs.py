"""Sources in Google's buckets: a server that speaks its protocol, on loopback."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem

from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.sources.remote.conftest import reasons
from tests.support.loopback_servers import WebServer, gcs_server
from tests.support.made_media import make_clip, make_photo


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[AbstractFileSystem]:
    """An empty bucket named ``footage``."""
    with gcs_server("footage") as address:
        monkeypatch.setenv("NO_GCE_CHECK", "true")  # this machine is none of Google's
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield fsspec.filesystem("gs", use_listings_cache=False, skip_instance_cache=True)


def test_a_folder_is_taken_in_and_known_until_it_changes(
    take_in: TakeIn, bucket: AbstractFileSystem, media: Path, store: MemoryStore, settings: Settings
) -> None:
    bucket.put_file(make_photo(media / "porch.jpg"), "footage/day/yard/porch.jpg")
    bucket.put_file(make_clip(media / "gate.mp4", seconds=3), "footage/day/gate.mp4")
    bucket.pipe("footage/day/notes.txt", b"nothing to see")
    report = take_in("gs://footage/day/")
    assert (report.done, report.skipped, report.failed) == (2, 1, 0)
    assert {(e.uri, e.camera, e.media_type) for e in store.entities("main")} == {
        ("gs://footage/day/gate.mp4", "day", "frame"),
        ("gs://footage/day/yard/porch.jpg", "yard", "image"),
    }
    again = take_in("gs://footage/day/")
    assert (again.done, again.skipped, again.failed) == (0, 3, 0)

    bucket.put_file(make_photo(media / "new.jpg", (9, 9, 200)), "footage/day/yard/porch.jpg")
    changed = take_in("gs://footage/day/**/*.jpg")
    assert (changed.done, changed.failed) == (1, 0)
    assert not list(settings.spool_dir.rglob("*.jpg"))


def test_a_zip_is_opened_where_it_is(
    take_in: TakeIn, bucket: AbstractFileSystem, media: Path
) -> None:
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.write(make_photo(media / "a.jpg"), "beach/a.jpg")
    bucket.put_file(media / "trip.zip", "footage/trip.zip")
    report = take_in("gs://footage/trip.zip")
    assert report.done == 1
    assert "gs://footage/trip.zip/beach/a.jpg" in reasons(report)
    assert take_in("gs://footage/trip.zip").skipped == 1


def test_what_is_not_there_fails_alone(
    take_in: TakeIn, bucket: AbstractFileSystem, media: Path
) -> None:
    bucket.put_file(make_photo(media / "a.jpg"), "footage/a.jpg")
    report = take_in(
        "gs://footage/none.mp4", "gs://footage/*.none", "gs://nowhere/a.jpg", "gs://footage/a.jpg"
    )
    assert (report.done, report.failed) == (1, 3)
    assert reasons(report)["gs://footage/none.mp4"] == "does not exist"
    assert reasons(report)["gs://footage/*.none"] == "matches no file"
    assert reasons(report)["gs://nowhere/a.jpg"] == "does not exist"


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "may not be read with these credentials"), (401, "401 Unauthorized")],
)
def test_what_may_not_be_read_says_so(
    take_in: TakeIn, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    told = b'{"error": {"code": %d, "message": "no"}}' % status
    refused = (status, {"Content-Type": "application/json"}, told)
    with WebServer().running() as server:
        server.pages = _Always(refused)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        report = take_in("gs://footage/a.jpg")
    assert words in reasons(report)["gs://footage/a.jpg"]


class _Always(dict[str, tuple[int, dict[str, str], bytes]]):
    """Pages that are all alike."""

    def __init__(self, answer: tuple[int, dict[str, str], bytes]) -> None:
        super().__init__()
        self._answer = answer

    def get(self, *_: object) -> tuple[int, dict[str, str], bytes]:
        return self._answer
