"""The queue of jobs: Huey's, on SQLite or on Redis, with the table that belongs to it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer
from redis import ConnectionPool

from ingest.jobs.redis_server import connect, forgets, told_plainly
from ingest.jobs.redis_table import RedisJobTable
from ingest.jobs.sqlite_table import SqliteJobTable
from ingest.jobs.table import JobTable
from search_core.settings import Settings
from search_core.system.database import sqlite_errors


class JobQueue:
    """Which job is next, and the table that says what each is.

    ``shared`` is whether workers on other machines may take from it too. Raises QueueUnavailable,
    and DiskFull where there is no room for a job.
    """

    def __init__(self, settings: Settings) -> None:
        self.shared = settings.queue is not None
        self._path = settings.jobs_path
        options = {"results": False, "serializer": _JsonSerializer()}
        self._pool: ConnectionPool | None = None
        self.table: JobTable
        self._huey: Huey
        if settings.queue is None:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            self.table = SqliteJobTable(settings.jobs_path)
            with self._told_plainly():
                self._huey = SqliteHuey("sightline", filename=str(self._path), **options)
        else:
            self._pool = pool = connect(settings.queue.get_secret_value())
            self.table = RedisJobTable(pool)
            self._huey = RedisHuey("sightline", connection_pool=pool, blocking=False, **options)
        self._enqueue = self._huey.task(name="perform")(_perform)

    def put(self, job_id: str) -> None:
        """Put a job at the end."""
        with self._told_plainly():
            self._enqueue(job_id)

    def take(self) -> str | None:
        """Take the job at the front; None when there is none."""
        with self._told_plainly():
            task = self._huey.dequeue()
        return None if task is None else str(task.args[0])

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        with self._told_plainly():
            return bool(self._huey.storage.queue_size() == 0)

    def clear(self) -> None:
        """Forget what waits; the table still knows it."""
        with self._told_plainly():
            self._huey.storage.flush_queue()

    def forgets(self) -> bool:
        """Whether jobs may be lost when what keeps the queue ends by accident."""
        return self._pool is not None and forgets(self._pool)

    def close(self) -> None:
        """Let go of files and connections."""
        self._huey.storage.close()
        self.table.close()

    def _told_plainly(self) -> AbstractContextManager[None]:
        return told_plainly() if self.shared else sqlite_errors(self._path)


def _perform(job_id: str) -> None:
    """Stand for a job in the queue; the worker that takes it knows what to do (see worker.py)."""


class _JsonSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: nothing is unpickled that comes over a network."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict()).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(**json.loads(bytes(data)))
