"""A queue on Redis: its server restarted in the middle of a job, and worker processes beside it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from pydantic import SecretStr

from ingest.jobs.client import Jobs
from ingest.jobs.worker import Timing, run_worker
from ingest.ledger import Ledger
from search_core.encoders.base import Embeddings, Pixels
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from search_core.system.cancellation import Stop
from tests.support.made_media import HistogramEncoder, make_photo
from tests.support.queued import job_of, report_of
from tests.support.redis_server import RedisServer

WORKER = Path(__file__).with_name("sharing_worker.py")
PHOTOS = 12
EAGER = Timing(idle_s=0.01, look_s=0.0)
#: As compose.yaml starts it, and as it comes.
KEEPS = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
FORGETS = ["--save", ""]


class WorkUntil(Protocol):
    def __call__(self, do: Callable[[], object], stop: Stop | None = None) -> None: ...


@pytest.fixture
def redis(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings
) -> Iterator[RedisServer]:
    """A Redis of the test's own that is the queue."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, *request.param)
    server.start()
    settings.queue = SecretStr(server.url)
    yield server
    server.kill()


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    with closing(Jobs(settings)) as jobs:
        yield jobs


class Interrupts(HistogramEncoder):
    """Does something in the middle of a job."""

    def __init__(self, do: Callable[[], object]) -> None:
        super().__init__()
        self._do = do
        self._batches = 0

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        self._batches += 1
        if self._batches == 4:
            self._do()
        return super().encode_pixels(pixels)


@pytest.fixture
def photos(media: Path, settings: Settings) -> Path:
    for number in range(PHOTOS):
        make_photo(media / f"{number}.png", (20 * number, 0, 0))
    settings.encoder.batch_size = 1
    return media


@pytest.fixture
def work(settings: Settings, store: MemoryStore) -> WorkUntil:
    """Let a worker do the jobs there are, and something happen in the middle of one."""

    def run(do: Callable[[], object], stop: Stop | None = None) -> None:
        run_worker(
            settings,
            stop=stop,
            store=store,
            encoder=Interrupts(do),
            until_idle=True,
            timing=EAGER,
        )

    return run


def assert_done_once(jobs: Jobs, job_id: str, store: MemoryStore) -> None:
    job = job_of(jobs, job_id)
    assert (job.state, job.attempts) == ("done", 1), job.message
    assert (report_of(job)["done"], store.count("main")) == (PHOTOS, PHOTOS)


@pytest.mark.parametrize(
    "redis", [pytest.param(KEEPS, id="keeps"), pytest.param(FORGETS, id="forgets")], indirect=True
)
def test_redis_restarted_in_the_middle_of_a_job(
    redis: RedisServer, jobs: Jobs, work: WorkUntil, photos: Path, store: MemoryStore
) -> None:
    def restart() -> None:
        redis.kill()
        redis.start()

    assert jobs.may_be_lost() == ("--appendonly" not in redis.options)
    job_id = jobs.submit_ingest([str(photos)], "main")
    work(restart)
    assert_done_once(jobs, job_id, store)
    assert [job.id for job in jobs.list()] == [job_id]


@pytest.mark.parametrize("redis", [pytest.param(KEEPS, id="keeps")], indirect=True)
def test_a_job_that_ends_while_redis_is_away_is_told_when_it_is_back(
    redis: RedisServer, jobs: Jobs, work: WorkUntil, photos: Path, store: MemoryStore
) -> None:
    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            if len(said) == 3:
                redis.start()

    said: list[str] = []
    told = Told()
    logging.getLogger("ingest.jobs.worker").addHandler(told)
    job_id, waiting = (jobs.submit_ingest([str(photos)], "main") for _ in range(2))
    try:
        work(redis.kill)
    finally:
        logging.getLogger("ingest.jobs.worker").removeHandler(told)
    assert len(said) >= 3
    assert all("Redis does not answer" in text and "never-shown" not in text for text in said)
    assert_done_once(jobs, job_id, store)
    assert report_of(job_of(jobs, waiting))["skipped"] == PHOTOS


@pytest.mark.parametrize("redis", [pytest.param(FORGETS, id="forgets")], indirect=True)
def test_a_job_that_redis_forgot_goes_to_the_next_worker(
    redis: RedisServer, jobs: Jobs, work: WorkUntil, photos: Path, store: MemoryStore
) -> None:
    def restart_and_stop() -> None:
        redis.kill()
        redis.start()
        stop.set()

    stop = threading.Event()
    job_id = jobs.submit_ingest([str(photos)], "main")
    work(restart_and_stop, stop=stop)
    assert job_of(jobs, job_id).state == "queued"
    assert store.count("main") < PHOTOS
    work(lambda: None)
    job = job_of(jobs, job_id)
    assert (job.state, job.attempts, store.count("main")) == ("done", 1, PHOTOS)


@pytest.mark.server
@pytest.mark.parametrize("redis", [pytest.param(FORGETS, id="forgets")], indirect=True)
def test_two_worker_processes_do_each_job_once(
    redis: RedisServer, jobs: Jobs, media: Path, settings: Settings, milvus_server_uri: str
) -> None:
    ids = []
    for job in range(6):
        folder = media / f"{job}"
        folder.mkdir()
        for photo in range(3):
            make_photo(folder / f"{photo}.png", (40 * job, 80 * photo, 0))
        ids.append(jobs.submit_ingest([str(folder)], "shared"))
    command = [sys.executable, str(WORKER), str(settings.data_dir), milvus_server_uri, redis.url]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    embedded = [int(worker.communicate(timeout=300)[0]) for worker in workers]
    found = [job_of(jobs, job_id) for job_id in ids]
    assert [job.state for job in found] == ["done"] * 6, [job.message for job in found]
    assert [(job.attempts, report_of(job)["done"]) for job in found] == [(1, 3)] * 6
    assert sum(embedded) == 18 and min(embedded) >= 3
    with closing(MilvusStore(Endpoint(milvus_server_uri, embedded=False))) as store:
        rows = Counter(entity.uri for entity in store.entities("shared", limit=1000))
        assert rows == {str(path): 1 for path in media.rglob("*.png")}
        assert store.count("shared") == 18
        store.drop_library("shared")
    with Ledger(settings.ledger_path) as ledger:
        assert ledger.counts("shared") == {"done": 18, "skipped": 0, "failed": 0}
