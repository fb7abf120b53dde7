"""What share of a library a filter lets pass, told at next to no cost, and how hard a search under
it tries: as it stands, wider, or exactly.

An index finds the nearest of all rows; under a filter most of what it looks at may not pass. Looked
at so far, an IVF index has some nprobe / nlist of the rows, of which the filter's share is worth
comparing: nprobe may rise as the share falls and the comparisons stay as many, until all clusters
are looked into and nothing can be missed. A graph walks through rows that do not pass, and finds
few that do; Milvus itself compares all that pass where they are fewer than 7 %.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from search_core.indexes import IndexSpec, SearchParams, parameters_of
from search_core.messages import Message
from search_core.schema.filters import Filter
from search_core.store.library import EVERY_ROW, LibraryInfo, Store

EffortStrategy = Literal["default", "raised", "exact"]


@dataclass(frozen=True, slots=True)
class EffortLimits:
    """What a Milvus does in up to twice the time of an unfiltered search.

    Up to ``exact_rows`` rows that pass a filter, all are fetched and compared; a graph is searched
    up to ``graph_factor`` times as wide as without a filter.
    """

    exact_rows: int
    graph_factor: float


#: 100 vectors of 512 dimensions take a server 1.3 times as long as a search of 100,000. A graph
#: three times as wide takes up to 1.8 times as long, and finds 99 % of 100,000 vectors' neighbours
#: where 10 % pass and 96 % were found before (benchmarks filters). A thin graph falls apart
#: where 7 to 15 % pass, and no ef mends it: M 8 found 88 % there, M 16 97 to 99 % (8,000 x 16,
#: Milvus 2.3.5); below 7 % Milvus compares all that passes by itself.
SERVER_LIMITS = EffortLimits(exact_rows=200, graph_factor=3.0)
#: Milvus Lite takes its time for each row it hands out: 20 vectors of 512 dimensions take 1.4 to
#: 2.9 times a search, 100 of them 3 to 4 times. A wide graph costs it little, 12 times ef 256 some
#: 1.5 times a search, and it needs that: it goes by its graph however few rows pass (196 to 20,000
#: rows; ef 256 found 31 % of the neighbours among 20 of 20,000, ef 3,072 92 %).
LITE_LIMITS = EffortLimits(exact_rows=20, graph_factor=12.0)
#: Up to so many rows that pass, all clusters are looked into: comparing them costs next to nothing.
CLUSTERED_ROWS = 200


@dataclass(frozen=True, slots=True)
class Effort:
    """What a search does about its filter.

    ``default``: search the index with ``params`` as they stand; ``raised``: with ``params`` raised;
    ``exact``: fetch what passes the filter and compare all of it, the index left out. ``reason``
    says in words what was done and why, "" where there is nothing to say.
    """

    strategy: EffortStrategy
    params: SearchParams
    reason: str = ""


def plan_effort(
    spec: IndexSpec,
    params: SearchParams,
    k: int,
    rows: int,
    share: float,
    limits: EffortLimits = SERVER_LIMITS,
    told_share: float | None = None,
) -> Effort:
    """Return how to search ``rows`` vectors of which a filter lets ``share`` (0 to 1) pass.

    ``params`` are what an unfiltered search would use; unset ones mean the index's defaults, and
    those that may not be below ``k`` are raised to it. ``told_share`` is what the reason names
    where people count something else than rows.
    """
    params = params.for_hits(k)
    usual = Effort("default", params)
    if share >= 1.0 or spec.exact:
        return usual
    passing = round(rows * share)
    if passing <= limits.exact_rows and not spec.full_clusters:
        return Effort("exact", params, _exactly(passing))
    name = spec.sweep or ""
    start = spec.search_params(params, k).get(name)
    if start is None:
        return usual
    most = _most(spec, name)
    few = passing <= CLUSTERED_ROWS and name == "nprobe"
    raised = most if few else min(most, math.ceil(start * _factor(name, share, limits)))
    if raised <= start:
        return usual
    every = ""
    if name == "nprobe" and raised == most:
        exact = spec.full_clusters
        every = Message(", all clusters and so exact") if exact else Message(", all clusters")
    reason = Message(
        "{share:.2g} % of the library passes the filter: {name} raised from {start:,} to "
        "{raised:,}{every}.",
        share=100 * (share if told_share is None else told_share),
        name=name,
        start=start,
        raised=raised,
        every=every,
    )
    return Effort("raised", replace(params, **{name: raised}), reason)


def _exactly(passing: int) -> str:
    if not passing:
        return ""  # as of seconds ago; the answer says what there is
    if passing == 1:
        return Message("1 picture passes the filter: compared exactly, without the index.")
    return Message(
        "{count:,} pictures pass the filter: compared exactly, without the index.", count=passing
    )


def _factor(name: str, share: float, limits: EffortLimits) -> float:
    return 1.0 / share if name == "nprobe" else min(1.0 / share, limits.graph_factor)


def _most(spec: IndexSpec, name: str) -> int:
    """Return the largest value a search parameter of this index can have."""
    if name == "nprobe":
        return int(spec.build_params()["nlist"])
    return dict(parameters_of(SearchParams()))[name].high


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
        for asked in (EVERY_ROW, where):
            self._count(library, asked)

    def of(self, library: LibraryInfo, where: Filter) -> Selectivity:
        """Return a filter's selectivity; raises StoreError when Milvus fails."""
        counts = [self._count(library, asked) for asked in (EVERY_ROW, where)]
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
