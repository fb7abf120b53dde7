"""Logging in: a name and a password in, a session's token out; and whose a token is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from search_core.access import sessions
from search_core.access import throttle as attempts
from search_core.access.audit_log import AuditLog
from search_core.access.passwords import verify_password
from search_core.access.roles import Access
from search_core.access.sessions import Sessions
from search_core.access.throttle import Attempts
from search_core.access.users import Users
from search_core.errors import LoginRefused
from search_core.messages import Message
from search_core.settings import Settings
from search_core.system.database import Database

_MIGRATIONS = (f"{attempts.SCHEMA};{sessions.SCHEMA}",)
_WRONG = Message("This name and this password do not belong together.")


class Login:
    """The login of one data directory; ``clock`` returns seconds since the epoch."""

    def __init__(
        self, settings: Settings, audit: AuditLog, clock: Callable[[], float] = time.time
    ) -> None:
        self.users = Users(settings.users_path)
        self._path = settings.logins_path
        self._audit = audit
        self._clock = clock
        self._opening = threading.Lock()
        self._opened: tuple[Database, Attempts, Sessions] | None = None

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._opening:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    @property
    def is_required(self) -> bool:
        """Whether nobody gets in without logging in."""
        return self.users.exist

    def log_in(self, name: str, password: str, address: str) -> str:
        """Return the token of a new session; ``address`` is where the attempt comes from.

        Raises LoginRefused, which does not say whether it was the name or the password.
        """
        _, tried, open_sessions = self._open()
        user = self.users.find(name)
        known_as = user.name if user else name
        if wait := tried.begin(known_as, address):
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
        tried.succeeded(known_as, address)
        self._audit.record(user.name, "login", address=address)
        return open_sessions.begin(user)

    def who(self, token: str) -> Access | None:
        """Return whose session a token belongs to, None when it is nobody's any more."""
        user = self._open()[2].user(token) if token else None
        return user.access if user else None

    def known_elsewhere_as(self, mail: str) -> Access | None:
        """Return what an OIDC user may do; None unless one of that address was added as such."""
        user = self.users.find(mail)
        return user.access if user is not None and user.logs_in_elsewhere else None

    def log_out(self, token: str, address: str = "") -> None:
        """End a session."""
        access = self.who(token)
        self._open()[2].end(token)
        if access is not None:
            self._audit.record(access.name, "logout", address=address)

    def _open(self) -> tuple[Database, Attempts, Sessions]:
        with self._opening:
            if self._opened is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.touch(mode=0o600)
                database = Database(self._path, _MIGRATIONS)
                self._opened = (
                    database,
                    Attempts(database, self._clock),
                    Sessions(database, self.users, self._clock),
                )
            return self._opened


def _in_words(wait_s: float) -> str:
    seconds = math.ceil(wait_s)
    if seconds < 90:
        return Message("1 second") if seconds == 1 else Message("{count} seconds", count=seconds)
    return Message("{count} minutes", count=math.ceil(seconds / 60))
