"""Files in a bucket, of a real S3 server on loopback, taken in through ingest."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from ingest.media.files import DIGEST_BYTES
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.sources.remote.conftest import Put, reasons, spooled
from tests.support.loopback_servers import S3Client, S3Server
from tests.support.made_media import make_photo


def test_a_folder_at_s3_is_taken_in_and_known_afterwards(
    take_in: TakeIn,
    put: Put,
    s3: S3Client,
    s3_server: S3Server,
    store: MemoryStore,
    settings: Settings,
) -> None:
    put("day/gate.mp4")
    put("day/yard/porch.jpg", (1, 2, 3))
    s3.put_object(Bucket="footage", Key="day/notes.txt", Body=b"nothing to see")
    s3.put_object(Bucket="footage", Key="day/.hidden.jpg", Body=b"x")
    report = take_in("s3://footage/day/")
    assert (report.done, report.skipped, report.failed) == (2, 1, 0)
    assert {(e.uri, e.camera, e.media_type) for e in store.entities("main")} == {
        ("s3://footage/day/gate.mp4", "day", "frame"),
        ("s3://footage/day/yard/porch.jpg", "yard", "image"),
    }
    assert spooled(settings) == []
    s3_server.requests.clear()
    again = take_in("s3://footage/day/")
    assert (again.done, again.skipped, again.failed) == (0, 3, 0)
    assert s3_server.fetched() == []


def test_globs_single_files_and_order(take_in: TakeIn, put: Put) -> None:
    put("cam-1/a/one.jpg", (1, 1, 1))
    put("cam-2/b/c/two.jpg", (90, 1, 1))
    put("other/three.jpg", (1, 90, 1))
    report = take_in("s3://footage/cam-*/**/*.jpg", "s3://footage/other/three.jpg")
    assert [outcome.uri for outcome in report.outcomes] == [
        "s3://footage/cam-1/a/one.jpg",
        "s3://footage/cam-2/b/c/two.jpg",
        "s3://footage/other/three.jpg",
    ]
    assert report.done == 3


def test_what_is_not_there_fails_alone(take_in: TakeIn, put: Put) -> None:
    put("a.jpg")
    report = take_in(
        "s3://footage/none.mp4", "s3://footage/*.none", "s3://nowhere/a.jpg", "s3://footage/a.jpg"
    )
    assert report.done == 1 and report.failed == 3
    assert reasons(report)["s3://footage/none.mp4"] == "does not exist"
    assert reasons(report)["s3://footage/*.none"] == "matches no file"
    assert reasons(report)["s3://nowhere/a.jpg"] == "does not exist"


def test_a_zip_at_s3_is_opened_where_it_is(
    take_in: TakeIn, s3: S3Client, media: Path, store: MemoryStore
) -> None:
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.write(make_photo(media / "a.jpg"), "beach/a.jpg")
        out.writestr("notes.txt", "nothing")
    s3.put_object(Bucket="footage", Key="trip.zip", Body=(media / "trip.zip").read_bytes())
    report = take_in("s3://footage/trip.zip")
    assert (report.done, report.skipped) == (1, 1)
    assert "s3://footage/trip.zip/beach/a.jpg" in reasons(report)
    [entity] = store.entities("main")
    assert Path(entity.uri).is_file() and entity.camera == "beach"
    assert take_in("s3://footage/trip.zip").skipped == 2


def test_what_changed_since_it_was_listed_is_taken_as_it_is_now(
    take_in: TakeIn, put: Put, s3: S3Client, s3_server: S3Server, store: MemoryStore
) -> None:
    put("a.jpg")
    take_in("s3://footage/a.jpg")
    fresh = put("a.jpg", (5, 5, 200))
    old = put("a.jpg")
    take_in("s3://footage/a.jpg")
    assert store.count("main") == 1
    heads = []

    def change(method: str, path: str) -> None:
        heads.extend([1] if (method, path) == ("HEAD", "/footage/a.jpg") else [])
        if len(heads) == 2:  # the first was the listing's
            s3_server.before = lambda method, path: None
            s3.put_object(Bucket="footage", Key="a.jpg", Body=fresh)

    s3.put_object(Bucket="footage", Key="a.jpg", Body=old + b"another version")
    s3_server.before = change
    assert take_in("s3://footage/a.jpg").done == 1
    [entity] = store.entities("main")  # what the address gave before is replaced
    assert entity.source_id == hashlib.blake2b(fresh, digest_size=DIGEST_BYTES).hexdigest()
    assert take_in("s3://footage/a.jpg").skipped == 1


def test_what_changes_while_it_is_read_fails_and_leaves_nothing(
    take_in: TakeIn,
    put: Put,
    s3: S3Client,
    s3_server: S3Server,
    store: MemoryStore,
    settings: Settings,
) -> None:
    put("a.jpg")
    other = put("b.jpg", (9, 9, 9))

    def change(method: str, path: str) -> None:
        if (method, path) == ("GET", "/footage/a.jpg"):
            s3_server.before = lambda method, path: None
            s3.put_object(Bucket="footage", Key="a.jpg", Body=other)

    s3_server.before = change
    report = take_in("s3://footage/a.jpg")
    assert (report.done, report.failed) == (0, 1)
    assert "changed while it was read" in report.outcomes[0].reason
    assert report.outcomes[0].stage == "fetch"
    assert store.count("main") == 0 and spooled(settings) == []
    assert take_in("s3://footage/a.jpg").done == 1


def test_without_credentials_it_says_where_they_are_looked_for(
    take_in: TakeIn, put: Put, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put("a.jpg")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    report = take_in("s3://footage/a.jpg")
    assert "AWS_ACCESS_KEY_ID" in report.outcomes[0].reason


def test_a_missing_extra_is_named(take_in: TakeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, name, None)
    for scheme in ("s3", "gs"):
        known = sys.modules["fsspec.registry"]._registry
        monkeypatch.delitem(known, scheme, raising=False)
    report = take_in("s3://footage/a.jpg", "gs://footage/a.jpg")
    assert "sightline[s3]" in report.outcomes[0].reason
    assert "sightline[gcs]" in report.outcomes[1].reason
