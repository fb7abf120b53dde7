"""Asking and timing: one query at a time, batches of them, several clients at once.

What is compared is measured in turns, several times, in an order drawn anew each time, so that a
busy moment of the machine falls on all alike. Times are the client's, of warm searches. Several
clients are threads of this one process: more processes may get more out of a server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from search_core.errors import SightlineError
from search_core.indexes import IndexSpec, SearchParams
from search_core.lab.ground_truth import Case
from search_core.lab.records import Strategy
from search_core.search.filtered_search import Effort
from search_core.store.scratch import BuildTimes, Rows, Trial, Vectors

Seconds = NDArray[np.float64]
_T = TypeVar("_T")
Step = Callable[[int], None]
#: Several clients ask for at least this long, and this many times each.
_CLIENTS_S = 0.3
_CLIENT_REQUESTS = 5
_WARM_UP = 3


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """An index that stands in a trial, of vectors compared by ``metric``."""

    trial: Trial
    spec: IndexSpec
    metric: str
    times: BuildTimes


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One setting of an index, asked one case; filter-aware ones do what ``effort`` says."""

    built: Built
    params: SearchParams
    case: Case
    k: int
    strategy: Strategy = "fixed"
    effort: Effort | None = None

    @property
    def searched(self) -> dict[str, int]:
        """Milvus's search parameters of the setting."""
        return self.built.spec.search_params(self.params, self.k)

    def ask(self, queries: Vectors) -> Rows:
        """Return the rows found (q, k) for queries of the case; raises StoreError."""
        trial, expression = self.built.trial, self.case.expression
        if self.effort is not None and self.effort.strategy == "exact":
            return trial.search_exact(queries, k=self.k, expression=expression)[0]
        params = self.params if self.effort is None else self.effort.params
        asked = self.built.spec.search_params(params, self.k)
        return trial.search(queries, k=self.k, params=asked, expression=expression)[0]


@dataclass(frozen=True, slots=True)
class Throughput:
    """What several clients got: queries answered a second, and each request's seconds."""

    qps: float
    seconds: Seconds


def find_all(job: Job, on_step: Step = lambda steps: None) -> Rows:
    """Return the rows (q, k) found for every query of a job, asked one by one; it warms up too."""
    found = np.full((len(job.case.queries), job.k), -1, dtype=np.int64)
    for at, query in enumerate(job.case.queries):
        found[at] = job.ask(query[None, :])[0]
        on_step(1)
    return found


def in_turns(
    jobs: Sequence[Job],
    measure: Callable[[Job], _T],
    *,
    repeats: int,
    rng: np.random.Generator,
    on_failure: Callable[[Built, SightlineError], None],
) -> dict[Job, list[_T]]:
    """Measure each job so many times, in an order drawn anew each time.

    An index that fails is told to ``on_failure`` and left out, the others go on.
    """
    failed: set[Built] = set()
    found: dict[Job, list[_T]] = {job: [] for job in jobs}
    for _ in range(repeats):
        for at in rng.permutation(len(jobs)).tolist():
            job = jobs[at]
            try:
                if job.built not in failed:
                    found[job].append(measure(job))
            except SightlineError as error:
                failed.add(job.built)
                on_failure(job.built, error)
    return {job: parts for job, parts in found.items() if job.built not in failed}


def time_requests(job: Job, nq: int, on_step: Step = lambda steps: None) -> Seconds:
    """Return the seconds of a job's requests of ``nq`` queries.

    Every query of the case is asked once; one fewer than ``nq`` goes round them.
    """
    count = len(job.case.queries)
    requests = [
        job.case.queries[np.arange(start, start + nq) % count] for start in range(0, count, nq)
    ]
    # Other jobs' searches have been in between: what they pushed out of the caches is read again.
    for request in requests[:_WARM_UP]:
        job.ask(request)
    seconds = np.empty(len(requests))
    for at, request in enumerate(requests):
        started = time.perf_counter()
        job.ask(request)
        seconds[at] = time.perf_counter() - started
        on_step(1)
    return seconds


def time_clients(job: Job, clients: int) -> Throughput:
    """Ask from several threads until the time is over; raises what the first failing one met."""
    queries = job.case.queries
    start = threading.Barrier(clients + 1)
    stop = threading.Event()
    taken: list[list[float]] = [[] for _ in range(clients)]
    failed: list[BaseException] = []

    def client(number: int) -> None:
        at = number
        start.wait()
        try:
            while not stop.is_set() or len(taken[number]) < _CLIENT_REQUESTS:
                query = queries[at % len(queries)]
                begun = time.perf_counter()
                job.ask(query[None, :])
                taken[number].append(time.perf_counter() - begun)
                at += clients
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    try:
        stop.wait(_CLIENTS_S)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    seconds = np.concatenate([np.array(part) for part in taken])
    return Throughput(len(seconds) / (time.perf_counter() - begun), seconds)
