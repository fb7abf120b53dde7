"""Logging in: a name and a password in, a session's token out; and whose a token is.

Failed logins are counted by name and by address: each further one must wait twice as long. Of a
session the browser has a random token; its hash and the user are kept here.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from search_core.access.audit_log import AuditLog
from search_core.access.roles import Access
from search_core.access.users import User, Users, verify_password
from search_core.errors import LoginRefused
from search_core.messages import Message
from search_core.settings import Settings
from search_core.system.database import LateRecords

_SCHEMA = """
CREATE TABLE attempts (
    who TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE sessions (
    token TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    stamp TEXT NOT NULL,
    began_s REAL NOT NULL,
    seen_s REAL NOT NULL
) WITHOUT ROWID
"""
#: After so much quiet, failures are forgotten.
FORGOTTEN_S = 3600.0
#: A session is over after so long without use, and at the latest so long after it began.
IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 24 * 3600.0
_SEEN_EVERY_S = 60.0
_WRONG = Message("This name and this password do not belong together.")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures cost nothing, and the longest wait after many of them, in seconds."""

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """Return how long to wait after the last of so many failures."""
        beyond = failures - self.free
        return 0.0 if beyond < 0 else min(self.longest_s, 2.0 ** min(beyond, 30))


#: Somebody else's failures must not keep a user out for long.
BY_NAME = Patience(free=5, longest_s=300.0)
#: Many people may come from one address.
BY_ADDRESS = Patience(free=20, longest_s=900.0)


class Login(LateRecords):
    """The login of one data directory; ``clock`` returns seconds since the epoch."""

    migrations = (_SCHEMA,)

    def __init__(
        self, settings: Settings, audit: AuditLog, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(settings.logins_path)
        self.users = Users(settings.users_path)
        self._audit = audit
        self._clock = clock

    @property
    def is_required(self) -> bool:
        """Whether nobody gets in without logging in."""
        return self.users.exist

    def log_in(self, name: str, password: str, address: str) -> str:
        """Return the token of a new session; ``address`` is where the attempt comes from.

        Raises LoginRefused, which does not say whether it was the name or the password.
        """
        user = self.users.find(name)
        known_as = user.name if user else name
        if wait := self._begin_attempt(known_as, address):
            refused = LoginRefused(
                "Too many attempts. Try again in {time}.",
                "If you forgot the password, ask an administrator for another.",
                time=_in_words(wait),
            )
            refused.wait_s = wait
            raise refused
        if not verify_password(user.hashed if user else "", password) or user is None:
            # A name that nobody has may be a password in the wrong box: it is not written down.
            self._audit.record(user.name if user else "?", "login-failed", address=address)
            raise LoginRefused(_WRONG)
        self._forgive(known_as, address)
        self._audit.record(user.name, "login", address=address)
        return self._begin_session(user)

    def who(self, token: str, *, used: bool = True) -> Access | None:
        """Return whose session a token belongs to, None when it is nobody's any more.

        It is over when it was ended or is too old, and when the user was removed or has another
        password since. Unless ``used``, it counts as no use of the session.
        """
        if not token:
            return None
        now, hashed = self._clock(), _hash(token)
        database = self._opened()
        rows = database.read(
            "SELECT name, stamp, began_s, seen_s FROM sessions WHERE token = ?", (hashed,)
        )
        if not rows:
            return None
        name, stamp, began_s, seen_s = rows[0]
        if now - seen_s > IDLE_S or now - began_s > LONGEST_S:
            return None
        user = self.users.find(name)
        if user is None or not secrets.compare_digest(user.stamp, stamp):
            return None
        if used and now - seen_s > _SEEN_EVERY_S:
            database.write("UPDATE sessions SET seen_s = ? WHERE token = ?", (now, hashed))
        return user.access

    def known_elsewhere_as(self, mail: str) -> Access | None:
        """Return what an OIDC user may do; None unless one of that address was added as such."""
        user = self.users.find(mail)
        return user.access if user is not None and user.logs_in_elsewhere else None

    def log_out(self, token: str, address: str = "") -> None:
        """End a session."""
        access = self.who(token)
        self._opened().write("DELETE FROM sessions WHERE token = ?", (_hash(token),))
        if access is not None:
            self._audit.record(access.name, "logout", address=address)

    def _begin_session(self, user: User) -> str:
        """Begin a session and return its token, which nothing but the browser keeps."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._opened().writing() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE seen_s < ? OR began_s < ?",
                (now - IDLE_S, now - LONGEST_S),
            )
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
                (_hash(token), user.name, user.stamp, now, now),
            )
        return token

    def _begin_attempt(self, name: str, address: str) -> float:
        """Count an attempt as failed before it is made, so that many at once are many.

        Returns 0, or the seconds to wait: then it is not counted, and not to be made.
        """
        now = self._clock()
        with self._opened().writing() as connection:
            connection.execute("DELETE FROM attempts WHERE last_s < ?", (now - FORGOTTEN_S,))
            wait = 0.0
            for key, patience in _keys(name, address):
                row = connection.execute(
                    "SELECT failures, last_s FROM attempts WHERE who = ?", (key,)
                ).fetchone()
                if row is not None:
                    wait = max(wait, row[1] + patience.wait_s(row[0]) - now)
            if wait > 0:
                return wait
            for key, _ in _keys(name, address):
                connection.execute(
                    "INSERT INTO attempts VALUES (?, 1, ?) ON CONFLICT (who) DO"
                    " UPDATE SET failures = failures + 1, last_s = excluded.last_s",
                    (key, now),
                )
        return 0.0

    def _forgive(self, name: str, address: str) -> None:
        """Forget a name's failures, and of the address the attempt that did not fail.

        An address's others stay: one who has an account may not try others' without end.
        """
        (by_name, _), (by_address, _) = _keys(name, address)
        with self._opened().writing() as connection:
            connection.execute("DELETE FROM attempts WHERE who = ?", (by_name,))
            connection.execute(
                "UPDATE attempts SET failures = failures - 1 WHERE who = ? AND failures > 0",
                (by_address,),
            )


def _keys(name: str, address: str) -> tuple[tuple[str, Patience], tuple[str, Patience]]:
    """Return under what an attempt is counted; not as typed, for it may be a password."""
    return (f"name {_hash(name)}", BY_NAME), (f"address {address}", BY_ADDRESS)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _in_words(wait_s: float) -> str:
    seconds = math.ceil(wait_s)
    if seconds < 90:
        return Message("1 second") if seconds == 1 else Message("{count} seconds", count=seconds)
    return Message("{count} minutes", count=math.ceil(seconds / 60))
