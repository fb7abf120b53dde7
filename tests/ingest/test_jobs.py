"""Jobs: asked for here, done by a worker, seen and cancelled from outside."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from ingest.jobs import Jobs
from ingest.worker import run_worker
from search_core.errors import ServeError
from tests.ingest.made_media import make_photo


@pytest.fixture
def jobs(settings):
    jobs = Jobs(settings)
    yield jobs
    jobs.close()


@pytest.fixture
def work(settings, store, encoder):
    def run(**options):
        run_worker(settings, store=store, encoder=encoder, until_idle=True, **options)

    return run


def test_a_job_is_done_and_tells_how_it_went(jobs, work, media, store):
    make_photo(media / "a.png")
    (media / "b.png").touch()
    started = datetime(2024, 1, 2, tzinfo=UTC)
    job_id = jobs.submit_ingest([str(media)], "main", "gate", started, "iframe", ["night"])
    queued = jobs.get(job_id)
    assert (queued.state, queued.kind, queued.title, queued.progress) == (
        "queued",
        "ingest",
        "media",
        0,
    )
    work()
    job = jobs.get(job_id)
    assert (job.state, job.progress) == ("done", 1)
    assert job.message == "1 done, 0 skipped, 1 failed, 1 keyframes"
    assert job.counts["total"] == job.counts["finished"] == 2
    assert job.report["failures"][0]["reason"] == "is empty"
    assert job.created_ms <= job.started_ms <= job.finished_ms
    (entity,) = store.entities("main", limit=10)
    assert (entity.camera, entity.tags, entity.captured_from) == ("gate", ("night",), "given")


def test_jobs_are_done_in_order_and_listed_newest_first(jobs, work, media):
    make_photo(media / "a.png")
    ids = [jobs.submit_ingest([str(media)], "main") for _ in range(3)]
    work()
    assert [job.id for job in jobs.list()] == ids[::-1]
    assert [jobs.get(job_id).report["done"] for job_id in ids] == [1, 0, 0]
    assert len(jobs.list(limit=2)) == 2


def test_a_waiting_job_can_be_cancelled(jobs, work, media, store):
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    assert jobs.cancel(job_id)
    work()
    assert jobs.get(job_id).state == "cancelled"
    assert store.libraries() == []
    assert not jobs.cancel(job_id)


def test_a_running_job_can_be_cancelled(jobs, work, media, monkeypatch, settings):
    for number in range(30):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    settings.encoder.batch_size = 1
    monkeypatch.setattr("ingest.worker._LOOK_EVERY_S", 0.0)
    job_id = jobs.submit_ingest([str(media)], "main")
    report_progress = Jobs.report_progress

    def cancel_then_report(self, job, progress):
        if progress.done == 2:
            jobs.cancel(job)
        report_progress(self, job, progress)

    monkeypatch.setattr(Jobs, "report_progress", cancel_then_report)
    work()
    job = jobs.get(job_id)
    assert job.state == "cancelled" and "what was done is kept" in job.message
    assert 2 <= job.report["done"] < 30


def test_a_job_that_cannot_be_fails_with_the_reason_and_the_next_is_done(jobs, work, media):
    make_photo(media / "a.png")
    bad = jobs.submit_ingest([str(media)], "main", keyframes="all of them")
    good = jobs.submit_ingest([str(media)], "main")
    work()
    assert jobs.get(bad).state == "failed" and "interval:SECONDS" in jobs.get(bad).message
    assert jobs.get(good).state == "done"


def test_a_stopped_worker_leaves_its_job_to_the_next(jobs, media, settings, store, encoder):
    for number in range(30):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    stop = threading.Event()

    class StopsAfterOne:
        def __getattr__(self, name):
            return getattr(store, name)

        def upsert(self, *arguments):
            store.upsert(*arguments)
            stop.set()

    settings.encoder.batch_size = 1
    job_id = jobs.submit_ingest([str(media)], "main")
    run_worker(settings, stop=stop, store=StopsAfterOne(), encoder=encoder)
    assert jobs.get(job_id).state == "queued"
    assert 0 < store.count("main") < 30
    run_worker(settings, store=store, encoder=encoder, until_idle=True)
    assert jobs.get(job_id).state == "done"
    assert store.count("main") == 30


def test_a_job_of_a_killed_worker_is_taken_up_again(jobs, work, media):
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    assert jobs.claim(job_id) is not None  # a worker that took it, and was killed
    assert jobs.get(job_id).state == "running"
    work()
    assert jobs.get(job_id).state == "done"


def test_there_is_one_worker_per_data_directory(settings, store, encoder, monkeypatch):
    stop = threading.Event()
    started = threading.Event()
    monkeypatch.setattr(Jobs, "take_up_again", lambda self: started.set())
    first = threading.Thread(
        target=run_worker,
        args=(settings,),
        kwargs={"stop": stop, "store": store, "encoder": encoder},
    )
    first.start()
    assert started.wait(30)
    with pytest.raises(ServeError, match="already"):
        run_worker(settings, store=store, encoder=encoder, until_idle=True)
    stop.set()
    first.join()


def test_the_worker_process_ends_on_sigterm(tmp_path, tiny_model_dir, media):
    make_photo(media / "a.png")
    from search_core.settings import Settings

    jobs = Jobs(Settings(data_dir=tmp_path / "data"))
    job_id = jobs.submit_ingest([str(media)], "main")
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "ingest.worker", "--data-dir", str(tmp_path / "data")),
            *("--model", f"local-dir:{tiny_model_dir}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while jobs.get(job_id).state not in ("done", "failed") and worker.poll() is None:
            threading.Event().wait(0.05)
        assert jobs.get(job_id).state == "done", jobs.get(job_id).message
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        worker.kill()
        worker.communicate()
