"""A SQLite file shared by processes and threads: WAL, numbered migrations, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from search_core.errors import StoreDamaged, StoreError, StoreReadOnly, in_words
from search_core.messages import MARK, Message, stored
from search_core.system.machine import disk_full, free_bytes, is_full

_BUSY_S = 30.0
_AGAIN_S = 0.01
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
#: Fewer bytes than SQLite needs for a page of its log and of its index of that.
_NO_ROOM_BYTES = 64 << 10


class Database:
    """An open SQLite file, created when it is missing and migrated when it is old.

    ``migrations`` are SQL scripts of statements divided by a semicolon at the end of a line; PRAGMA
    user_version counts the ones that were applied. A change of the schema is a new script at the
    end, never a change of an old one. A file in a folder that
    cannot be written is opened to be read. A ``private`` file is made for its owner alone to read.
    ``busy_s`` is how long to wait for other writers. Raises DiskFull, StoreReadOnly, and StoreError
    for a file that cannot be read or written for another reason.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        private: bool = False,
        busy_s: float = _BUSY_S,
    ) -> None:
        self._path = path
        self._busy_s = busy_s
        self._lock = threading.RLock()
        with sqlite_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            writable = _is_writable(path)
            if private and writable:
                path.touch(mode=0o600)
            # In a folder that cannot be written SQLite can make no log, and reads only what it is
            # told that nobody changes.
            self._connection = sqlite3.connect(
                path if writable else f"{path.resolve().as_uri()}?mode=ro&immutable=1",
                timeout=busy_s,
                isolation_level=None,
                check_same_thread=False,
                uri=not writable,
            )
            if writable:
                self._write_ahead()
                self._connection.execute("PRAGMA synchronous = NORMAL")
        if self._applied() < len(migrations):
            self._migrate(migrations)

    def _write_ahead(self) -> None:
        """Put the file into WAL mode, where it is not.

        Of several who do so to a new file at once, SQLite refuses all but one, without waiting
        first: each would wait for the other's lock for ever. Tried again, all find it done.
        """
        until_s = time.monotonic() + self._busy_s
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until_s:
                    raise
                time.sleep(_AGAIN_S)

    def _applied(self) -> int:
        return int(self.read("PRAGMA user_version")[0][0])

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self.writing() as connection:
            applied = self._applied()  # another process may just have done it
            for number, script in enumerate(migrations[applied:], start=applied + 1):
                for statement in script.split(";\n"):  # a trigger has others within
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")

    def close(self) -> None:
        """Close the file."""
        with self._lock, sqlite_errors(self._path):
            self._connection.close()

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query, as tuples."""
        with self._lock, sqlite_errors(self._path):
            return self._connection.execute(query, tuple(map(storable, values))).fetchall()

    def write(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement in a transaction of its own; return how many rows it changed."""
        with self.writing() as connection:
            return connection.execute(statement, tuple(map(storable, values))).rowcount

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock for a transaction, rolled back when the block raises."""
        with self._lock, sqlite_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have ended it
                    self._connection.execute("ROLLBACK")
                raise


class Records:
    """Records in a SQLite file, created when it is missing; a context manager that closes it.

    ``migrations`` are those of :class:`Database`.
    """

    migrations: ClassVar[Sequence[str]]

    def __init__(self, path: Path) -> None:
        self._database = Database(path, self.migrations)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be asked of it afterwards."""
        self._database.close()


class LateRecords:
    """Records for their owner alone, in a SQLite file that is opened, or made, at its first use.

    ``migrations`` and ``busy_s`` are those of :class:`Database`.
    """

    migrations: ClassVar[Sequence[str]]
    busy_s: ClassVar[float] = _BUSY_S

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opening = threading.Lock()
        self._database: Database | None = None

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._opening:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _opened(self) -> Database:
        with self._opening:
            if self._database is None:
                made = Database(self.path, self.migrations, private=True, busy_s=self.busy_s)
                self._database = made
            return self._database


def is_damaged(path: Path) -> bool:
    """Whether SQLite finds a file cut or overwritten; one that cannot be opened is not known to be.

    The file is only read.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return _code(error) in _DAMAGED
    return bool(answer != "ok")


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises while it works on ``path`` into DiskFull and StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if _is_full(error, path):
            raise disk_full(path) from error
        if isinstance(error, OSError):
            raise
        if _code(error) in _DAMAGED:
            raise StoreDamaged(
                "{path} is damaged: it is cut or overwritten.",
                "`sightline verify --repair` restores the ledger; any other file of this kind can "
                "be moved away, and is made anew.",
                path=path,
            ) from error
        if not _is_writable(path):
            raise StoreReadOnly(
                "{path} cannot be written by this user.",
                "Change its permissions, or choose another data directory with --data-dir.",
                path=path,
            ) from error
        raise StoreError(
            "{path} cannot be used: {error}.",
            "Check the disk it is on, and who may write to it.",
            path=path,
            error=in_words(error),
        ) from error


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 of an error that is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_writable(path: Path) -> bool:
    """Whether a file, and SQLite's logs beside it, can be written or made by this user."""
    is_file = not path.exists() or os.access(path, os.W_OK)
    return is_file and (not path.parent.exists() or os.access(path.parent, os.W_OK))


def _is_full(error: sqlite3.Error | OSError, path: Path) -> bool:
    """Whether a full disk is behind an error; of its log's index SQLite says only "I/O error"."""
    if isinstance(error, OSError):
        return is_full(error)
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return True
    suspected = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    return suspected and free_bytes(path) < _NO_ROOM_BYTES


def storable(value: object) -> object:
    """Return a value SQLite can hold: file names need not be valid Unicode, messages have parts.

    A column that may hold messages is read with :func:`search_core.messages.restored`.
    """
    if not isinstance(value, str):
        return value
    return as_utf8(stored(value) if isinstance(value, Message) or value.startswith(MARK) else value)


def as_utf8(text: str) -> str:
    """Return a text with what UTF-8 cannot hold written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
