"""The table of jobs, which is the queue as well: what waits longest is done next.

SQLite and Redis each have one. Whatever is to happen to a job is a change of its row under the
condition that the row is as it was seen, so that of several who try one succeeds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from ingest.jobs.job import Job

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
