"""Addresses of the web: which are asked at all, what comes of them, and what of them is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.sources.remote.addresses import without_secrets
from ingest.sources.remote.files import is_public
from search_core.settings import RemoteSettings, Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.sources.remote.conftest import SECRET, Put, photo, reasons, spooled
from tests.support.loopback_servers import S3Server, WebServer


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
    assert "other than a web address" in told[f"{web.address}/file.jpg"]
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
