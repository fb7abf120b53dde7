"""What is elsewhere after it was taken in: verified, repaired, tried and embedded again."""

from __future__ import annotations

import pytest

from ingest.curation.reembedding import reembed
from ingest.curation.repair import repair
from ingest.curation.verification import verify
from ingest.jobs.client import Jobs
from ingest.jobs.worker import run_worker
from ingest.ledger import Ledger
from ingest.sources.remote.files import RemoteFiles
from search_core.errors import UsageError
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.sources.remote.conftest import SECRET, Put, spooled
from tests.support.loopback_servers import S3Client
from tests.support.made_media import HistogramEncoder
from tests.support.queued import job_of


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
    assert repair(settings, store, findings, lambda _: encoder) == []
    assert list(verify(settings, store, ["main"])) == []
    assert spooled(settings) == []
    [photo] = [entity for entity in store.entities("main") if entity.media_type == "image"]
    (settings.data_dir / photo.thumbnail).unlink()
    put("a.jpg", (1, 200, 1))
    assert repair(settings, store, list(verify(settings, store, ["main"])), lambda _: encoder) == []
    assert list(verify(settings, store, ["main"])) == []
    [now] = [entity for entity in store.entities("main") if entity.media_type == "image"]
    assert now.source_id != photo.source_id  # the picture that is there now


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
