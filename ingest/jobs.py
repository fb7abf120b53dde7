"""Jobs: ingests asked for in one process (the dashboard) and done in another (the worker).

A Huey queue and a table of jobs share one SQLite file. The queue says what is next, the table says
how far each job is. Importing this loads no decoder and no torch.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal

from huey import SqliteHuey

from ingest.database import Database
from ingest.outcomes import IngestReport, Progress
from search_core.settings import Settings

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        request TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued',
        progress REAL NOT NULL DEFAULT 0,
        counts TEXT NOT NULL DEFAULT '{}',
        message TEXT NOT NULL DEFAULT '',
        report TEXT,
        cancel INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL,
        started_ms INTEGER,
        finished_ms INTEGER
    );
    CREATE INDEX jobs_newest ON jobs (created_ms)
    """,
)
_COLUMNS = (
    "id, kind, title, state, progress, counts, message, report, created_ms, started_ms, finished_ms"
)


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What an ingest job was asked to do; ``started_at`` is ISO 8601."""

    paths: tuple[str, ...]
    library: str
    camera: str | None = None
    started_at: str | None = None
    keyframes: str = "auto"
    tags: tuple[str, ...] = ()

    @property
    def started(self) -> datetime | None:
        """``started_at`` as a moment."""
        return datetime.fromisoformat(self.started_at) if self.started_at else None


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the dashboard shows it.

    ``progress`` goes from 0 to 1. ``counts`` has total, finished, done, skipped, failed sources and
    keyframes. ``report`` is the ingest's report once there is one. Times are epoch milliseconds.
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
    report: dict[str, Any] | None = field(default=None)


class Jobs:
    """The jobs of one data directory.

    ``perform`` does a job that was claimed, by its id; only the worker gives one.
    """

    def __init__(self, settings: Settings, perform: Callable[[str], None] | None = None) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._database = Database(settings.jobs_path, MIGRATIONS)
        self._huey = SqliteHuey("sightline", filename=str(settings.jobs_path), results=False)

        def perform_job(job_id: str) -> None:
            if perform is not None:
                perform(job_id)

        self._enqueue: Callable[[str], Any] = self._huey.task(name="perform_job")(perform_job)

    def close(self) -> None:
        """Close the files."""
        self._huey.storage.close()
        self._database.close()

    def submit_ingest(
        self,
        paths: Sequence[str],
        library: str,
        camera: str | None = None,
        started_at: datetime | None = None,
        keyframes: str = "auto",
        tags: Sequence[str] = (),
    ) -> str:
        """Queue an ingest; return the job's id."""
        request = IngestRequest(
            paths=tuple(paths),
            library=library,
            camera=camera,
            started_at=started_at.isoformat() if started_at else None,
            keyframes=keyframes,
            tags=tuple(tags),
        )
        job_id = secrets.token_hex(8)
        self._database.write(
            "INSERT INTO jobs (id, kind, title, request, created_ms) VALUES (?, ?, ?, ?, ?)",
            (job_id, "ingest", _title(request.paths), json.dumps(asdict(request)), _now_ms()),
        )
        self._enqueue(job_id)
        return job_id

    def list(self, limit: int = 50) -> list[Job]:
        """Return jobs, newest first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM jobs ORDER BY created_ms DESC, rowid DESC LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [_job(row) for row in rows]

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM jobs WHERE id = ?",  # noqa: S608
            (job_id,),
        )
        return _job(rows[0]) if rows else None

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; one that is running stops soon. False when it was over already."""
        now = _now_ms()
        with self._database.writing() as connection:
            waiting = connection.execute(
                "UPDATE jobs SET state = 'cancelled', message = 'cancelled before it started',"
                " finished_ms = ? WHERE id = ? AND state = 'queued'",
                (now, job_id),
            )
            running = connection.execute(
                "UPDATE jobs SET cancel = 1, message = 'stopping' WHERE id = ?"
                " AND state = 'running'",
                (job_id,),
            )
            return waiting.rowcount + running.rowcount > 0

    # What follows is the worker's side.

    def take_up_again(self) -> None:
        """Queue every job that is not over, oldest first: those a stopped worker left behind.

        To be called by a worker that knows it is the only one, before it begins.
        """
        self._huey.storage.flush_queue()
        self._database.write(
            "UPDATE jobs SET state = 'cancelled', message = 'cancelled', finished_ms = ?"
            " WHERE state = 'running' AND cancel",
            (_now_ms(),),
        )
        self._database.write("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
        for (job_id,) in self._database.read(
            "SELECT id FROM jobs WHERE state = 'queued' ORDER BY created_ms, rowid"
        ):
            self._enqueue(job_id)

    def run_next(self) -> bool:
        """Perform the next job in the queue; False when there is none."""
        task = self._huey.dequeue()
        if task is None:
            return False
        self._huey.execute(task)
        return True

    def claim(self, job_id: str) -> IngestRequest | None:
        """Mark a queued job as running and return its request; None when it was cancelled."""
        claimed = self._database.write(
            "UPDATE jobs SET state = 'running', message = 'starting',"
            " started_ms = coalesce(started_ms, ?) WHERE id = ? AND state = 'queued'",
            (_now_ms(), job_id),
        )
        if not claimed:
            return None
        ((request,),) = self._database.read("SELECT request FROM jobs WHERE id = ?", (job_id,))
        fields = json.loads(request)
        fields["paths"], fields["tags"] = tuple(fields["paths"]), tuple(fields["tags"])
        return IngestRequest(**fields)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody asked a running job to stop."""
        rows = self._database.read("SELECT cancel FROM jobs WHERE id = ?", (job_id,))
        return bool(rows and rows[0][0])

    def report_progress(self, job_id: str, progress: Progress) -> None:
        """Write how far a running job is."""
        counts = {
            "total": progress.sources_total,
            "finished": progress.sources_finished,
            "done": progress.done,
            "skipped": progress.skipped,
            "failed": progress.failed,
            "keyframes": progress.keyframes,
        }
        self._database.write(
            "UPDATE jobs SET progress = ?, counts = ?, message = ?"
            " WHERE id = ? AND state = 'running'",
            (
                progress.sources_finished / max(1, progress.sources_total),
                json.dumps(counts),
                progress.current,
                job_id,
            ),
        )

    def finish(
        self, job_id: str, state: JobState, message: str, report: IngestReport | None = None
    ) -> None:
        """Write how a job ended; "queued" puts it back for the next worker."""
        over = state != "queued"
        self._database.write(
            "UPDATE jobs SET state = ?, message = ?, report = ?, finished_ms = ?,"
            " progress = CASE WHEN ? = 'done' THEN 1 ELSE progress END WHERE id = ?",
            (
                state,
                message,
                json.dumps(report.to_json()) if report is not None else None,
                _now_ms() if over else None,
                state,
                job_id,
            ),
        )


def _job(row: tuple[Any, ...]) -> Job:
    job_id, kind, title, state, progress, counts, message, report, created, started, finished = row
    return Job(
        id=job_id,
        kind=kind,
        title=title,
        state=state,
        progress=progress,
        counts=json.loads(counts),
        message=message,
        created_ms=created,
        started_ms=started,
        finished_ms=finished,
        report=json.loads(report) if report else None,
    )


def _title(paths: Sequence[str]) -> str:
    first = PurePath(paths[0]).name or paths[0] if paths else "nothing"
    return first if len(paths) <= 1 else f"{first} and {len(paths) - 1} more"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
