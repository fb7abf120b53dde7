"""What share of a library a filter lets pass, told at next to no cost."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property

from search_core.schema.filters import Filter
from search_core.search.filtered_search import LITE_LIMITS, SERVER_LIMITS, EffortLimits
from search_core.store.library import NO_FILTER, LibraryInfo, Store

#: A count is believed for so long. A server counts what passes a filter in 3 ms at 100,000
#: entities, so that asking now and then is cheaper, and truer, than keeping a sample at hand.
FRESH_S = 10.0
#: And for so many times as long as it took: the embedded Milvus needs half a second to count tags
#: among 15,000 entities, and no more than a hundredth of the time goes into counting.
_FRESH_TIMES = 100.0
_MOST_KEPT = 256
#: What passes a filter, and all there is, are counted side by side.
_COUNTED_AT_ONCE = 2


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
        self._counts: dict[tuple[str, Filter], _Count] = {}
        self._threads = ThreadPoolExecutor(_COUNTED_AT_ONCE, thread_name_prefix="selectivity")

    @cached_property
    def limits(self) -> EffortLimits:
        """What this store's Milvus does in twice the time of a search; asked for once."""
        return LITE_LIMITS if self._store.server().embedded else SERVER_LIMITS

    def expect(self, library: LibraryInfo, where: Filter) -> None:
        """Begin to count what :meth:`of` will ask for, while something else is done."""
        for asked in (NO_FILTER, where):
            self._count(library, asked)

    def of(self, library: LibraryInfo, where: Filter) -> Selectivity:
        """Return a filter's selectivity; raises StoreError when Milvus fails."""
        counts = [self._count(library, asked) for asked in (NO_FILTER, where)]
        wait(counts)  # so that one that fails after another is not met by the next search
        rows, passing = (count.result() for count in counts)
        return Selectivity(rows, passing)

    def _count(self, library: LibraryInfo, where: Filter) -> Future[int]:
        # By collection: a library that was rebuilt or dropped is another one.
        key = (library.collection, where)
        with self._lock:
            known = self._counts.get(key)
            if known is not None and self._clock() < known.believed_until:
                return known.count
            if len(self._counts) >= _MOST_KEPT:
                self._counts.clear()
            counting = _Count(self._threads.submit(self._ask, key, library.name, where))
            self._counts[key] = counting
            return counting.count

    def _ask(self, key: tuple[str, Filter], name: str, where: Filter) -> int:
        asked = self._clock()
        until = asked
        try:
            count = self._store.count(name, where, fresh=False)
            now = self._clock()
            until = now + max(FRESH_S, _FRESH_TIMES * (now - asked))
            return count
        finally:
            # What failed is asked again by the next search.
            with self._lock:
                if key in self._counts:
                    self._counts[key].believed_until = until


@dataclass(slots=True)
class _Count:
    """A count that was made or is being made, and until when (in the clock's seconds) it holds."""

    count: Future[int]
    believed_until: float = math.inf
