"""The table of jobs on a Redis server: each as JSON, and sorted sets that order them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from ingest.jobs.job import Job
from ingest.jobs.table import Change, JobTable
from search_core.errors import QueueUnavailable, in_words

_CONNECT_S = 5.0
_ANSWER_S = 15.0
_PREFIX = "sightline:queue"
#: All jobs and the open ones by their numbers, those that are over by when that was.
_ALL, _OPEN, _OVER = f"{_PREFIX}:all", f"{_PREFIX}:open", f"{_PREFIX}:over"
#: How many jobs there ever were.
_COUNT = f"{_PREFIX}:count"


class RedisJobTable(JobTable):
    """The jobs of one database of a Redis server, for workers on any machine.

    No connection is made before something is asked.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
            health_check_interval=30,
        )

    def _change(self, job_id: str, change: Change) -> bool:
        def step(pipe: Any) -> bool:
            found = _jobs([pipe.get(_key(job_id))])
            job = change(found[0] if found else None)
            if job is None:
                return False
            number = pipe.zscore(_ALL, job_id) or pipe.incr(_COUNT)
            pipe.multi()
            pipe.set(_key(job_id), job.to_text())
            pipe.zadd(_ALL, {job_id: number})
            pipe.zrem(_OPEN, job_id)
            pipe.zrem(_OVER, job_id)
            if job.is_open:
                pipe.zadd(_OPEN, {job_id: number})
            if job.finished_ms is not None:
                pipe.zadd(_OVER, {job_id: job.finished_ms})
            return True

        with _told_plainly():
            return bool(self._redis.transaction(step, _key(job_id), value_from_callable=True))

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        found = self._read([job_id])
        return found[0] if found else None

    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""
        with _told_plainly():
            return self._read(self._redis.zrange(_ALL, 0, limit - 1, desc=True) if limit else [])

    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""
        with _told_plainly():
            return self._read(self._redis.zrange(_OPEN, 0, -1))

    def count_finished(self, before_ms: int) -> int:
        """Return how many jobs were over before a moment, epoch milliseconds."""
        with _told_plainly():
            return int(self._redis.zcount(_OVER, "-inf", f"({before_ms}"))

    def remove_finished(self, before_ms: int) -> int:
        """Remove the jobs that were over before a moment; return how many those were."""
        with _told_plainly():
            found = self._redis.zrangebyscore(_OVER, "-inf", f"({before_ms}")
            return sum(self._remove(job_id.decode(), before_ms) for job_id in found)

    def _remove(self, job_id: str, before_ms: int) -> bool:
        """Remove a job, if it was not tried again meanwhile."""

        def step(pipe: Any) -> bool:
            finished_ms = pipe.zscore(_OVER, job_id)
            if finished_ms is None or finished_ms >= before_ms:
                return False
            pipe.multi()
            pipe.delete(_key(job_id))
            pipe.zrem(_ALL, job_id)
            pipe.zrem(_OVER, job_id)
            return True

        return bool(self._redis.transaction(step, _key(job_id), value_from_callable=True))

    def now_ms(self) -> int:
        """Return the server's time, epoch milliseconds."""
        with _told_plainly():
            seconds, micros = self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def forgets(self) -> bool:
        """Whether jobs may be lost: the server keeps no append-only file."""
        with _told_plainly():
            try:
                told = self._redis.info("persistence")
            except (NoPermissionError, ResponseError):  # some hosts do not tell
                return False
        return isinstance(told, dict) and told.get("aof_enabled") == 0

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _read(self, ids: Iterable[bytes | str]) -> list[Job]:
        keys = [_key(job_id) for job_id in ids]
        with _told_plainly():
            return _jobs(self._redis.mget(keys)) if keys else []


def _key(job_id: bytes | str) -> str:
    return f"{_PREFIX}:job:{job_id.decode() if isinstance(job_id, bytes) else job_id}"


def _jobs(texts: Iterable[Any]) -> list[Job]:
    return [Job.from_text(text) for text in texts if text is not None]


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Raise QueueUnavailable for whatever Redis raises."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise QueueUnavailable(
            "The job queue's Redis refuses this login: {reason}.",
            "Look at the name and the password in SIGHTLINE_QUEUE.",
            reason=in_words(error),
        ) from error
    except RedisError as error:
        raise QueueUnavailable(
            "The job queue's Redis does not answer: {error}.",
            "Look at SIGHTLINE_QUEUE, and whether that server runs.",
            error=in_words(error),
        ) from error
