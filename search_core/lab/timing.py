"""Asking and timing: one query at a time, batches of them, several clients at once; and what was
found and timed, put into IndexRuns.

What is compared is measured in turns, several times, in an order drawn anew each time, so that a
busy moment of the machine falls on all alike. Times are the client's, of warm searches. Several
clients are threads of this one process: more processes may get more out of a server.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.indexes import BINARY_METRICS, IndexSpec, SearchParams
from search_core.indexes.sizing import estimate
from search_core.lab.ground_truth import Case
from search_core.lab.records import IndexRun, Strategy
from search_core.search.filtered_search import Effort
from search_core.store.scratch import BuildTimes, Rows, Trial, Vectors

Seconds = NDArray[np.float64]
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

    def client(number: int) -> list[float]:
        taken: list[float] = []
        start.wait()
        while not stop.is_set() or len(taken) < _CLIENT_REQUESTS:
            query = queries[(number + clients * len(taken)) % len(queries)]
            begun = time.perf_counter()
            job.ask(query[None, :])
            taken.append(time.perf_counter() - begun)
        return taken

    with ThreadPoolExecutor(clients) as threads:
        asked = [threads.submit(client, number) for number in range(clients)]
        start.wait()
        begun = time.perf_counter()
        try:
            stop.wait(_CLIENTS_S)
        finally:
            stop.set()
        seconds = np.concatenate([part.result() for part in asked])
    return Throughput(len(seconds) / (time.perf_counter() - begun), seconds)


_Z = 1.959964
#: Student's t at 0.975 for 1 to 10 degrees of freedom (Student 1908).
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def recall_interval(shares: NDArray[np.float64], k: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean recall, from each query's share (q,) of ``k`` neighbours.

    Wilson's score interval (Wilson 1927), which stays within 0 and 1 and does not shrink to nothing
    at 1. The neighbours of one query are found or lost together, so that they count as fewer trials
    than q * k: divided by the design effect, the variance among queries over that of independent
    neighbours (Kish 1965), at least 1 and at most k.
    """
    queries = len(shares)
    if not queries:
        return 0.0, 1.0
    mean = float(np.mean(shares))
    independent = mean * (1 - mean) / k
    among = float(np.var(shares, ddof=1)) if queries > 1 else independent * k
    effect = min(max(among / independent, 1.0), float(k)) if independent > 0 else 1.0
    trials = queries * k / effect
    middle = (mean + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    half = _Z / (1 + _Z**2 / trials)
    half *= math.sqrt(mean * (1 - mean) / trials + _Z**2 / (4 * trials**2))
    return max(0.0, min(mean, middle - half)), min(1.0, max(mean, middle + half))


def repeated_interval(values: Sequence[float], centre: float) -> tuple[float, float]:
    """Return the 95 % interval of what was measured again and again, widened to hold ``centre``.

    Student's t over the repeats, as Georges, Buytaert and Eeckhout (OOPSLA 2007) compare
    performance: two measurements differ when their intervals do not overlap. With one value there
    is no telling: from 0 to infinity.
    """
    count = len(values)
    if count < 2:
        return 0.0, math.inf
    half = t_quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    mean = float(np.mean(values))
    return max(0.0, min(mean - half, centre)), max(mean + half, centre)


def t_quantile(freedom: int) -> float:
    """Return Student's t at 0.975; beyond ten degrees of freedom by Cornish and Fisher's series."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    first = (_Z**3 + _Z) / (4 * freedom)
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    return _Z + first + second


def percentile_ms(seconds: Sequence[float] | NDArray[np.float64], percent: float) -> float:
    """Return a percentile (0 to 100) of durations in seconds, as milliseconds."""
    return float(np.percentile(np.asarray(seconds), percent)) * 1000.0


Shares = NDArray[np.float64]
#: What is not known better than this is not known.
_MOST_DRIFT = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job found in its first pass: rows (q, k), and each query's share of the neighbours."""

    rows: NDArray[np.int64]
    shares: Shares

    @property
    def recall(self) -> float:
        """ann_recall@k: the mean of the shares."""
        return float(np.mean(self.shares))


def build_params_of(spec: IndexSpec, metric: str) -> dict[str, Any]:
    """Return an index's build parameters; with the metric where vectors of bits have several."""
    built = spec.build_params()
    return {**built, "metric_type": metric} if metric in BINARY_METRICS else built


def build_run(built: Built, *, k: int, rows: int, dim: int) -> IndexRun:
    """Return the record of an index built: its times and sizes, all other records start from it.

    Sizes that Milvus does not show are estimated by formula.
    """
    index_bytes, memory_bytes = built.trial.index_bytes(), built.trial.memory_bytes()
    expected = estimate(built.spec, rows, dim)
    return IndexRun(
        "build",
        built.spec.index_type,
        build_params_of(built.spec, built.metric),
        k=k,
        rows=rows,
        build_s=built.times.build_s,
        load_s=built.times.load_s,
        index_bytes=expected.index_bytes if index_bytes is None else index_bytes,
        memory_bytes=expected.loaded_bytes if memory_bytes is None else memory_bytes,
        index_from="estimated" if index_bytes is None else "measured",
        memory_from="estimated" if memory_bytes is None else "measured",
    )


def asked_run(build: IndexRun, job: Job, asked: Asked) -> IndexRun:
    """Return the record of queries that were asked and not timed."""
    return replace(_about(build, job, asked, ()), kind="search")


def search_run(
    build: IndexRun, job: Job, asked: Asked, seconds: Sequence[Seconds], notes: Sequence[str] = ()
) -> IndexRun:
    """Return the record of one query at a time."""
    return replace(_timed(_about(build, job, asked, notes), seconds), kind="search")


def drift_of(seconds: Sequence[Seconds], first: Sequence[Seconds]) -> tuple[float, float]:
    """Return how many times as slow a reference was as at first: a 95 % interval."""
    (now_low, now_high), (then_low, then_high) = _median(seconds), _median(first)
    high = now_high / then_low if then_low else _MOST_DRIFT
    return max(now_low / then_high, 1 / _MOST_DRIFT), min(high, _MOST_DRIFT)


def batch_run(
    build: IndexRun, job: Job, asked: Asked, seconds: Sequence[Seconds], nq: int
) -> IndexRun:
    """Return the record of requests of ``nq`` queries."""
    run = _timed(_about(build, job, asked, ()), seconds)
    qps = nq / float(np.median(np.concatenate(list(seconds))))
    return replace(run, kind="batch", nq=nq, qps=qps)


def throughput_run(
    build: IndexRun, job: Job, asked: Asked, measured: Sequence[Throughput], clients: int
) -> IndexRun:
    """Return the record of several clients at once; ``qps`` is the median over the repeats."""
    run = _timed(_about(build, job, asked, ()), [item.seconds for item in measured])
    qps = float(np.median([item.qps for item in measured]))
    return replace(run, kind="throughput", concurrency=clients, qps=qps)


def same_as_fixed(fixed: IndexRun) -> IndexRun:
    """Return the record of a filter-aware search that does nothing else than the fixed one."""
    return replace(fixed, strategy="filter_aware", notes=(*fixed.notes, "searched as set"))


def failed_run(spec: IndexSpec, metric: str, error: str, *, k: int, rows: int) -> IndexRun:
    """Return the record of an index that gave no numbers."""
    built = build_params_of(spec, metric)
    return IndexRun("build", spec.index_type, built, k=k, rows=rows, error=error)


def _about(build: IndexRun, job: Job, asked: Asked, notes: Sequence[str]) -> IndexRun:
    low, high = recall_interval(asked.shares, job.k)
    did = (job.effort.reason,) if job.effort is not None and job.effort.reason else ()
    return replace(
        build,
        search_params=job.searched,
        query_kind=job.case.kind,
        strategy=job.strategy,
        filter=job.case.filter,
        selectivity=job.case.selectivity,
        queries=len(job.case.queries),
        ann_recall_at_k=asked.recall,
        recall_low=low,
        recall_high=high,
        notes=(*did, *notes),
    )


def _timed(run: IndexRun, seconds: Sequence[Seconds]) -> IndexRun:
    """Add percentiles over all requests, and the median's interval over the repeats."""
    together = np.concatenate(list(seconds))
    p50 = percentile_ms(together, 50)
    low, high = _median(seconds)
    return replace(
        run,
        p50_ms=p50,
        p95_ms=percentile_ms(together, 95),
        p99_ms=percentile_ms(together, 99),
        p50_low_ms=low,
        p50_high_ms=high,
    )


def _median(seconds: Sequence[Seconds]) -> tuple[float, float]:
    """Return the 95 % interval of the median over the repeats, in ms."""
    p50 = percentile_ms(np.concatenate(list(seconds)), 50)
    return repeated_interval([percentile_ms(part, 50) for part in seconds], p50)
