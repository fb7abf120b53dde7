"""A real S3 server and a web server on loopback, and what is put there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import boto3
import pytest

from ingest.report import IngestReport
from search_core.settings import RemoteSettings, Settings
from tests.support.loopback_servers import S3Client, S3Server, WebServer
from tests.support.made_media import make_clip, make_photo

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
