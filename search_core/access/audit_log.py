"""The audit log: who searched, viewed, exported, changed and deleted what, and when.

One SQLite file that only its owner can read. Rows are added, and nothing here changes or removes
one: the file itself refuses it. Passwords and tokens never get into it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from search_core.errors import AuditUnavailable, SightlineError, in_words
from search_core.system.database import LateRecords
from search_core.system.machine import now_ms

Action = Literal[
    "login",
    "login-failed",
    "logout",
    "search",
    "view",
    "play",
    "export",
    "ingest",
    "job",
    "tag",
    "delete",
    "removed",
    "restore",
    "move",
    "retime",
    "recamera",
    "drop",
    "renamed",
    "index",
    "cameras",
    "folders",
    "users",
    "case",
]
_MIGRATIONS = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        library TEXT NOT NULL,
        detail TEXT NOT NULL,
        address TEXT NOT NULL
    );
    CREATE INDEX events_who ON events (who, id);
    CREATE INDEX events_action ON events (action, id)
    """,
    *(
        f"CREATE TRIGGER IF NOT EXISTS no_{change.lower()} BEFORE {change} ON events"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
        for change in ("UPDATE", "DELETE")
    ),
)
_NARROWED = """
SELECT id, at_ms, who, action, library, detail, address FROM events
WHERE (?1 IS NULL OR who = ?1) AND (?2 IS NULL OR action = ?2)
    AND (?3 IS NULL OR at_ms >= ?3) AND (?4 IS NULL OR at_ms < ?4)
ORDER BY id DESC LIMIT ?5
"""
_TEXT_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done: ``at_ms`` epoch milliseconds, ``detail`` plain JSON values.

    ``who`` is a user, "local" where there is no login, or the operating system's user with "@"
    and the machine after it for commands. ``address`` is where it was asked from, "" if not known.
    """

    id: int
    at_ms: int
    who: str
    action: str
    library: str
    detail: dict[str, Any]
    address: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


class AuditLog(LateRecords):
    """The audit log in the file at ``path``, made when something is first written to it.

    Every method raises AuditUnavailable when the file cannot be used.
    """

    migrations = _MIGRATIONS

    def record(
        self,
        who: str,
        action: Action,
        library: str = "",
        detail: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> None:
        """Write down that somebody does something; ``detail`` holds plain JSON values."""
        shortened = {
            name: value[:_TEXT_CHARACTERS] if isinstance(value, str) else value
            for name, value in (detail or {}).items()
        }
        row = (
            now_ms(),
            who,
            action,
            library,
            json.dumps(shortened, ensure_ascii=False),
            address,
        )
        try:
            self._opened().write(
                "INSERT INTO events (at_ms, who, action, library, detail, address)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        except (SightlineError, sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from None

    def events(
        self,
        limit: int = 100,
        *,
        who: str | None = None,
        action: str | None = None,
        after_ms: int | None = None,
        before_ms: int | None = None,
    ) -> list[Event]:
        """Return up to ``limit`` events, newest first; times are epoch milliseconds."""
        if not self.path.exists():
            return []
        try:
            rows = self._opened().read(_NARROWED, (who, action, after_ms, before_ms, limit))
        except (SightlineError, sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from None
        return [
            Event(number, at_ms, who, action, library, json.loads(detail), address)
            for number, at_ms, who, action, library, detail, address in rows
        ]

    def _unavailable(self, error: Exception) -> AuditUnavailable:
        why = in_words(error)
        return AuditUnavailable(
            "The audit log {path} cannot be used: {error}.",
            "Nothing is done that it could not hold. Look at the disk's space and permissions.",
            path=self.path,
            error=why,
        )
