"""Both sides of a queue of jobs: who asks for them, and the workers that take them.

Those who ask submit, list, cancel and try again. A worker takes one, says that it goes on, and how
it ended. Nothing is lost with a worker: a job that it took is running in the table, and says there
when the worker was last heard of. Another worker takes it once that is too long ago.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ingest.jobs.requests import IngestRequest, Request
from ingest.jobs.table import Job, JobState, JobTable, RedisJobTable, SqliteJobTable
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


#: A worker that was not heard of for so long is taken for dead where others share its queue.
BELIEVED_MS = 60_000
#: A job whose worker died so many times is not tried again: the job is what kills it.
MOST_ATTEMPTS = 3


class Claims:
    """What a worker takes its jobs from; raises QueueUnavailable, also when it is made."""

    def __init__(self, settings: Settings, believed_ms: int = BELIEVED_MS) -> None:
        self._table = open_table(settings)
        self._believed_ms = believed_ms
        self._table.now_ms()

    def close(self) -> None:
        """Let go of files and connections."""
        self._table.close()

    def next(self) -> Claim | None:
        """Return the oldest job to do, now this worker's; None when there is none.

        It is one that waits, or that a dead worker left.
        """
        for job in self._table.open():
            if (job.state == "queued" or self._is_left(job)) and (claim := self._claim(job)):
                return claim
        return None

    def _is_left(self, job: Job) -> bool:
        """Whether nobody works on a running job any more.

        A queue that is not shared has this worker alone: whatever runs there runs no more.
        """
        silent_ms = self._table.now_ms() - (job.beat_ms or 0)
        return not self._table.shared or silent_ms >= self._believed_ms

    def _claim(self, job: Job) -> Claim | None:
        """Make a job this worker's; None when another was faster, or it is not to be done."""
        now_ms, left = self._table.now_ms(), job.state == "running"
        changes: dict[str, Any]
        if job.cancel:
            changes = {"state": "cancelled", "message": Message("cancelled")}
        elif left and job.attempts >= MOST_ATTEMPTS:
            why = Message(
                "its worker ended in the middle of it {count} times; it is not tried again",
                count=job.attempts,
            )
            changes = {"state": "failed", "message": why}
        else:
            again = Message("taken up again: its worker had ended")
            changes = {
                "state": "running",
                "message": again if left else Message("starting"),
                "attempts": job.attempts + 1,
                "worker": secrets.token_hex(8),
                "beat_ms": now_ms,
                "started_ms": job.started_ms or now_ms,
            }
        if changes["state"] != "running":
            changes["finished_ms"] = now_ms
        seen = {name: getattr(job, name) for name in ("state", "worker", "attempts", "beat_ms")}
        if not self._table.update(job.id, seen, changes) or changes["state"] != "running":
            return None
        return Claim(self._table, replace(job, **changes))


class Claim:
    """A job in a worker's hands. What it writes counts only as long as the job is its own.

    Where the table has forgotten the job, as a Redis that keeps nothing does when it is started
    again, the worker tells it again.
    """

    def __init__(self, table: JobTable, job: Job) -> None:
        self._table = table
        self._mine = {"state": "running", "worker": job.worker}
        self.job = job
        #: Whether the job was given to another worker, because this one was not heard of.
        self.is_lost = False

    def beat(self) -> None:
        """Say that the worker lives."""
        self._write({"beat_ms": self._table.now_ms()})

    def is_cancelled(self) -> bool:
        """Whether somebody asked the job to stop."""
        job = self._table.get(self.job.id)
        return job is not None and job.cancel

    def report_progress(self, share: float, message: str, counts: dict[str, int]) -> None:
        """Write how far the job is: a share from 0 to 1, in words, and in numbers."""
        self._write({"progress": share, "message": message, "counts": counts})

    def finish(
        self,
        state: JobState,
        message: str,
        report: dict[str, Any] | None,
        counts: dict[str, int],
    ) -> None:
        """Write how the job ended, with its last counts: what told them before may have failed."""
        changes = {
            "state": state,
            "message": message,
            "report": report,
            "counts": counts,
            "finished_ms": self._table.now_ms(),
        }
        self._write(changes | ({"progress": 1.0} if state == "done" else {}))

    def give_back(self, message: str) -> None:
        """Queue the job again, for the next worker; the attempt does not count."""
        attempts = self.job.attempts - 1
        self._write({"state": "queued", "message": message, "attempts": attempts})

    def _write(self, changes: dict[str, Any]) -> None:
        written = self._table.update(self.job.id, self._mine, changes)
        if not written and self._table.get(self.job.id) is None:
            self._table.insert(self.job)
            written = self._table.update(self.job.id, self._mine, changes)
        self.is_lost = not written
