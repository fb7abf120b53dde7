"""Jobs from a worker's side: taking one, saying that it goes on, and how it ended.

Nothing is lost with a worker: a job that it took is running in the table, and says there when it
was last heard of. Another worker queues it again once that is too long ago.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from ingest.jobs.job import Job, JobState
from ingest.jobs.queue import JobQueue
from search_core.messages import Message
from search_core.settings import Settings

#: A worker that was not heard of for so long is taken for dead where others share its queue.
BELIEVED_MS = 60_000
#: A job whose worker died so many times is not tried again: the job is what kills it.
MOST_ATTEMPTS = 3


class Claims:
    """What a worker takes its jobs from. Raises QueueUnavailable."""

    def __init__(self, settings: Settings, believed_ms: int = BELIEVED_MS) -> None:
        self._queue = JobQueue(settings)
        self._table = self._queue.table
        self._believed_ms = believed_ms
        self._looked_ms = 0

    def close(self) -> None:
        """Let go of files and connections."""
        self._queue.close()

    def begin(self) -> None:
        """Take up what earlier workers left, oldest first, before what was queued since."""
        if not self._queue.shared:
            self._queue.clear()
        self._take_up_again()

    def next(self) -> Claim | None:
        """Return the next job, now this worker's; None when there is none to do."""
        if self._queue.shared and self._table.now_ms() - self._looked_ms >= self._believed_ms:
            self._take_up_again()
        while True:
            job_id = self._queue.take()
            if job_id is None and not self._take_up_again():
                return None
            if job_id is not None and (claim := self._claim(job_id)) is not None:
                return claim

    def _take_up_again(self) -> bool:
        """Queue what dead workers left, and what the queue lost; return whether there was any.

        A queue that is not shared has this worker alone: whatever runs there runs no more.
        """
        self._looked_ms = self._table.now_ms()
        running = [job for job in self._table.open() if job.state == "running"]
        waiting = [job.id for job in running if self._is_left(job) and self._put_back(job)]
        if self._queue.is_empty():
            # A worker may die between taking a job from the queue and claiming it, and whoever
            # submits one between writing it down and queueing it. Queued twice, it is done once.
            waiting = [job.id for job in self._table.open() if job.state == "queued"]
        for job_id in waiting:
            self._queue.put(job_id)
        return bool(waiting)

    def _is_left(self, job: Job) -> bool:
        """Whether nobody works on a running job any more."""
        silent_ms = self._looked_ms - (job.beat_ms or 0)
        return not self._queue.shared or silent_ms >= self._believed_ms

    def _put_back(self, job: Job) -> bool:
        """Take a running job from a worker that is gone; return whether it is to be done again."""
        changes: dict[str, Any]
        if job.cancel:
            changes = {"state": "cancelled", "message": Message("cancelled")}
        elif job.attempts >= MOST_ATTEMPTS:
            why = Message(
                "its worker ended in the middle of it {count} times; it is not tried again",
                count=job.attempts,
            )
            changes = {"state": "failed", "message": why}
        else:
            changes = {
                "state": "queued",
                "message": Message("taken up again: its worker had ended"),
            }
        if changes["state"] != "queued":
            changes["finished_ms"] = self._table.now_ms()
        where = {"state": "running", "worker": job.worker, "beat_ms": job.beat_ms}
        return self._table.update(job.id, where, changes) and changes["state"] == "queued"

    def _claim(self, job_id: str) -> Claim | None:
        """Make a queued job this worker's; None when it is another's or over."""
        job = self._table.get(job_id)
        if job is None or job.state != "queued":
            return None
        now_ms = self._table.now_ms()
        changes: dict[str, Any] = {
            "state": "running",
            "message": Message("starting"),
            "attempts": job.attempts + 1,
            "worker": secrets.token_hex(8),
            "beat_ms": now_ms,
            "started_ms": job.started_ms or now_ms,
        }
        untaken = {"state": "queued", "attempts": job.attempts}
        if not self._table.update(job_id, untaken, changes):
            return None
        return Claim(self._queue, replace(job, **changes))


class Claim:
    """A job in a worker's hands. What it writes counts only as long as the job is its own.

    Where the queue has forgotten the job, as a Redis that keeps nothing does when it is started
    again, the worker tells it again.
    """

    def __init__(self, queue: JobQueue, job: Job) -> None:
        self._queue = queue
        self._table = queue.table
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
        if self._write({"state": "queued", "message": message, "attempts": attempts}):
            self._queue.put(self.job.id)

    def _write(self, changes: dict[str, Any]) -> bool:
        written = self._table.update(self.job.id, self._mine, changes)
        if not written and self._table.get(self.job.id) is None:
            self._table.insert(self.job)
            written = self._table.update(self.job.id, self._mine, changes)
        self.is_lost = not written
        return written
