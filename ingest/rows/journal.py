"""The journal of corrections: what a correction under way still has to write.

SQLite beside the ledger. The new value of every row is in it before the first row is written, so
a correction that is stopped anywhere goes on where it was, and no row is shifted twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from search_core.access.audit_log import Action
from search_core.errors import StoreBusy
from search_core.schema.entity import CapturedFrom, MediaEntity
from search_core.settings import Settings
from search_core.system.database import Records
from search_core.system.locks import file_lock

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE corrections (
        library TEXT PRIMARY KEY,
        asked TEXT NOT NULL,
        total INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE rows (
        library TEXT NOT NULL,
        id TEXT NOT NULL,
        captured_at INTEGER,
        captured_from TEXT,
        camera TEXT,
        PRIMARY KEY (library, id)
    ) WITHOUT ROWID
    """,
)


class NewValues(NamedTuple):
    """What one entity is to have; ``captured_at`` is epoch milliseconds. None: as it has now."""

    id: str
    captured_at: int | None = None
    captured_from: CapturedFrom | None = None
    camera: str | None = None

    def put_into(self, entity: MediaEntity) -> MediaEntity:
        """Return the entity, or a region of it, with these values."""
        given = {name: value for name, value in self._asdict().items() if value is not None}
        return replace(entity, **{**given, "id": entity.id})


@dataclass(frozen=True, slots=True)
class Pending:
    """A correction under way: what was asked for, how many rows it writes, how many are left."""

    library: str
    asked: Mapping[str, Any]
    total: int
    left: int

    @property
    def action(self) -> Action:
        """What the audit log calls it."""
        of_camera = "camera" in self.asked or self.asked.get("read again") == "camera"
        return "recamera" if of_camera else "retime"

    @property
    def done(self) -> int:
        """How many rows are written."""
        return self.total - self.left


class Journal(Records):
    """The journal of a data directory; a context manager, safe for several processes."""

    migrations = MIGRATIONS

    def __init__(self, settings: Settings) -> None:
        super().__init__(journal_path(settings))
        self._lock_path = settings.data_dir / "corrections.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one correction at a time be written; raises StoreBusy."""
        busy = StoreBusy(
            "Another command is correcting times or cameras.",
            "Wait for it to end, then try again.",
        )
        with file_lock(self._lock_path, busy=busy):
            yield

    def begin(self, library: str, asked: Mapping[str, Any], rows: Sequence[NewValues]) -> None:
        """Write down all that a correction is to change, at once."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO corrections VALUES (?, ?, ?)", (library, _json(asked), len(rows))
            )
            connection.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?)", ((library, *row) for row in rows)
            )
        # Sync to disk: a power failure must not lose this and keep rows written after it.
        self._database.read("PRAGMA wal_checkpoint(FULL)")

    def pending(self, library: str) -> Pending | None:
        """Return the correction of a library that has not ended, if there is one."""
        found = self._database.read(
            "SELECT asked, total, (SELECT count(*) FROM rows WHERE rows.library = ?1)"
            " FROM corrections WHERE library = ?1",
            (library,),
        )
        for asked, total, left in found:
            return Pending(library, json.loads(asked), total, left)
        return None

    def rows(self, library: str, limit: int) -> list[NewValues]:
        """Return some of the rows that are still to be written."""
        found = self._database.read(
            "SELECT id, captured_at, captured_from, camera FROM rows WHERE library = ? LIMIT ?",
            (library, limit),
        )
        return [
            NewValues(id, at, cast(CapturedFrom | None, by), name) for id, at, by, name in found
        ]

    def values_of(self, library: str, ids: Sequence[str]) -> dict[str, NewValues]:
        """Return those of these rows that are still to be written, by id."""
        marks = ", ".join("?" * len(ids))
        found = self._database.read(
            "SELECT id, captured_at, captured_from, camera FROM rows"  # noqa: S608
            f" WHERE library = ? AND id IN ({marks})",
            (library, *ids),
        )
        return {row[0]: NewValues(*row) for row in found}

    def written(self, library: str, ids: Iterable[str]) -> None:
        """Note that these rows are written."""
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM rows WHERE library = ? AND id = ?", ((library, id) for id in ids)
            )

    def end(self, library: str) -> None:
        """Forget the correction of a library: it is done, or the library is gone."""
        with self._database.writing() as connection:
            for table in ("rows", "corrections"):
                connection.execute(f"DELETE FROM {table} WHERE library = ?", (library,))  # noqa: S608

    def rename(self, library: str, name: str) -> None:
        """Note that a library has another name."""
        self.end(name)
        with self._database.writing() as connection:
            for table in ("rows", "corrections"):
                connection.execute(
                    f"UPDATE {table} SET library = ? WHERE library = ?",  # noqa: S608
                    (name, library),
                )


def journal_path(settings: Settings) -> Path:
    """Return where the journal is (SQLite)."""
    return settings.data_dir / "corrections.sqlite"


def pending_correction(settings: Settings, library: str) -> Pending | None:
    """Return the correction of a library that was begun and has not ended, if there is one."""
    if not journal_path(settings).exists():
        return None
    with Journal(settings) as journal:
        return journal.pending(library)


def pending_values(settings: Settings, library: str, ids: Sequence[str]) -> dict[str, NewValues]:
    """Return what a correction under way has still to give to these rows, by id."""
    if not journal_path(settings).exists():
        return {}
    with Journal(settings) as journal:
        return journal.values_of(library, ids)


def forget_corrections(settings: Settings, library: str) -> None:
    """Forget what a library that is dropped had pending."""
    if journal_path(settings).exists():
        with Journal(settings) as journal:
            journal.end(library)


def rename_corrections(settings: Settings, library: str, name: str) -> None:
    """Note that a library has another name."""
    if journal_path(settings).exists():
        with Journal(settings) as journal:
            journal.rename(library, name)


def same_request(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two corrections ask for the same change of the same pictures."""
    return _json(one) == _json(other)


def _json(asked: Mapping[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True)
