"""Workers that are stopped, killed, taken for dead, or several: no job is lost or done twice."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingest.jobs.client import Claim, Claims, Jobs
from ingest.jobs.worker import Timing, run_worker
from search_core.encoders.base import Embeddings, Pixels
from search_core.errors import QueueUnavailable, ServeError
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from tests.ingest.conftest import Work
from tests.support.made_media import HistogramEncoder, make_photo
from tests.support.queued import EAGER, Calls, job_of, many_photos, report_of
from tests.support.waiting import free_port


def claimed(settings: Settings) -> Claim | None:
    """Let a worker take the next job and be killed; return its claim, None where there was none."""
    claims = Claims(settings, believed_ms=0)
    claim = claims.next()
    claims.close()
    return claim


def test_a_stopped_worker_leaves_its_job_to_the_next(
    jobs: Jobs, work: Work, media: Path, settings: Settings, store: MemoryStore
) -> None:
    many_photos(media, settings)
    stop = threading.Event()
    job_id = jobs.submit_ingest([str(media)], "main")
    for _ in range(4):  # being stopped is nobody's fault, however often
        stop.clear()
        work(stop=stop, encoder=Calls(2, stop.set))
        assert job_of(jobs, job_id).state == "queued"
    assert store.count("main") < 30
    work()
    assert (job_of(jobs, job_id).state, store.count("main")) == ("done", 30)


def test_a_job_of_a_killed_worker_is_taken_up_again(
    jobs: Jobs, work: Work, media: Path, settings: Settings
) -> None:
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    assert claimed(settings) is not None
    assert job_of(jobs, job_id).state == "running"
    work()
    assert (job_of(jobs, job_id).state, job_of(jobs, job_id).attempts) == ("done", 2)


def test_a_job_that_kills_its_workers_fails_at_last(
    jobs: Jobs, work: Work, media: Path, settings: Settings
) -> None:
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    for _ in range(3):
        assert claimed(settings) is not None
    assert claimed(settings) is None
    job = job_of(jobs, job_id)
    assert job.state == "failed" and "3 times" in job.message
    assert jobs.retry(job_id)
    work()
    assert (job_of(jobs, job_id).state, job_of(jobs, job_id).attempts) == ("done", 1)


def test_a_running_job_cancelled_while_its_worker_is_dead_is_not_begun_again(
    jobs: Jobs, work: Work, media: Path, settings: Settings
) -> None:
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    claimed(settings)
    assert jobs.cancel(job_id)
    work()
    assert job_of(jobs, job_id).state == "cancelled"


def test_a_worker_killed_in_the_middle_leaves_exactly_what_is_still_to_do(
    jobs: Jobs, media: Path, settings: Settings
) -> None:
    many_photos(media, settings, 12)
    job_id = jobs.submit_ingest([str(media)], "main")
    queue = settings.queue.get_secret_value() if settings.queue else ""
    killed = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "killed_worker.py"), str(settings.data_dir)],
        env={**os.environ, "SIGHTLINE_QUEUE": queue},
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert job_of(jobs, job_id).state == "running"
    store = MilvusStore(resolve_endpoint(settings))
    assert 0 < store.count("main") < 12
    run_worker(settings, store=store, encoder=HistogramEncoder(), until_idle=True, timing=EAGER)
    job = job_of(jobs, job_id)
    assert (job.state, job.attempts) == ("done", 2)
    entities = store.entities("main", limit=100)
    store.close()
    assert sorted(Path(entity.uri).name for entity in entities) == [
        f"{n:02}.png" for n in range(12)
    ]
    assert report_of(job)["done"] + report_of(job)["skipped"] == 12


class TestSharedByWorkers:
    """What only a queue on Redis allows."""

    @pytest.fixture
    def settings(self, settings: Settings, redis_url: str) -> Settings:
        if settings.queue is None:
            pytest.skip("a queue on SQLite has one worker")
        return settings

    def test_two_workers_do_each_job_once(
        self, jobs: Jobs, media: Path, settings: Settings
    ) -> None:
        ids = []
        for number in range(6):
            make_photo(media / f"{number}.png", (number * 40, 0, 0))
            ids.append(jobs.submit_ingest([str(media / f"{number}.png")], f"library_{number}"))
        both = threading.Barrier(2)
        store, did = MemoryStore(), {0: 0, 1: 0}

        class Meets(HistogramEncoder):
            """Waits, at its first job, until the other worker has one too."""

            def __init__(self, worker: int) -> None:
                super().__init__()
                self._worker = worker

            def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
                did[self._worker] += 1
                if did[self._worker] == 1:
                    both.wait(60)
                return super().encode_pixels(pixels)

        workers = [
            threading.Thread(
                target=run_worker,
                args=(settings,),
                kwargs={"store": store, "encoder": Meets(worker), "until_idle": True},
            )
            for worker in did
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sum(did.values()) == 6 and min(did.values()) >= 1
        found = [job_of(jobs, job_id) for job_id in ids]
        assert [(job.state, job.attempts, report_of(job)["done"]) for job in found] == [
            ("done", 1, 1)
        ] * 6

    def test_a_worker_that_beats_keeps_its_job(
        self, jobs: Jobs, media: Path, settings: Settings, work: Work
    ) -> None:
        make_photo(media / "a.png")
        job_id = jobs.submit_ingest([str(media)], "main")
        claim = claimed(settings)
        assert claim is not None
        work(timing=Timing(look_s=0.0))
        job = job_of(jobs, job_id)
        assert (job.state, job.worker) == ("running", claim._mine["worker"])

    def test_a_worker_taken_for_dead_does_not_write_over_the_next(
        self, jobs: Jobs, media: Path, settings: Settings, work: Work, store: MemoryStore
    ) -> None:
        many_photos(media, settings)
        job_id = jobs.submit_ingest([str(media)], "main")
        # In the middle of the first worker's job another finds it silent, and does all of it.
        work(encoder=Calls(3, work))
        job = job_of(jobs, job_id)
        assert (job.state, job.attempts, store.count("main")) == ("done", 2, 30)
        assert report_of(job)["done"] + report_of(job)["skipped"] == 30

    def test_a_queue_that_cannot_be_reached_is_told_at_the_start(
        self, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
    ) -> None:
        settings.queue = SecretStr(f"redis://:never-shown@127.0.0.1:{free_port()}/0")
        with pytest.raises(QueueUnavailable, match="does not answer"):
            run_worker(settings, store=store, encoder=encoder, until_idle=True)


def test_there_is_one_worker_per_data_directory_of_its_own(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    if settings.queue is not None:
        pytest.skip("workers that share a queue are many")
    started = threading.Event()

    class Asked(threading.Event):
        def is_set(self) -> bool:
            started.set()
            return super().is_set()

    stop = Asked()
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


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_worker_process_ends_on_sigterm(
    jobs: Jobs, settings: Settings, tiny_model_dir: Path, media: Path
) -> None:
    make_photo(media / "a.png")
    job_id = jobs.submit_ingest([str(media)], "main")
    queue = settings.queue.get_secret_value() if settings.queue else ""
    worker = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "sightline.cli.main",
                "worker",
                "--data-dir",
                str(settings.data_dir),
            ),
            *("--model", f"local-dir:{tiny_model_dir}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SIGHTLINE_QUEUE": queue},
    )
    try:
        while job_of(jobs, job_id).state not in ("done", "failed") and worker.poll() is None:
            threading.Event().wait(0.05)
        assert job_of(jobs, job_id).state == "done", job_of(jobs, job_id).message
        os.kill(worker.pid, signal.SIGTERM)
        told = worker.communicate(timeout=60)[1]
        assert worker.returncode == 0
        assert "the jobs of" in told and "never-shown" not in told
    finally:
        worker.kill()
        worker.wait()
