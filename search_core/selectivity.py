"""What share of a library a filter lets pass, told at next to no cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from search_core.filters import Filter
from search_core.library import NO_FILTER, LibraryInfo, Store

#: A count is believed for so long. A server counts what passes a filter in 3 ms at 100,000
#: entities, so that asking now and then is cheaper, and truer, than keeping a sample at hand.
FRESH_S = 10.0
#: And for so many times as long as it took: the embedded Milvus needs half a second to count tags
#: among 15,000 entities, and no more than a hundredth of the time goes into counting.
_FRESH_TIMES = 100.0
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
        asked = self._clock()
        believed_until, count = self._counts.get(key, (asked, 0))
        if asked < believed_until:
            return count
        count = self._store.count(library.name, where, fresh=False)
        now = self._clock()
        with self._lock:
            if len(self._counts) >= _MOST_KEPT:
                self._counts.clear()
            self._counts[key] = (now + max(FRESH_S, _FRESH_TIMES * (now - asked)), count)
        return count
