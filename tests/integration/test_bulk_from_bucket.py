"""A bulk insert into a Milvus server that keeps its data in a bucket: it reads the files there.

A machine runs one such server at a time, so this one cannot be asked for beside the other tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest

from benchmarks.index.milvus_server import ServerConfig, standalone
from search_core.encoders.base import EncoderIdentity
from search_core.indexes import IvfSq8
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.bulk_insert import BulkStorage
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.support.loopback_servers import S3Server

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif("SIGHTLINE_SOAK" not in os.environ, reason="40 s: make soak"),
]
ROWS, DIM = 2000, 16
KEY, SECRET, BUCKET = "somebody", "something-secret", "a-bucket"


class InBucket(ServerConfig):
    """A server whose data are in a bucket of the S3 server at ``port``."""

    def __init__(self, port: str) -> None:
        self._port = port
        super().__init__()

    def load_template(self) -> None:
        """Load the package's template, with the bucket in the place of the disk."""
        super().load_template()
        for line, wanted in (
            ("  storageType: local", "  storageType: minio"),
            ("  address: localhost # Address of MinIO/S3", "  address: 127.0.0.1"),
            ("  port: 9000 # Port of MinIO/S3", f"  port: {self._port}"),
            ("  accessKeyID: minioadmin", f"  accessKeyID: {KEY}"),
            ("  secretAccessKey: minioadmin", f"  secretAccessKey: {SECRET}"),
            ("  bucketName: a-bucket", f"  bucketName: {BUCKET}"),
        ):
            assert line in self.template_text
            self.template_text = self.template_text.replace(line, wanted)


def test_the_server_takes_in_what_lies_in_its_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: EncoderIdentity
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    vectors = clip_like_vectors(ROWS, DIM)
    entities = [make_entity(number) for number in range(ROWS)]
    with S3Server().running() as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
        bucket = boto3.client("s3", endpoint_url=s3.endpoint)
        bucket.create_bucket(Bucket=BUCKET)
        with standalone(tmp_path, InBucket(s3.endpoint.rpartition(":")[2])) as server:
            store = MilvusStore(Endpoint(f"http://127.0.0.1:{server.listen_port}", embedded=False))
            store.ensure_library("main", identity, index=IvfSq8(nlist=16))
            inserter = store.bulk_inserter(BulkStorage(f"s3://{BUCKET}/bulk"))
            inserter.insert("main", entities, vectors)
            assert store.count("main") == ROWS
            [hits] = store.search("main", vectors[3:4], k=1)
            assert hits[0].entity == entities[3]
            store.close()
        kept = [item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert any("index_files" in key for key in kept)  # the server's data are there indeed
    assert not [key for key in kept if key.startswith("bulk/")]
