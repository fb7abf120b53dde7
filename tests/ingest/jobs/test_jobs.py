"""Jobs: asked for here, done by a worker, seen and cancelled from outside; on both queues."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.jobs.client import Jobs
from ingest.jobs.requests import CompareRequest, IndexRequest, IngestRequest, ReembedRequest
from ingest.options import IngestOptions
from search_core.errors import SettingsError
from search_core.indexes import Hnsw, index_spec_to_dict
from search_core.settings import Settings, load_settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import Work
from tests.support.made_media import HistogramEncoder, make_photo
from tests.support.queued import Calls, job_of, many_photos, options, report_of


def test_a_job_is_done_and_tells_how_it_went(
    jobs: Jobs, work: Work, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    (media / "b.png").touch()
    started = datetime(2024, 1, 2, tzinfo=UTC)
    job_id = jobs.submit_ingest(
        [str(media)], "main", IngestOptions("iframe", "gate", started, ("night",))
    )
    queued = job_of(jobs, job_id)
    assert (queued.state, queued.kind, queued.title, queued.progress) == (
        "queued",
        "ingest",
        "media",
        0,
    )
    work()
    job = job_of(jobs, job_id)
    assert (job.state, job.progress, job.attempts) == ("done", 1, 1)
    assert job.message == "1 done, 0 skipped, 1 failed, 1 keyframes"
    assert job.counts["total"] == job.counts["finished"] == 2
    assert report_of(job)["failures"][0]["reason"] == "is empty"
    assert job.started_ms is not None and job.finished_ms is not None
    assert job.created_ms <= job.started_ms <= job.finished_ms
    (entity,) = store.entities("main", limit=10)
    assert (entity.camera, entity.tags, entity.captured_from) == ("gate", ("night",), "given")


@pytest.mark.parametrize(("alone", "camera"), [(None, "door"), (True, "door"), (False, "media")])
def test_a_job_reads_names_as_the_ingest_that_it_repeats(
    jobs: Jobs, work: Work, media: Path, store: MemoryStore, alone: bool | None, camera: str
) -> None:
    path = str(make_photo(media / "door.png"))
    jobs.submit(IngestRequest((path,), "main", IngestOptions(alone=alone)))
    work()
    (entity,) = store.entities("main", limit=10)
    assert entity.camera == camera


def test_jobs_are_done_in_order_and_listed_newest_first(
    jobs: Jobs, work: Work, media: Path
) -> None:
    make_photo(media / "a.png")
    ids = [jobs.submit_ingest([str(media)], "main") for _ in range(3)]
    work()
    assert [job.id for job in jobs.list()] == ids[::-1]
    assert [report_of(job_of(jobs, job_id))["done"] for job_id in ids] == [1, 0, 0]
    assert len(jobs.list(limit=2)) == 2


def test_a_name_that_is_no_unicode_is_told_of(
    jobs: Jobs, work: Work, media: Path, store: MemoryStore
) -> None:
    path = media / os.fsdecode(b"\xff.png")
    make_photo(media / "a.png")
    (media / "a.png").rename(path)
    job_id = jobs.submit_ingest([str(path)], "main")
    work()
    assert "not valid UTF-8" in report_of(job_of(jobs, job_id))["failures"][0]["reason"]


def test_a_waiting_job_can_be_cancelled_and_tried_again(
    jobs: Jobs, work: Work, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    assert not jobs.retry(job_id)
    assert jobs.cancel(job_id)
    work()
    assert job_of(jobs, job_id).state == "cancelled"
    assert store.libraries() == []
    assert not jobs.cancel(job_id)
    assert jobs.retry(job_id)
    assert (job_of(jobs, job_id).state, job_of(jobs, job_id).finished_ms) == ("queued", None)
    work()
    assert report_of(job_of(jobs, job_id))["done"] == 1
    assert not jobs.retry(job_id)


def test_a_running_job_can_be_cancelled_and_goes_on_where_it_was(
    jobs: Jobs, work: Work, media: Path, settings: Settings, store: MemoryStore
) -> None:
    many_photos(media, settings)
    job_id = jobs.submit_ingest([str(media)], "main")
    work(encoder=Calls(3, lambda: jobs.cancel(job_id)))
    job = job_of(jobs, job_id)
    assert job.state == "cancelled" and "what was done is kept" in job.message
    assert report_of(job)["done"] < 30
    assert jobs.retry(job_id)
    work()
    job = job_of(jobs, job_id)
    assert (job.state, report_of(job)["done"] + report_of(job)["skipped"]) == ("done", 30)
    assert store.count("main") == 30


def test_a_job_that_cannot_be_fails_with_the_reason_and_the_next_is_done(
    jobs: Jobs, work: Work, media: Path
) -> None:
    make_photo(media / "a.png")
    bad = jobs.submit_ingest([str(media)], "main", IngestOptions("all of them"))
    good = jobs.submit_ingest([str(media)], "main")
    work()
    assert job_of(jobs, bad).state == "failed" and "interval:SECONDS" in job_of(jobs, bad).message
    assert job_of(jobs, good).state == "done"


def test_a_failed_job_can_be_tried_again(
    jobs: Jobs, work: Work, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    other = HistogramEncoder("b" * 32)
    store.ensure_library("main", other.identity)
    job_id = jobs.submit_ingest([str(media)], "main")
    work()
    assert job_of(jobs, job_id).state == "failed" and "vectors of" in job_of(jobs, job_id).message
    assert jobs.retry(job_id)
    work(encoder=other)
    assert job_of(jobs, job_id).state == "done"


def test_requests_come_out_of_the_queue_as_they_went_in(jobs: Jobs, settings: Settings) -> None:
    for request in (
        IngestRequest(
            ("/a", "/b"),
            "main",
            IngestOptions("auto", "gate", datetime(2024, 1, 2, tzinfo=UTC), ("x",), alone=True),
        ),
        IndexRequest("main", index_spec_to_dict(Hnsw(m=8)), {"ef": 9}),
        CompareRequest("main", options("1%", max_rows=None)),
        ReembedRequest("main", "ViT-B-32", "laion2b_s34b_b79k"),
    ):
        job = job_of(jobs, jobs.submit(request))
        assert type(request).from_json(job.request) == request
        assert job.title == request.title


def test_a_queue_that_is_no_redis_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_QUEUE", "amqp://me:never-shown@host/")
    with pytest.raises(SettingsError, match="queue: ") as raised:
        load_settings()
    assert "never-shown" not in str(raised.value)


def test_a_queue_is_shown_without_its_password(settings: Settings) -> None:
    assert "never-shown" not in settings.queue_shown
    assert "never-shown" not in repr(settings)
