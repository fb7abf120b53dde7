"""Jobs from the side of those who ask: submitting, listing, cancelling, trying again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from ingest.jobs.requests import IngestRequest, Request
from ingest.jobs.table import Job, JobTable, RedisJobTable, SqliteJobTable
from ingest.options import EVERYTHING_USUAL, IngestOptions
from ingest.sources.remote.addresses import has_secrets
from search_core.errors import UsageError
from search_core.messages import Message
from search_core.schema.entity import is_address
from search_core.settings import Settings

#: How long `sightline prune` leaves jobs in the list after they are over.
KEPT = timedelta(days=90)


def open_table(settings: Settings) -> JobTable:
    """Return the jobs of the data directory, or those of the Redis that the settings name."""
    if settings.queue is not None:
        return RedisJobTable(settings.queue.get_secret_value())
    return SqliteJobTable(settings.jobs_path)


class Jobs:
    """The jobs of one queue: that of a data directory, or the one workers share.

    Every method raises QueueUnavailable when the queue cannot be reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._table = open_table(settings)

    def close(self) -> None:
        """Let go of files and connections."""
        self._table.close()

    def submit(self, request: Request) -> str:
        """Queue a job; return its id."""
        job = Job(
            id=secrets.token_hex(8),
            kind=request.kind,
            title=request.title,
            state="queued",
            progress=0.0,
            counts={},
            message="",
            created_ms=self._table.now_ms(),
            request=request.to_json(),
        )
        self._table.insert(job)
        return job.id

    def submit_ingest(
        self,
        paths: Sequence[str],
        library: str,
        options: IngestOptions = EVERYTHING_USUAL,
        *,
        correct_known: bool = False,
    ) -> str:
        """Queue an ingest; return the job's id.

        Raises UsageError for an address that holds secrets: a job is kept on disk.
        """
        if any(is_address(path) and has_secrets(path) for path in paths):
            raise UsageError(
                "An address with a password or a signature in it cannot become a job.",
                "`sightline ingest` fetches it and keeps the address without them.",
            )
        return self.submit(IngestRequest(tuple(paths), library, options, correct_known))

    def list(self, limit: int = 50) -> list[Job]:
        """Return jobs, newest first."""
        return self._table.newest(limit)

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        return self._table.get(job_id)

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; one that is running stops soon. False when it was over already."""
        over = {
            "state": "cancelled",
            "message": Message("cancelled before it started"),
            "finished_ms": self._table.now_ms(),
        }
        stopping = {"cancel": True, "message": Message("stopping")}
        # A job that is taken or given back between two steps is met by the next.
        return any(
            self._table.update(job_id, {"state": state}, changes)
            for state, changes in (("queued", over), ("running", stopping), ("queued", over))
        )

    def retry(self, job_id: str) -> bool:
        """Queue a job again that failed or was cancelled, before what was asked for after it.

        False when it is in another state.
        """
        anew = {
            "state": "queued",
            "message": "",
            "progress": 0.0,
            "counts": {},
            "report": None,
            "cancel": False,
            "attempts": 0,
            "started_ms": None,
            "finished_ms": None,
        }
        return any(
            self._table.update(job_id, {"state": state}, anew) for state in ("failed", "cancelled")
        )

    def may_be_lost(self) -> bool:
        """Whether waiting jobs are lost when the queue's server ends by accident."""
        return self._table.forgets()

    def forget_finished(self, *, dry_run: bool = False) -> int:
        """Forget the jobs that were over before KEPT, or only count them; return how many.

        What they made stays: rows, indexes, the folders of comparisons.
        """
        before_ms = self._table.now_ms() - round(KEPT.total_seconds() * 1000)
        if dry_run:
            return self._table.count_finished(before_ms)
        return self._table.remove_finished(before_ms)
