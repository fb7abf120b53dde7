"""Failed logins, counted by name and by address: each further one must wait twice as long."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from search_core.system.database import Database

SCHEMA = """
CREATE TABLE attempts (
    who TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_s REAL NOT NULL
) WITHOUT ROWID
"""
#: After so much quiet, failures are forgotten.
FORGOTTEN_S = 3600.0


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


class Attempts:
    """The failed logins in a database; ``clock`` returns seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def begin(self, name: str, address: str) -> float:
        """Count an attempt as failed before it is made, so that many at once are many.

        Returns 0, or the seconds to wait: then it is not counted, and not to be made.
        """
        now = self._clock()
        with self._database.writing() as connection:
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

    def succeeded(self, name: str, address: str) -> None:
        """Forget a name's failures, and of the address the attempt that did not fail.

        An address's others stay: one who has an account may not try others' without end.
        """
        (by_name, _), (by_address, _) = _keys(name, address)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM attempts WHERE who = ?", (by_name,))
            connection.execute(
                "UPDATE attempts SET failures = failures - 1 WHERE who = ? AND failures > 0",
                (by_address,),
            )


def _keys(name: str, address: str) -> tuple[tuple[str, Patience], tuple[str, Patience]]:
    """Return under what an attempt is counted; not as typed, for it may be a password."""
    hashed = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return (f"name {hashed}", BY_NAME), (f"address {address}", BY_ADDRESS)
