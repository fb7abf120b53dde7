"""Trials filled with a comparison's vectors, and the indexes built in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from search_core.errors import SightlineError
from search_core.indexes import BINARY_METRICS, BinFlat, Flat, IndexSpec, SearchParams
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.ground_truth import Case, sign_bits
from search_core.lab.plan import PlannedIndex
from search_core.lab.timing import Built, Job
from search_core.lab.vector_spool import VectorSpool
from search_core.store.library import Store
from search_core.store.scratch import TRIAL_TIMEOUT_S, Trial

#: Indexes over this many bytes of vectors in all stand side by side and are measured in turns;
#: more of them are built one after another, in fewer copies of the vectors. Milvus Lite holds about
#: eight times the bytes of the vectors in this process: 20,000 of 512 dimensions fit four times.
SIDE_BY_SIDE_BYTES = 2**30
SIDE_BY_SIDE_BYTES_LITE = 160 * 2**20
#: Enough for its searches to take what searches take here, and soon copied.
_REFERENCE_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An index that gave no numbers, and why."""

    planned: PlannedIndex
    error: str


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
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[list[Trial]]:
    """Open ``count`` trials with the vectors of the spool in them; they are removed at the end.

    Of some more than ``rows`` vectors, where that is given.
    """
    with ExitStack() as open_trials:
        trials = [
            open_trials.enter_context(
                store.open_trial(
                    spool.dim,
                    metric=metric,
                    vector_kind="binary" if binary else "float",
                    timeout_s=timeout_s,
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


def build_all(
    planned: Sequence[PlannedIndex],
    trials: Sequence[Trial],
    metric: str,
    on_build: Callable[[IndexSpec], None],
) -> tuple[dict[PlannedIndex, Built], list[Failure]]:
    """Build each index in a trial of its own; those that fail are told apart from the others."""
    built: dict[PlannedIndex, Built] = {}
    failures = []
    for item, trial in zip(planned, trials, strict=False):
        on_build(item.spec)
        try:
            built[item] = Built(trial, item.spec, metric, trial.build(item.spec))
        except SightlineError as error:
            failures.append(Failure(item, said(error)))
    return built, failures
