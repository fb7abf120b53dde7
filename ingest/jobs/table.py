"""Jobs, as they are stored and shown, and the table of them, which is the queue as well.

What waits longest is done next. There is a table in a SQLite file, for the processes of one
machine, and one on a Redis server: each job as JSON, and sorted sets that order them. Whatever is
to happen to a job is a change of its row under the condition that the row is as it was seen, so
that of several who try one succeeds.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from search_core.errors import QueueUnavailable, in_words
from search_core.messages import restored, stored
from search_core.system.database import Database
from search_core.system.machine import now_ms

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    ``progress`` goes from 0 to 1. ``counts`` of an ingest has total, finished, done, skipped,
    failed sources and keyframes; ``message`` says what is being done, or how it ended. ``report``
    is what it did, once it is over. Times are epoch milliseconds of the queue's own clock.

    ``request`` is what was asked, ``cancel`` whether a running job is to stop, ``attempts`` how
    often a worker took it, ``worker`` the hold of the one that has it, and ``beat_ms`` when that
    one last said that it lives.
    """

    id: str
    kind: str
    title: str
    state: JobState
    progress: float
    counts: dict[str, int]
    message: str
    created_ms: int
    started_ms: int | None = None
    finished_ms: int | None = None
    report: dict[str, Any] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    cancel: bool = False
    attempts: int = 0
    worker: str = ""
    beat_ms: int | None = None

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Read what :meth:`to_text` wrote."""
        return cls(**restored(json.loads(text)))

    def to_text(self) -> str:
        """Return all of it as JSON, as tables store it."""
        return json.dumps(stored(self._values()))

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in ("queued", "running")

    def to_dict(self) -> dict[str, Any]:
        """Return what people are shown of it, as plain JSON values."""
        hidden = ("cancel", "worker", "beat_ms")
        return {name: value for name, value in self._values().items() if name not in hidden}

    def _values(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


#: Makes of a job, None where there is none, what it is to be; None for no change.
Change: TypeAlias = Callable[[Job | None], Job | None]


class JobTable(ABC):
    """Jobs by their ids, changed under conditions, so that many processes may share them.

    ``shared`` says that workers on other machines may share them too. Raises QueueUnavailable when
    it cannot be reached, and DiskFull where a job does not fit on the disk.
    """

    shared = False

    def insert(self, job: Job) -> None:
        """Add a job, newer than all there are; where there is one of its id, do nothing."""
        self._change(job.id, lambda there: job if there is None else None)

    def update(self, job_id: str, where: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
        """Change these fields if those of ``where`` have these values; return whether they had."""

        def changed(job: Job | None) -> Job | None:
            if job is None or any(getattr(job, name) != where[name] for name in where):
                return None
            return replace(job, **changes)

        return self._change(job_id, changed)

    @abstractmethod
    def _change(self, job_id: str, change: Change) -> bool:
        """Read a job and write what it is to be, in one step; return whether there was a change."""

    @abstractmethod
    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""

    @abstractmethod
    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""

    @abstractmethod
    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""

    @abstractmethod
    def count_finished(self, before_ms: int) -> int:
        """Return how many jobs were over before a moment, epoch milliseconds."""

    @abstractmethod
    def remove_finished(self, before_ms: int) -> int:
        """Remove the jobs that were over before a moment; return how many those were."""

    @abstractmethod
    def now_ms(self) -> int:
        """Return the time, epoch milliseconds, by a clock that all who share the table share."""

    @abstractmethod
    def forgets(self) -> bool:
        """Whether jobs may be lost when what keeps the table ends by accident."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""


#: The fourth script: files of before it have a table of other columns, and a queue beside it.
MIGRATIONS: tuple[str, ...] = (
    "",
    "",
    "",
    """
    DROP TABLE IF EXISTS jobs;
    DROP TABLE IF EXISTS task;
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        is_open INTEGER NOT NULL,
        finished_ms INTEGER,
        job TEXT NOT NULL
    );
    CREATE INDEX jobs_open ON jobs (number) WHERE is_open
    """,
)


class SqliteJobTable(JobTable):
    """The jobs of one data directory."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def _change(self, job_id: str, change: Change) -> bool:
        with self._database.writing() as connection:
            job = change(self.get(job_id))
            if job is not None:
                connection.execute(
                    "INSERT INTO jobs (id, is_open, finished_ms, job) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open,"
                    " finished_ms = excluded.finished_ms, job = excluded.job",
                    (job.id, job.is_open, job.finished_ms, job.to_text()),
                )
        return job is not None

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        return next(iter(self._jobs("WHERE id = ?", job_id)), None)

    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""
        return self._jobs("ORDER BY number DESC LIMIT ?", limit)

    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""
        return self._jobs("WHERE is_open ORDER BY number")

    def count_finished(self, before_ms: int) -> int:
        """Return how many jobs were over before a moment, epoch milliseconds."""
        query = "SELECT COUNT(*) FROM jobs WHERE finished_ms < ?"
        return int(self._database.read(query, (before_ms,))[0][0])

    def remove_finished(self, before_ms: int) -> int:
        """Remove the jobs that were over before a moment; return how many those were."""
        return self._database.write("DELETE FROM jobs WHERE finished_ms < ?", (before_ms,))

    def now_ms(self) -> int:
        """Return the time, epoch milliseconds."""
        return now_ms()

    def forgets(self) -> bool:
        """Whether jobs may be lost: a file keeps them."""
        return False

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _jobs(self, which: str, *values: object) -> list[Job]:
        rows = self._database.read(f"SELECT job FROM jobs {which}", values)  # noqa: S608
        return [Job.from_text(text) for (text,) in rows]


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
