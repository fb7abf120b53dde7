"""What share of a library a filter lets pass, told at next to no cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from search_core.filters import Filter
from search_core.library import NO_FILTER, LibraryInfo, Store

#: A count is believed for so long. Milvus counts what passes a filter in 3 ms at 100,000 entities,
#: so that asking now and then is cheaper, and truer, than keeping a sample of the library at hand.
FRESH_S = 10.0
_MOST_KEPT = 256


@dataclass(frozen=True, slots=True)
class Selectivity:
    """How many of a library's ``rows`` pass a filter, as of some seconds ago."""

    rows: int
    passing: int

    @property
    def share(self) -> float:
        """The share that passes, 0 to 1; 1 for an empty library."""
        return min(1.0, self.passing / self.rows) if self.rows else 1.0


class Selectivities:
    """The selectivities of filters over a store's libraries; searches of a process share one.

    Safe to share between threads. ``clock`` returns seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Filter], tuple[float, int]] = {}

    def of(self, library: LibraryInfo, where: Filter) -> Selectivity:
        """Return a filter's selectivity; raises StoreError when Milvus fails."""
        return Selectivity(self._count(library, NO_FILTER), self._count(library, where))

    def _count(self, library: LibraryInfo, where: Filter) -> int:
        # By collection: a library that was rebuilt or dropped is another one.
        key = (library.collection, where)
        known = self._counts.get(key)
        if known is not None and self._clock() - known[0] < FRESH_S:
            return known[1]
        count = self._store.count(library.name, where, fresh=False)
        with self._lock:
            if len(self._counts) >= _MOST_KEPT:
                self._counts.clear()
            self._counts[key] = (self._clock(), count)
        return count
