"""Who is logged in: a random token for the browser, its hash and the user here."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from search_core.access.users import User, Users
from search_core.system.database import Database

SCHEMA = """
CREATE TABLE sessions (
    token TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    stamp TEXT NOT NULL,
    began_s REAL NOT NULL,
    seen_s REAL NOT NULL
) WITHOUT ROWID
"""
#: A session is over after so long without use, and at the latest so long after it began.
IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 24 * 3600.0
_SEEN_EVERY_S = 60.0


class Sessions:
    """The sessions in a database; ``clock`` returns seconds since the epoch."""

    def __init__(
        self, database: Database, users: Users, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._users = users
        self._clock = clock

    def begin(self, user: User) -> str:
        """Begin a session and return its token, which nothing but the browser keeps."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE seen_s < ? OR began_s < ?",
                (now - IDLE_S, now - LONGEST_S),
            )
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
                (_hash(token), user.name, user.stamp, now, now),
            )
        return token

    def user(self, token: str) -> User | None:
        """Return whose session it is; None when it is over.

        It is over when it was ended or is too old, and when the user was removed or has another
        password since.
        """
        now = self._clock()
        rows = self._database.read(
            "SELECT name, stamp, began_s, seen_s FROM sessions WHERE token = ?", (_hash(token),)
        )
        if not rows:
            return None
        name, stamp, began_s, seen_s = rows[0]
        if now - seen_s > IDLE_S or now - began_s > LONGEST_S:
            return None
        user = self._users.find(name)
        if user is None or not secrets.compare_digest(user.stamp, stamp):
            return None
        if now - seen_s > _SEEN_EVERY_S:
            self._database.write(
                "UPDATE sessions SET seen_s = ? WHERE token = ?", (now, _hash(token))
            )
        return user

    def end(self, token: str) -> None:
        """End a session."""
        self._database.write("DELETE FROM sessions WHERE token = ?", (_hash(token),))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
