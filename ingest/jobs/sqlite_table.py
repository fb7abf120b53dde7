"""The table of jobs in a SQLite file, for the processes of one machine."""

from __future__ import annotations

from pathlib import Path

from ingest.jobs.job import Job
from ingest.jobs.table import Change, JobTable
from search_core.system.database import Database
from search_core.system.machine import now_ms

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
