"""Files for a bulk insert in a bucket: a real S3 server (moto's) on loopback.

The Milvus server of the tests reads its own disk only, so that what it takes in from a bucket is
not tested here; what lies in the bucket, and under which name the server is told of it, is.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest

from search_core.errors import SettingsError, StoreError
from search_core.store.milvus.bulk_insert import BulkStorage, columns
from tests.conftest import clip_like_vectors, make_entity
from tests.support.loopback_servers import S3Client, S3Server
from tests.support.waiting import free_port

SECRET = "not-to-be-seen-anywhere"
ROWS = columns([make_entity(number) for number in range(50)], clip_like_vectors(50, 16))


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with S3Server().running() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """An empty bucket, and credentials for it in the environment as AWS's own tools read them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    client = boto3.client("s3")
    client.create_bucket(Bucket="milvus")
    yield client
    for key in keys(client):
        client.delete_object(Bucket="milvus", Key=key)
    client.delete_bucket(Bucket="milvus")


def keys(client: S3Client) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="milvus").get("Contents", [])]


@pytest.mark.parametrize(("address", "prefix"), [("s3://milvus", ""), ("s3://milvus/a/b/", "a/b/")])
def test_the_file_lies_under_the_key_that_the_server_is_told(
    bucket: S3Client, address: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with BulkStorage(address).file(ROWS) as told:
        assert keys(bucket) == [told]
        assert told.startswith(f"{prefix}sightline-bulk/") and told.endswith(".parquet")
        body = bucket.get_object(Bucket="milvus", Key=told)["Body"].read()
        assert pq.read_table(io.BytesIO(body)).equals(ROWS)
    assert keys(bucket) == []
    assert SECRET not in caplog.text


def test_a_server_that_refuses_the_file_leaves_none_behind(bucket: S3Client) -> None:
    with pytest.raises(StoreError, match="no"), BulkStorage("s3://milvus/x").file(ROWS):
        assert keys(bucket)
        raise StoreError("no", "")
    assert keys(bucket) == []


def test_what_a_killed_process_left_goes_after_a_day(
    bucket: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = BulkStorage("s3://milvus/x")
    bucket.put_object(Bucket="milvus", Key="x/sightline-bulk/left.parquet", Body=b"rows")
    bucket.put_object(Bucket="milvus", Key="x/others.parquet", Body=b"not ours")
    storage.remove_leftovers()
    assert len(keys(bucket)) == 2
    monkeypatch.setattr("search_core.store.milvus.bulk_insert._LEFTOVER_S", -60)
    storage.remove_leftovers()
    assert keys(bucket) == ["x/others.parquet"]


def test_what_a_bucket_says_no_with_is_told_and_no_bucket_is_made(
    bucket: S3Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(address: str) -> str:
        refused = pytest.raises(StoreError, match=f"cannot be written to {address}: ")
        with refused as raised, BulkStorage(address).file(ROWS):
            pass
        assert "SIGHTLINE_MILVUS_BULK_STORAGE" in raised.value.hint
        assert SECRET not in f"{raised.value.message} {raised.value.hint}"
        return raised.value.message

    assert "bucket" in failing("s3://mistyped/x")
    assert [item["Name"] for item in bucket.list_buckets()["Buckets"]] == ["milvus"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert "onnect" in failing("s3://milvus/x")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "credentials" in failing("s3://milvus/x")


def test_credentials_in_the_address_are_refused(bucket: S3Client) -> None:
    with pytest.raises(SettingsError, match="credentials") as raised:
        BulkStorage(f"s3://somebody:{SECRET}@milvus/x")
    assert SECRET not in str(raised.value)
