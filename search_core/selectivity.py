"""What share of a library a filter lets pass, told at next to no cost."""

from __future__ import annotations

from dataclasses import dataclass

from search_core.filters import Filter
from search_core.library import Store


@dataclass(frozen=True, slots=True)
class Selectivity:
    """How many of a library's ``rows`` pass a filter."""

    rows: int
    passing: int

    @property
    def share(self) -> float:
        """The share that passes, 0 to 1; 1 for an empty library."""
        return self.passing / self.rows if self.rows else 1.0


class Selectivities:
    """The selectivities of filters over a store's libraries; share one among searches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, library: str, where: Filter) -> Selectivity:
        """Return a filter's selectivity; raises LibraryNotFound."""
        rows = self._store.count(library)
        return Selectivity(rows, self._store.count(library, where))
