"""Saved searches: a name for what the page Search has in its address, each user's their own.

One SQLite file in the data directory. What is saved is the address and not what was found:
"yesterday" is the day before the one on which the search is opened.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_core.errors import UsageError
from search_core.system.database import LateRecords
from search_core.system.machine import now_ms

NAME_MAX_LENGTH = 120
#: How many a user may save.
MOST = 500
#: Of the address, what says where one is in the results, and not what is looked for.
PLACES = frozenset({"page", "moment", "weak"})

Address = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search of a library by its name; ``query`` is that of the page's address, without "?"."""

    name: str
    library: str
    query: str
    saved_ms: int

    @property
    def address(self) -> dict[str, list[str]]:
        """The address's values by their names, the library among them."""
        return urllib.parse.parse_qs(self.query)


class SavedSearches(LateRecords):
    """The saved searches in the file at ``path``, which the first of them makes."""

    migrations = (
        """
        CREATE TABLE saved (
            user TEXT NOT NULL,
            name TEXT NOT NULL,
            library TEXT NOT NULL,
            query TEXT NOT NULL,
            saved_ms INTEGER NOT NULL,
            PRIMARY KEY (user, name)
        ) WITHOUT ROWID
        """,
    )

    def save(self, user: str, name: str, library: str, address: Address) -> SavedSearch:
        """Save a search under a name, in place of what the user has saved under it.

        ``address`` are the values of the page's address by their names. Raises UsageError for a
        name that can be none, and where there are too many.
        """
        found = SavedSearch(_checked(name), library, _query(library, address), now_ms())
        others = [saved.name for saved in self.of(user) if saved.name != found.name]
        if len(others) >= MOST:
            raise UsageError(
                "There are {count} saved searches already.", "Delete some first.", count=MOST
            )
        self._opened().write(
            "INSERT OR REPLACE INTO saved VALUES (?, ?, ?, ?, ?)",
            (user, found.name, found.library, found.query, found.saved_ms),
        )
        return found

    def of(self, user: str) -> list[SavedSearch]:
        """Return a user's saved searches by name."""
        rows = self._read("SELECT name, library, query, saved_ms FROM saved WHERE user = ?", user)
        return sorted((SavedSearch(*row) for row in rows), key=lambda saved: saved.name.casefold())

    def get(self, user: str, name: str) -> SavedSearch:
        """Return one; raises UsageError."""
        for saved in self.of(user):
            if saved.name == " ".join(name.split()):
                return saved
        raise no_search(name)

    def delete(self, user: str, name: str) -> None:
        """Delete one; raises UsageError."""
        saved = self.get(user, name)
        self._opened().write("DELETE FROM saved WHERE user = ? AND name = ?", (user, saved.name))

    def _read(self, query: str, *values: object) -> list[Any]:
        return self._opened().read(query, values) if self.path.exists() else []


def no_search(name: str) -> UsageError:
    """Return the error for a search that is not saved."""
    return UsageError(
        "There is no saved search {name}.",
        "`sightline searches list` names those there are.",
        name=name,
    )


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX_LENGTH or not name.isprintable():
        raise UsageError(
            "{name} cannot be the name of a saved search.",
            "Give 1 to {most} letters, digits and spaces.",
            name=repr(name[:NAME_MAX_LENGTH]),
            most=NAME_MAX_LENGTH,
        )
    return name


def _query(library: str, address: Address) -> str:
    kept = {name: values for name, values in address.items() if name not in PLACES and values}
    return urllib.parse.urlencode({**kept, "library": [library]}, doseq=True)
