"""Sources elsewhere: a real S3 server and a web server on loopback, taken in through ingest."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import boto3
import pytest

from ingest.addresses import without_secrets
from ingest.jobs import Jobs
from ingest.ledger import Ledger
from ingest.outcomes import IngestReport
from ingest.reembedding import reembed
from ingest.remote import RemoteFiles
from ingest.repair import repair
from ingest.spool import Spool
from ingest.verification import verify
from ingest.web import is_public
from ingest.worker import run_worker
from search_core.errors import UsageError
from search_core.memory_store import MemoryStore
from search_core.settings import RemoteSettings, Settings
from tests.ingest.conftest import TakeIn
from tests.ingest.loopback_servers import S3Client, S3Server, WebServer
from tests.ingest.made_media import HistogramEncoder, make_clip, make_photo
from tests.ingest.queued import job_of

SECRET = "not-to-be-seen-anywhere"


class Put(Protocol):
    def __call__(self, key: str, colour: tuple[int, int, int] = (200, 40, 40)) -> bytes: ...


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with S3Server().running() as server:
        yield server


@pytest.fixture
def s3(
    s3_server: S3Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Client]:
    """An empty bucket named ``footage`` and what puts files into it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings.remote = RemoteSettings(s3_endpoint=s3_server.endpoint)
    client = boto3.client("s3", endpoint_url=s3_server.endpoint)
    client.create_bucket(Bucket="footage")
    yield client
    s3_server.before = lambda method, path: None
    for item in client.list_objects_v2(Bucket="footage").get("Contents", []):
        client.delete_object(Bucket="footage", Key=item["Key"])
    client.delete_bucket(Bucket="footage")


@pytest.fixture
def put(s3: S3Client, media: Path) -> Put:
    """Make a photograph or a clip and put it into the bucket."""

    def run(key: str, colour: tuple[int, int, int] = (200, 40, 40)) -> bytes:
        path = media / Path(key).name
        if path.suffix == ".mp4":
            make_clip(path, seconds=3, level=lambda second: (colour[0] + int(second) * 60) % 256)
        else:
            make_photo(path, colour)
        data = path.read_bytes()
        s3.put_object(Bucket="footage", Key=key, Body=data)
        path.unlink()
        return data

    return run


@pytest.fixture
def web(settings: Settings) -> Iterator[WebServer]:
    with WebServer().running() as server:
        settings.remote = RemoteSettings(allow_urls=True, private_hosts=("127.0.0.1",))
        yield server


def photo(folder: Path, colour: tuple[int, int, int] = (10, 200, 10)) -> bytes:
    return make_photo(folder / "made.jpg", colour).read_bytes()


def reasons(report: IngestReport) -> dict[str, str]:
    return {outcome.uri: outcome.reason for outcome in report.outcomes}


def spooled(settings: Settings) -> list[Path]:
    return [path for path in settings.spool_dir.rglob("*") if path.name != "lock"]


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
        ("s3://footage/day/gate.mp4", "gate", "frame"),
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
    assert store.count("main") == 2
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


def test_no_secret_is_kept_anywhere(
    take_in: TakeIn,
    put: Put,
    s3_server: S3Server,
    web: WebServer,
    settings: Settings,
    media: Path,
    store: MemoryStore,
) -> None:
    put("a.jpg")
    settings.remote.s3_endpoint = s3_server.endpoint
    assert take_in("s3://footage/a.jpg").done == 1
    web.pages["/clips/b.jpg?X-Amz-Signature=" + SECRET + "&id=7"] = (200, {}, photo(media))
    address = web.address.replace("//", f"//me:{SECRET}@")
    report = take_in(f"{address}/clips/b.jpg?X-Amz-Signature={SECRET}&id=7")
    assert [o.uri for o in report.outcomes] == [f"{web.address}/clips/b.jpg?id=7"]
    assert report.done == 1
    kept = {(entity.uri, entity.camera) for entity in store.entities("main")}
    assert (f"{web.address}/clips/b.jpg?id=7", "clips") in kept
    assert SECRET not in str(kept)
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert files and not any(SECRET.encode() in path.read_bytes() for path in files)


def test_addresses_lose_what_gives_access() -> None:
    assert without_secrets("https://u:p@h:1/a.mp4?v=3&token=x#t=1") == "https://h:1/a.mp4?v=3"
    assert without_secrets("https://h/a?sig=x&se=1&Expires=9&q=" + "y" * 80) == "https://h/a?se=1"
    assert without_secrets("s3://key:word@bucket/a?b#c.mp4") == "s3://bucket/a?b#c.mp4"


def test_the_web_is_closed_unless_it_is_opened(
    take_in: TakeIn, web: WebServer, settings: Settings, media: Path
) -> None:
    web.pages["/a.jpg"] = (200, {}, photo(media))
    settings.remote = RemoteSettings()
    report = take_in(f"{web.address}/a.jpg")
    assert "SIGHTLINE_REMOTE_ALLOW_URLS" in report.outcomes[0].reason
    assert web.requests == []


def test_an_address_of_the_web_is_fetched_once(
    take_in: TakeIn, web: WebServer, media: Path, store: MemoryStore, settings: Settings
) -> None:
    headers = {"ETag": '"1"', "Last-Modified": "Tue, 05 Aug 2025 10:00:00 GMT"}
    web.pages["/a.jpg"] = (200, headers, photo(media))
    assert take_in(f"{web.address}/a.jpg").done == 1
    [entity] = store.entities("main")
    assert entity.captured_at_iso == "2025-08-05T10:00:00.000Z"
    web.requests.clear()
    assert take_in(f"{web.address}/a.jpg").skipped == 1
    assert web.bodies() == []
    web.pages["/a.jpg"] = (200, {"ETag": '"2"'}, photo(media, (3, 3, 3)))
    assert take_in(f"{web.address}/a.jpg").done == 1
    assert spooled(settings) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_refused_before_anything_is_asked(
    take_in: TakeIn, web: WebServer, settings: Settings, host: str
) -> None:
    settings.remote = RemoteSettings(allow_urls=True)
    report = take_in(f"http://{host}:{web.address.rpartition(':')[2]}/a.jpg")
    assert report.failed == 1
    assert "not on the public internet" in report.outcomes[0].reason
    assert web.requests == []


def test_redirects_are_looked_at_again(
    take_in: TakeIn, web: WebServer, settings: Settings, media: Path
) -> None:
    port = web.address.rpartition(":")[2]
    web.pages["/away.jpg"] = (302, {"Location": f"http://localhost:{port}/a.jpg"}, b"")
    web.pages["/near.jpg"] = (302, {"Location": "/a.jpg"}, b"")
    web.pages["/file.jpg"] = (302, {"Location": "file:///etc/passwd"}, b"")
    web.pages["/a.jpg"] = (200, {"ETag": '"1"'}, photo(media))
    report = take_in(*(f"{web.address}/{name}.jpg" for name in ("away", "near", "file")))
    told = reasons(report)
    assert "localhost" in told[f"{web.address}/away.jpg"]
    assert told[f"{web.address}/near.jpg"] == ""
    assert "no address of the web" in told[f"{web.address}/file.jpg"]
    assert report.done == 1


def test_public_addresses_are_told_from_others() -> None:
    assert is_public("93.184.216.34") and is_public("2606:2800:220:1::1")
    for address in (
        *("10.0.0.1", "172.16.3.4", "192.168.1.1", "127.0.0.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"),
    ):
        assert not is_public(address), address


def test_what_is_cut_off_too_large_or_refused_says_so(
    take_in: TakeIn, web: WebServer, settings: Settings, media: Path
) -> None:
    data = photo(media)
    web.pages["/cut.jpg"] = (200, {"Content-Length": str(len(data))}, data[:-40])
    web.pages["/large.jpg"] = (200, {}, data + bytes(200_000))
    web.pages["/closed.jpg"] = (403, {}, b"")
    web.pages["/empty.jpg"] = (200, {}, b"")
    web.pages["/page.html"] = (200, {}, b"<html>no media</html>")
    settings.remote.max_bytes = 100_000
    names = ("cut.jpg", "large.jpg", "closed.jpg", "empty.jpg", "page.html", "none.jpg")
    report = take_in(*(f"{web.address}/{name}" for name in names))
    told = {Path(uri).name: reason for uri, reason in reasons(report).items()}
    assert report.failed == len(names)
    assert "ended before all of it had come" in told["cut.jpg"]
    assert "larger than the" in told["large.jpg"]
    assert "403 Forbidden" in told["closed.jpg"]
    assert told["empty.jpg"] == "is empty"
    assert told["page.html"] == "is neither an image nor a video"
    assert told["none.jpg"] == "does not exist"
    assert spooled(settings) == []


def test_a_size_that_nobody_told_is_still_limited(
    take_in: TakeIn, web: WebServer, settings: Settings, media: Path
) -> None:
    body = b"\xff\xd8\xff" + bytes(300_000)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    web.pages["/a.jpg"] = (200, {"Transfer-Encoding": "chunked"}, chunked)
    settings.remote.max_bytes = 100_000
    assert "larger than the" in take_in(f"{web.address}/a.jpg").outcomes[0].reason
    assert spooled(settings) == []


def test_no_room_is_said_before_anything_is_written(
    take_in: TakeIn, put: Put, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    put("a.jpg")
    full = shutil.disk_usage(settings.data_dir.parent)._replace(free=0)
    monkeypatch.setattr("ingest.spool.shutil.disk_usage", lambda path: full)
    report = take_in("s3://footage/a.jpg")
    assert "are free there" in report.outcomes[0].reason
    assert spooled(settings) == []


def test_what_a_killed_run_left_is_removed_by_the_next(
    settings: Settings, tmp_path: Path, take_in: TakeIn, media: Path
) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from ingest.spool import Spool\n"
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


def test_verify_asks_whether_it_is_still_there(
    take_in: TakeIn,
    put: Put,
    s3: S3Client,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
) -> None:
    put("a.jpg")
    put("gate.mp4")
    assert take_in("s3://footage/").done == 2
    assert list(verify(settings, store, ["main"])) == []
    s3.delete_object(Bucket="footage", Key="a.jpg")
    [finding] = verify(settings, store, ["main"])
    assert (finding.kind, finding.subject) == ("media_missing", "s3://footage/a.jpg")
    s3.put_object(Bucket="footage", Key="a.jpg", Body=b"another picture")
    settings.remote.s3_endpoint = "http://127.0.0.1:9"
    kinds = {(f.kind, f.repairable) for f in verify(settings, store, ["main"])}
    assert kinds == {("media_unreachable", False)}


def test_repair_fetches_again_what_it_needs(
    take_in: TakeIn,
    put: Put,
    s3: S3Client,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
) -> None:
    put("a.jpg")
    put("gate.mp4")
    take_in("s3://footage/")
    for entity in store.entities("main"):
        (settings.data_dir / entity.thumbnail).unlink()
    findings = list(verify(settings, store, ["main"]))
    assert {finding.kind for finding in findings} == {"thumbnail_missing"}
    assert repair(settings, store, findings, lambda: encoder) == []
    assert list(verify(settings, store, ["main"])) == []
    assert spooled(settings) == []
    [photo] = [entity for entity in store.entities("main") if entity.media_type == "image"]
    (settings.data_dir / photo.thumbnail).unlink()
    put("a.jpg", (1, 200, 1))
    [left] = repair(settings, store, list(verify(settings, store, ["main"])), lambda: encoder)
    assert "is not what it was" in left.detail


def test_jobs_fetch_only_where_they_may(
    put: Put, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    put("a.jpg")
    jobs = Jobs(settings)
    first = jobs.submit_ingest(["s3://footage/a.jpg"], "main")
    run_worker(settings, store=store, encoder=encoder, until_idle=True)
    refused = job_of(jobs, first)
    assert refused.state == "failed" and "SIGHTLINE_REMOTE_ALLOW_JOBS" in refused.message
    settings.remote.allow_jobs = True
    second = jobs.submit_ingest(["s3://footage/a.jpg"], "main")
    run_worker(settings, store=store, encoder=encoder, until_idle=True)
    assert job_of(jobs, second).state == "done" and store.count("main") == 1
    with pytest.raises(UsageError, match="cannot become a job"):
        jobs.submit_ingest([f"https://host/a.mp4?token={SECRET}"], "main")
    jobs.close()


def test_the_spool_never_holds_many_files(
    take_in: TakeIn, put: Put, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = []
    make_room = Spool.make_room

    def counted(self: Spool, size: int | None, name: str, check: Callable[[], None]) -> Path:
        path = make_room(self, size, name, check)
        most.append(len([p for p in spooled(settings) if p.is_file()]))
        return path

    monkeypatch.setattr("ingest.spool.MOST_FILES", 5)
    monkeypatch.setattr(Spool, "make_room", counted)
    for number in range(16):
        put(f"many/{number:02d}.jpg", (number * 9, 0, 0))
    assert take_in("s3://footage/many").done == 16
    assert 1 < max(most) <= 5


def test_a_failed_source_can_be_tried_again_by_its_address(
    take_in: TakeIn, put: Put, s3: S3Client, settings: Settings
) -> None:
    s3.put_object(Bucket="footage", Key="a.jpg", Body=b"\xff\xd8\xff and no picture")
    assert take_in("s3://footage/").failed == 1
    with Ledger(settings.ledger_path) as ledger:
        [row] = ledger.outcomes("main", "failed")
    put("a.jpg")
    assert take_in(row.uri).done == 1
    assert [file.uri for file in RemoteFiles(settings.remote).find(row.uri)] == [row.uri]
    assert spooled(settings) == []


def test_another_encoder_fetches_them_once_more(
    put: Put, take_in: TakeIn, settings: Settings, store: MemoryStore
) -> None:
    put("night.mp4")
    put("gate.png")
    report = take_in("s3://footage/", keyframes="interval:1")
    other = HistogramEncoder("b" * 32)
    again = reembed(settings, store, "main", other)
    assert (again.keyframes, again.thumbnails, again.left_out) == (report.keyframes, 0, [])
    assert store.library("main").encoder == other.identity
    assert list(settings.spool_dir.rglob("*.mp4")) == []
