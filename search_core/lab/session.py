"""Trials filled with a comparison's vectors, and lots of indexes built in them side by side and
measured in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from search_core.errors import SightlineError
from search_core.indexes import BINARY_METRICS, BinFlat, Flat, IndexSpec, SearchParams
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab import first_pass, timing
from search_core.lab.ground_truth import Case, sign_bits
from search_core.lab.plan import CompareOptions, PlannedIndex, Progress
from search_core.lab.queries import VectorSpool
from search_core.lab.recommendation import reach_ignored, sweep_ignored
from search_core.lab.records import IndexRun
from search_core.lab.timing import Asked, Built, Job, Seconds, Step, Throughput
from search_core.messages import Message
from search_core.search.filtered_search import plan_effort
from search_core.store.library import Store
from search_core.store.scratch import TRIAL_TIMEOUT_S, Trial

#: Indexes over this many bytes of vectors in all stand side by side and are measured in turns;
#: more of them are built one after another, in fewer copies of the vectors. Milvus Lite holds about
#: eight times the bytes of the vectors in this process: 20,000 of 512 dimensions fit four times.
SIDE_BY_SIDE_BYTES = 2**30
SIDE_BY_SIDE_BYTES_LITE = 160 * 2**20
#: Enough for its searches to take what searches take here, and soon copied.
_REFERENCE_ROWS = 10_000


def refusal(
    planned: PlannedIndex, server: ServerInfo, rows: int, dim: int, k: int, metric: str
) -> str:
    """Return why an index cannot be measured here, in words; "" where it can."""
    spec = planned.spec
    try:
        spec.require_offered(server)
        spec.require_dim(dim)
        spec.require_rows(rows)
        spec.require_hits(k)
        spec.metric_for(metric)
        if spec.vector_kind == "binary" and dim % 8:
            return f"vectors of bits need a multiple of 8 dimensions, not {dim}"
    except SightlineError as error:
        return said(error)
    return ""


def said(error: SightlineError) -> str:
    """Return what an error says, with its hint."""
    return f"{error.message} {error.hint}".strip()


@contextmanager
def filled_trials(
    store: Store,
    spool: VectorSpool,
    count: int,
    *,
    metric: str,
    binary: bool,
    timeout_s: float = TRIAL_TIMEOUT_S,
    rows: int | None = None,
    facets: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[list[Trial]]:
    """Open ``count`` trials with the vectors of the spool in them; they are removed at the end.

    Of some more than ``rows`` vectors, where that is given; with the ``facets`` that filters need.
    """
    with ExitStack() as open_trials:
        trials = [
            open_trials.enter_context(
                store.open_trial(
                    spool.dim,
                    metric=metric,
                    vector_kind="binary" if binary else "float",
                    timeout_s=timeout_s,
                    facets=facets,
                )
            )
            for _ in range(count)
        ]
        for page in spool.pages():
            vectors = sign_bits(page.embeddings) if binary else page.embeddings
            for trial in trials:
                trial.insert(page.rows, vectors, page.facets)
            done = int(page.rows[-1]) + 1
            on_progress(done, spool.rows)
            if rows is not None and done > rows:
                break
        for trial in trials:
            trial.settle()
        yield trials


@contextmanager
def reference_job(
    store: Store, spool: VectorSpool, case: Case, metric: str, k: int
) -> Iterator[Job]:
    """Open a small trial that is searched exactly, to be asked the same while lots come and go."""
    spec: IndexSpec = BinFlat() if metric in BINARY_METRICS else Flat()
    binary = spec.vector_kind == "binary"
    filled = filled_trials(store, spool, 1, metric=metric, binary=binary, rows=_REFERENCE_ROWS)
    with filled as [trial]:
        yield Job(Built(trial, spec, metric, trial.build(spec)), SearchParams(), case, k)


def chunks_of(
    planned: Sequence[PlannedIndex], rows: int, dim: int, *, embedded: bool
) -> list[list[PlannedIndex]]:
    """Return the indexes in lots that stand side by side, each in its own copy of the vectors."""
    limit = SIDE_BY_SIDE_BYTES_LITE if embedded else SIDE_BY_SIDE_BYTES
    size = max(1, min(len(planned), limit // max(1, rows * dim * 4)))
    return [list(planned[start : start + size]) for start in range(0, len(planned), size)]


_T = TypeVar("_T")
#: Milvus answers at most so many hits.
_MOST_HITS = 16_384


@dataclass(slots=True)
class _Lot:
    """What asking a lot found: its jobs, and what there is to say of each index."""

    asked: dict[Job, Asked]
    notes: dict[Built, tuple[str, ...]]
    failed: dict[Built, str]


class Session:
    """Measures lots of indexes over one spool of vectors and tells ``on_run`` each record.

    ``on_first`` hears of a first pass over the first lot: what was timed, and all that was asked.
    """

    def __init__(
        self,
        spool: VectorSpool,
        options: CompareOptions,
        on_run: Callable[[IndexRun], None],
        on_progress: Callable[[Progress], None],
        on_first: Callable[[list[IndexRun], list[IndexRun]], None] | None = None,
    ) -> None:
        self._spool = spool
        self._options = options
        self._on_run = on_run
        self._on_progress = on_progress
        self._on_first = on_first
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
        built: dict[PlannedIndex, Built] = {}
        for item, trial in zip(planned, trials, strict=False):
            doing = Message("building {index}", index=item.spec.index_type)
            self._on_progress(Progress(doing, 0, 0))
            try:
                built[item] = Built(trial, item.spec, metric, trial.build(item.spec))
            except SightlineError as error:
                self.tell_failure(item, said(error), metric)
        runs = {
            index: timing.build_run(
                index, k=self._options.k, rows=self._spool.rows, dim=self._spool.dim
            )
            for index in built.values()
        }
        if self._on_first is not None and built:
            self._on_first(*self._first_pass(built, runs, cases))
            self._on_first = None
        lot = self._ask_all(built, cases)
        found = self._searches(lot, runs, reference)
        self._lot += 1
        for run in (*(run for index, run in runs.items() if index not in lot.failed), *found):
            self._on_run(run)
        # What is measured so far is written down before the longer part, which may be interrupted.
        for run in self._extras(lot, runs):
            self._on_run(run)
        for item, index in built.items():
            if index in lot.failed:
                self.tell_failure(item, lot.failed[index], metric)

    def tell_failure(self, planned: PlannedIndex, error: str, metric: str) -> None:
        """Record an index that gave no numbers, and why."""
        k, rows = self._options.k, self._spool.rows
        self._on_run(timing.failed_run(planned.spec, metric, error, k=k, rows=rows))

    # Within

    def _first_pass(
        self,
        built: dict[PlannedIndex, Built],
        runs: dict[Built, IndexRun],
        cases: Sequence[Case],
    ) -> tuple[list[IndexRun], list[IndexRun]]:
        """Ask and time a little of what there is: see first_pass.py."""
        plain = [case.first(first_pass.QUERIES) for case in cases if not case.filter]
        queries = sum(len(case.queries) for case in plain)
        total = queries * sum(first_pass.most_asked(len(item.settings)) for item in built)
        step = self._stepper(Message("first pass: finding neighbours"), total)
        lot, asked = _Lot({}, {}, {}), list[IndexRun]()
        for item, index in built.items():
            try:
                worth_timing, others = self._narrowed(item, index, plain, step)
            except SightlineError:
                continue  # the rest meets it too, and tells of it
            lot.asked |= worth_timing
            for job, found in (*worth_timing.items(), *others.items()):
                asked.append(timing.asked_run(runs[index], job, found))
        few = {
            replace(job, case=job.case.first(first_pass.TIMED_QUERIES)): job for job in lot.asked
        }
        requests = sum(len(job.case.queries) for job in few)
        step = self._stepper(Message("first pass: timing"), first_pass.REPEATS * requests)
        measure = partial(timing.time_requests, nq=1, on_step=step)
        seconds = self._in_turns(lot, list(few), measure, first_pass.REPEATS)
        timed = [
            timing.search_run(runs[job.built], few[job], lot.asked[few[job]], parts)
            for job, parts in seconds.items()
        ]
        return [*runs.values(), *timed], asked

    def _narrowed(
        self, item: PlannedIndex, index: Built, cases: Sequence[Case], step: Step
    ) -> tuple[dict[Job, Asked], dict[Job, Asked]]:
        """Return what the settings of an index found that are worth timing, and what others did."""
        asked: dict[SearchParams, dict[Job, Asked]] = {}

        def reaches(params: SearchParams) -> bool:
            jobs = [Job(index, params, case, self._options.k) for case in cases]
            asked[params] = {job: self._ask(job, step) for job in jobs}
            least = min(found.recall for found in asked[params].values())
            return least >= self._options.target_recall

        chosen = first_pass.narrow(item.settings, reaches)
        worth_timing = {job: one for params in chosen for job, one in asked[params].items()}
        others = {job: one for jobs in asked.values() for job, one in jobs.items()}
        return worth_timing, {job: one for job, one in others.items() if job not in worth_timing}

    def _ask_all(self, built: dict[PlannedIndex, Built], cases: Sequence[Case]) -> _Lot:
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
        rows = timing.find_all(job, step)
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
        seconds = self._in_turns(lot, jobs, partial(timing.time_requests, nq=1, on_step=step))
        apart, drift = self._apart(seconds.get(reference, ()) if reference else ())
        for index, run in runs.items():
            runs[index] = replace(run, lot=self._lot, drift_low=drift[0], drift_high=drift[1])
        found: list[IndexRun] = []
        for job, asked in lot.asked.items():
            if job.built in lot.failed:
                continue
            if _does_nothing(job):
                found.append(timing.same_as_fixed(found[-1]))
            else:
                notes = (*lot.notes[job.built], *apart)
                found.append(timing.search_run(runs[job.built], job, asked, seconds[job], notes))
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
            seconds = self._in_turns(lot, jobs, partial(timing.time_requests, nq=nq, on_step=step))
            for job, parts in seconds.items():
                yield timing.batch_run(runs[job.built], job, lot.asked[job], parts, nq)
        for clients in options.concurrency:
            doing = Message("timing {count} clients", count=clients)
            step = self._stepper(doing, options.repeats * len(jobs))

            def ask(job: Job, clients: int = clients, step: Step = step) -> Throughput:
                step(1)
                return timing.time_clients(job, clients)

            for job, measured in self._in_turns(lot, jobs, ask).items():
                yield timing.throughput_run(runs[job.built], job, lot.asked[job], measured, clients)

    def _in_turns(
        self,
        lot: _Lot,
        jobs: Sequence[Job],
        measure: Callable[[Job], _T],
        repeats: int | None = None,
    ) -> dict[Job, list[_T]]:
        """Measure each job so many times (as the options say), in an order drawn anew each time.

        An index that fails is left out, the others go on.
        """
        jobs = [job for job in jobs if job.built not in lot.failed]
        found: dict[Job, list[_T]] = {job: [] for job in jobs}
        for _ in range(repeats or self._options.repeats):
            for at in self._rng.permutation(len(jobs)).tolist():
                job = jobs[at]
                try:
                    if job.built not in lot.failed:
                        found[job].append(measure(job))
                except SightlineError as error:
                    lot.failed[job.built] = said(error)
        return {job: parts for job, parts in found.items() if job.built not in lot.failed}

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
        low, high = timing.drift_of(reference, self._first_reference)
        note = (
            "Measured apart from the first indexes: a reference asked both times took "
            f"{low:.2f} to {high:.2f} of its time then, which is allowed for."
        )
        return (note,), (low, high)


def _does_nothing(job: Job) -> bool:
    """Whether a filter-aware job searches as the fixed one before it does."""
    return job.effort is not None and job.effort.strategy == "default"
