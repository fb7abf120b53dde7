"""One lot of indexes, built side by side and measured in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from search_core.errors import SightlineError
from search_core.indexes import IndexSpec, SearchParams
from search_core.lab.ground_truth import Case
from search_core.lab.options import CompareOptions, Progress
from search_core.lab.plan import PlannedIndex
from search_core.lab.recommendation import reach_ignored, sweep_ignored
from search_core.lab.records import IndexRun
from search_core.lab.results import (
    Asked,
    batch_run,
    build_run,
    drift_of,
    failed_run,
    same_as_fixed,
    search_run,
    throughput_run,
)
from search_core.lab.scratch_indexes import Failure, build_all, said
from search_core.lab.timing import (
    Built,
    Job,
    Seconds,
    Step,
    Throughput,
    find_all,
    in_turns,
    time_clients,
    time_requests,
)
from search_core.lab.vector_spool import VectorSpool
from search_core.messages import Message
from search_core.search.filtered_search import plan_effort
from search_core.store.scratch import Trial

_T = TypeVar("_T")
#: Milvus answers at most so many hits.
_MOST_HITS = 16_384


@dataclass(slots=True)
class _Lot:
    """What the first pass over a lot found: its jobs, and what there is to say of each index."""

    asked: dict[Job, Asked]
    notes: dict[Built, tuple[str, ...]]
    failed: dict[Built, str]

    def tell(self, index: Built, error: SightlineError) -> None:
        """Note that an index failed."""
        self.failed[index] = said(error)

    def standing(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs of indexes that have not failed."""
        return [job for job in jobs if job.built not in self.failed]


class Session:
    """Measures lots of indexes over one spool of vectors and tells ``on_run`` each record."""

    def __init__(
        self,
        spool: VectorSpool,
        options: CompareOptions,
        on_run: Callable[[IndexRun], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._spool = spool
        self._options = options
        self._on_run = on_run
        self._on_progress = on_progress
        self._rng = np.random.default_rng(options.seed)
        self._lot = 0
        self._first_reference: Sequence[Seconds] = ()

    def measure(
        self,
        planned: Sequence[PlannedIndex],
        trials: Sequence[Trial],
        metric: str,
        cases: Sequence[Case],
        reference: Job | None = None,
    ) -> None:
        """Build the indexes, each in one of the trials, and measure all of their settings.

        One that fails is recorded as such; the others go on. ``reference`` is asked in turns with
        them where there are several lots, to tell how the speed changed from one to the next.
        """

        def tell(spec: IndexSpec) -> None:
            self._on_progress(Progress(Message("building {index}", index=spec.index_type), 0, 0))

        built, failures = build_all(planned, trials, metric, tell)
        for failure in failures:
            self.tell_failure(failure, metric)
        runs = {
            index: build_run(index, k=self._options.k, rows=self._spool.rows, dim=self._spool.dim)
            for index in built.values()
        }
        lot = self._first_pass(built, cases)
        found = self._searches(lot, runs, reference)
        self._lot += 1
        for run in (*(run for index, run in runs.items() if index not in lot.failed), *found):
            self._on_run(run)
        # What is measured so far is written down before the longer part, which may be interrupted.
        for run in self._extras(lot, runs):
            self._on_run(run)
        for item, index in built.items():
            if index in lot.failed:
                self.tell_failure(Failure(item, lot.failed[index]), metric)

    def tell_failure(self, failure: Failure, metric: str) -> None:
        """Record an index that gave no numbers."""
        rows = self._spool.rows
        spec = failure.planned.spec
        self._on_run(failed_run(spec, metric, failure.error, k=self._options.k, rows=rows))

    # Within

    def _first_pass(self, built: dict[PlannedIndex, Built], cases: Sequence[Case]) -> _Lot:
        """Ask every job all its queries once: what it finds, and warmth for the timing."""
        lot = _Lot({}, {}, {})
        total = sum(len(item.settings) for item in built) * sum(len(c.queries) for c in cases)
        step = self._stepper(Message("finding neighbours"), total)
        for item, index in built.items():
            try:
                asked = self._ask_settings(item, index, cases, step)
                lot.asked |= asked
                lot.notes[index] = self._ignored(item, index, asked)
            except SightlineError as error:
                lot.failed[index] = said(error)
        return lot

    def _ask_settings(
        self,
        item: PlannedIndex,
        index: Built,
        cases: Sequence[Case],
        step: Step,
    ) -> dict[Job, Asked]:
        asked: dict[Job, Asked] = {}
        for params in item.settings:
            recalls = []
            for case in cases:
                job = Job(index, params, case, self._options.k)
                asked[job] = self._ask(job, step)
                recalls.append(asked[job].recall)
                if case.filter:
                    effort = plan_effort(
                        index.spec, params, job.k, self._spool.rows, case.selectivity
                    )  # as searches do it, which mind their filter
                    aware = replace(job, strategy="filter_aware", effort=effort)
                    same = _does_nothing(aware)
                    asked[aware] = asked[job] if same else self._ask(aware, lambda steps: None)
            if not item.complete and min(recalls) >= 1.0:
                break  # more thorough settings find as much, slower
        return asked

    def _ask(self, job: Job, step: Step) -> Asked:
        rows = find_all(job, step)
        return Asked(rows, job.case.truth.shares(rows, self._spool))

    def _ignored(
        self, item: PlannedIndex, index: Built, asked: dict[Job, Asked]
    ) -> tuple[str, ...]:
        """Return notes on parameters that Milvus does not seem to mind."""
        if item.spec.sweep is None:
            return ()
        first = next(iter(asked))
        cases: dict[int, list[Asked]] = {}
        for job, found in asked.items():
            if job.strategy == "fixed":
                cases.setdefault(id(job.case), []).append(found)
        said_of = [
            sweep_ignored(item.spec.sweep, [each.rows for each in case], [e.recall for e in case])
            for case in cases.values()
        ]
        notes = [
            # One kind of query may find all it can at once, while another needs the parameter.
            said_of[0] if all(said_of) else "",
            self._reach(item, index, first),
        ]
        return tuple(note for note in notes if note)

    def _reach(self, item: PlannedIndex, index: Built, job: Job) -> str:
        """Count what a search with the least nprobe reaches."""
        nlist, nprobe = getattr(item.spec, "nlist", None), job.searched.get("nprobe")
        if nlist is None or nprobe is None:
            return ""
        k = min(self._spool.rows, _MOST_HITS, item.spec.max_hits)
        params = item.spec.search_params(SearchParams(nprobe=nprobe), k)
        rows, _ = index.trial.search(job.case.queries[:1], k=k, params=params)
        return reach_ignored("nprobe", nprobe, nprobe / nlist, int((rows >= 0).sum()), k)

    def _searches(
        self, lot: _Lot, runs: dict[Built, IndexRun], reference: Job | None
    ) -> list[IndexRun]:
        """Time one query at a time, in turns; return a record of each job."""
        jobs = [job for job in lot.asked if not _does_nothing(job)]
        jobs += [reference] if reference else []
        requests = sum(len(job.case.queries) for job in jobs)
        step = self._stepper(Message("timing"), self._options.repeats * requests)
        seconds = self._in_turns(lot, jobs, partial(time_requests, nq=1, on_step=step))
        apart, drift = self._apart(seconds.get(reference, ()) if reference else ())
        for index, run in runs.items():
            runs[index] = replace(run, lot=self._lot, drift_low=drift[0], drift_high=drift[1])
        found: list[IndexRun] = []
        for job, asked in lot.asked.items():
            if job.built in lot.failed:
                continue
            if _does_nothing(job):
                found.append(same_as_fixed(found[-1]))
            else:
                notes = (*lot.notes[job.built], *apart)
                found.append(search_run(runs[job.built], job, asked, seconds[job], notes))
        return found

    def _extras(self, lot: _Lot, runs: dict[Built, IndexRun]) -> Iterator[IndexRun]:
        """Time batches of queries, and several clients at once; of the first kind, unfiltered."""
        options = self._options
        first = next(iter(lot.asked)).case if lot.asked else None
        jobs = [job for job in lot.asked if job.case is first]
        for nq in (nq for nq in options.nq if nq > 1):
            requests = sum(-(-len(job.case.queries) // nq) for job in jobs)
            doing = Message("timing {count} queries a request", count=nq)
            step = self._stepper(doing, options.repeats * requests)
            seconds = self._in_turns(lot, jobs, partial(time_requests, nq=nq, on_step=step))
            for job, parts in seconds.items():
                yield batch_run(runs[job.built], job, lot.asked[job], parts, nq)
        for clients in options.concurrency:
            doing = Message("timing {count} clients", count=clients)
            step = self._stepper(doing, options.repeats * len(jobs))

            def ask(job: Job, clients: int = clients, step: Step = step) -> Throughput:
                step(1)
                return time_clients(job, clients)

            for job, measured in self._in_turns(lot, jobs, ask).items():
                yield throughput_run(runs[job.built], job, lot.asked[job], measured, clients)

    def _in_turns(
        self, lot: _Lot, jobs: Sequence[Job], measure: Callable[[Job], _T]
    ) -> dict[Job, list[_T]]:
        return in_turns(
            lot.standing(jobs),
            measure,
            repeats=self._options.repeats,
            rng=self._rng,
            on_failure=lot.tell,
        )

    def _stepper(self, doing: str, total: int) -> Step:
        done = 0

        def step(steps: int) -> None:
            nonlocal done
            done += steps
            self._on_progress(Progress(doing, done, total))

        self._on_progress(Progress(doing, 0, total))
        return step

    def _apart(self, reference: Sequence[Seconds]) -> tuple[tuple[str, ...], tuple[float, float]]:
        """Return a note on a lot that was not measured beside the first, and how speed changed."""
        if not reference:
            return (), (1.0, 1.0)
        if not self._first_reference:
            self._first_reference = reference
            return (), (1.0, 1.0)
        low, high = drift_of(reference, self._first_reference)
        note = (
            "Measured apart from the first indexes: a reference asked both times took "
            f"{low:.2f} to {high:.2f} of its time then, which is allowed for."
        )
        return (note,), (low, high)


def _does_nothing(job: Job) -> bool:
    """Whether a filter-aware job searches as the fixed one before it does."""
    return job.effort is not None and job.effort.strategy == "default"
