"""A SQLite file shared by processes and threads: WAL, numbered migrations, one writer at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BUSY_S = 30.0


class Database:
    """An open SQLite file, created when it is missing and migrated when it is old.

    ``migrations`` are SQL scripts; PRAGMA user_version counts the ones that were applied. A change
    of the schema is a new script at the end, never a change of an old one.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with self.writing() as connection:
            (applied,) = connection.execute("PRAGMA user_version").fetchone()
            for number, script in enumerate(migrations[applied:], start=applied + 1):
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query, as tuples."""
        with self._lock:
            return self._connection.execute(query, tuple(map(storable, values))).fetchall()

    def write(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement in a transaction of its own; return how many rows it changed."""
        with self.writing() as connection:
            return connection.execute(statement, tuple(map(storable, values))).rowcount

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock for a transaction, rolled back when the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def storable(value: object) -> object:
    """Return a value SQLite can hold: file names need not be valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
