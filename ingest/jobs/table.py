"""What a table of jobs is; SQLite and Redis each have one."""

from __future__ import annotations

from typing import Protocol

from ingest.jobs.job import Fields, Job


class JobTable(Protocol):
    """Jobs by their ids, changed under conditions, so that many processes may share them.

    Raises QueueUnavailable when it cannot be reached.
    """

    def insert(self, job: Job) -> None:
        """Add a job, newer than all there are; where there is one of its id, do nothing."""
        ...

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        ...

    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""
        ...

    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""
        ...

    def update(self, job_id: str, where: Fields, changes: Fields) -> bool:
        """Change these fields if those of ``where`` have these values; return whether they had.

        Looking and changing are one step: of several who try, one succeeds.
        """
        ...

    def count_finished(self, before_ms: int) -> int:
        """Return how many jobs were over before a moment, epoch milliseconds."""
        ...

    def remove_finished(self, before_ms: int) -> int:
        """Remove the jobs that were over before a moment; return how many those were."""
        ...

    def now_ms(self) -> int:
        """Return the time, epoch milliseconds, by a clock that all who share the table share."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
