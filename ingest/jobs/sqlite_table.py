"""The table of jobs in a SQLite file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.jobs.job import FIELDS, JSON_FIELDS, OPEN_STATES, Fields, Job
from search_core.messages import restored, stored
from search_core.system.clock import now_ms
from search_core.system.database import Database

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
    """
    ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN worker TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN beat_ms INTEGER
    """,
    # A worker asks for what is open twice a second, however many are over.
    "CREATE INDEX jobs_state ON jobs (state)",
)
_SELECT = f"SELECT {', '.join(FIELDS)} FROM jobs"  # noqa: S608
_INSERT = (
    f"INSERT OR IGNORE INTO jobs ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})"  # noqa: S608
)


class SqliteJobTable:
    """The jobs of one data directory, for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def insert(self, job: Job) -> None:
        """Add a job, newer than all there are; where there is one of its id, do nothing."""
        self._database.write(_INSERT, [_stored(name, getattr(job, name)) for name in FIELDS])

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        rows = self._database.read(f"{_SELECT} WHERE id = ?", (job_id,))
        return _job(rows[0]) if rows else None

    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""
        rows = self._database.read(
            f"{_SELECT} ORDER BY created_ms DESC, rowid DESC LIMIT ?", (limit,)
        )
        return [_job(row) for row in rows]

    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""
        states = ", ".join("?" * len(OPEN_STATES))
        rows = self._database.read(
            f"{_SELECT} WHERE state IN ({states}) ORDER BY created_ms, rowid", OPEN_STATES
        )
        return [_job(row) for row in rows]

    def update(self, job_id: str, where: Fields, changes: Fields) -> bool:
        """Change these fields if those of ``where`` have these values; return whether they had."""
        wanted = {"id": job_id, **where}
        setting = ", ".join(f"{_known(name)} = ?" for name in changes)
        condition = " AND ".join(f"{_known(name)} IS ?" for name in wanted)
        values = [
            _stored(name, value) for given in (changes, wanted) for name, value in given.items()
        ]
        changed = self._database.write(
            f"UPDATE jobs SET {setting} WHERE {condition}",  # noqa: S608
            values,
        )
        return changed > 0

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

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _known(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"a job has no field {name}")
    return name


def _stored(name: str, value: Any) -> object:
    if name not in JSON_FIELDS or value is None:
        return value
    return json.dumps(stored(value))


def _job(row: tuple[Any, ...]) -> Job:
    found = dict(zip(FIELDS, row, strict=True))
    for name in JSON_FIELDS:
        found[name] = json.loads(found[name]) if found[name] is not None else None
    found = restored(found)
    return Job(**{**found, "cancel": bool(found["cancel"])})
