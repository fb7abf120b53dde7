"""The index lab's recalls against an independent NumPy computation, setting by setting.

A comparison runs as it always does, on 100,000 x 512 CLIP-like vectors on the standalone server and
on as many on Milvus Lite as it serves well, or on a library that exists; beside it, what goes into
its trials and what they answer is written down. From that alone recall is computed again: every
score in double precision, filters as Milvus itself evaluates them, ties counted. No setting may
differ by more than 0.002.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.milvus_server import milvus_server
from search_core.encoders.base import EncoderIdentity
from search_core.indexes import IndexSpec, VectorKind
from search_core.lab.benchmark import IndexBenchmark
from search_core.lab.plan import CompareOptions, FilterCase, search_params_of, spec_of
from search_core.lab.records import Comparison, IndexRun
from search_core.schema.entity import MediaEntity
from search_core.search.filtered_search import plan_effort
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.queries import pages
from search_core.store.milvus.scratch import MilvusTrial
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import FACETS, TRIAL_TIMEOUT_S, BuildTimes, Rows, Trial, Vectors

LIBRARY = "main"
CAMERAS = 20
ALLOWED = 0.002
#: Single precision's rounding: neighbours whose similarities differ by less are equally near.
TIE = 1e-6
#: An index, its search parameters and a filter's expression; "exact" for a search without an index.
Setting = tuple[str, str, str, str]


@dataclass
class Record:
    """What a comparison's trials were given and answered, by setting and query."""

    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    answers: dict[Setting, dict[bytes, Rows]] = field(default_factory=dict)
    passing: dict[str, set[int]] = field(default_factory=dict)

    def keep(self, setting: Setting, queries: Vectors, rows: Rows) -> None:
        """Keep the first answer to each query."""
        answers = self.answers.setdefault(setting, {})
        for query, found in zip(queries, rows, strict=True):
            answers.setdefault(query.tobytes(), found)


class RecordedTrial(Trial):
    """A trial that writes down what it is given, and its answers of ``k`` neighbours."""

    def __init__(self, trial: MilvusTrial, record: Record, k: int) -> None:
        self._trial = trial
        self._record = record
        self._k = k
        self._index = ""

    def settle(self) -> None:
        """Return when all rows are on disk."""
        self._trial.settle()

    def index_bytes(self) -> int | None:
        """Return the size of the index on disk."""
        return self._trial.index_bytes()

    def insert(self, rows: Rows, embeddings: Vectors, facets: Sequence[MediaEntity]) -> None:
        """Add vectors, and remember them."""
        self._trial.insert(rows, embeddings, facets)
        self._record.vectors |= dict(zip(rows.tolist(), np.array(embeddings), strict=True))

    def build(self, spec: IndexSpec) -> BuildTimes:
        """Build an index, and remember which."""
        self._index = str(spec)
        return self._trial.build(spec)

    def search(
        self, queries: Vectors, *, k: int, params: dict[str, int], expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Search, and remember the answers."""
        rows, distances = self._trial.search(queries, k=k, params=params, expression=expression)
        if k == self._k:
            self._record.keep((self._index, str(params), expression, ""), queries, rows)
        return rows, distances

    def search_exact(
        self, queries: Vectors, *, k: int, expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Search exactly, and remember the answers."""
        rows, distances = self._trial.search_exact(queries, k=k, expression=expression)
        self._record.keep((self._index, "", expression, "exact"), queries, rows)
        return rows, distances

    def drop(self) -> None:
        """Ask Milvus which rows pass the filters that were used, and remove the trial."""
        client, name, passing = self._trial._client, self._trial._name, self._record.passing
        client.load_collection(name)  # of several trials only the one in use is loaded
        for _, _, expression, _ in self._record.answers:
            if expression and expression not in passing:
                found = pages(client, name, expression, ["row"], rows=10_000)
                passing[expression] = {row["row"] for page in found for row in page}
        self._trial.drop()


class RecordingStore(MilvusStore):
    """A store whose trials write down what they are given and answer."""

    def __init__(self, endpoint: Endpoint, record: Record, k: int) -> None:
        super().__init__(endpoint)
        self._record = record
        self._k = k

    def open_trial(  # type: ignore[override]  # a Trial as the protocol wants, not MilvusTrial
        self,
        dim: int,
        *,
        metric: str,
        vector_kind: VectorKind = "float",
        timeout_s: float = TRIAL_TIMEOUT_S,
        facets: Sequence[str] = FACETS,
    ) -> RecordedTrial:
        """Return a trial that writes down."""
        trial = super().open_trial(
            dim, metric=metric, vector_kind=vector_kind, timeout_s=timeout_s, facets=facets
        )
        return RecordedTrial(trial, self._record, self._k)


def recall_again(record: Record, setting: Setting, queries: Sequence[bytes], k: int) -> float:
    """Return the share of the exact k nearest by cosine that a setting's answers hold."""
    numbers = np.array(sorted(record.vectors))
    expression = setting[2]
    if expression:
        numbers = np.array([row for row in numbers if row in record.passing[expression]])
    asked = np.array([np.frombuffer(query, np.float32) for query in queries], dtype=np.float64)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    scores = np.empty((len(asked), len(numbers)))
    for start in range(0, len(numbers), 10_000):
        part = numbers[start : start + 10_000].tolist()
        block = np.array([record.vectors[row] for row in part], dtype=np.float64)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        scores[:, start : start + len(part)] = asked @ block.T
    shares = []
    for query, row_scores in zip(queries, scores, strict=True):
        wanted = min(k, len(numbers))
        least = np.sort(row_scores)[::-1][wanted - 1] - TIE
        near = set(numbers[row_scores >= least].tolist())
        found = set(record.answers[setting][query].tolist())
        shares.append(min(wanted, len(found & near)) / wanted)
    return float(np.mean(shares))


def setting_of(run: IndexRun, filters: Sequence[FilterCase]) -> Setting:
    """Return what was asked of the trial for a measurement."""
    spec, params = spec_of(run), search_params_of(run)
    expression = next((case.expression() for case in filters if case.label == run.filter), "")
    if run.strategy == "filter_aware":
        effort = plan_effort(spec, params, run.k, run.rows, run.selectivity)
        if effort.strategy == "exact":
            return (str(spec), "", expression, "exact")
        params = effort.params
    return (str(spec), str(spec.search_params(params, run.k)), expression, "")


def check(title: str, comparison: Comparison, record: Record, filters: Sequence[FilterCase]) -> int:
    """Print each setting's recall beside the one computed again; return how many differ."""
    table = Table("index", "setting", "asked", "filter", "", "recall", "NumPy", title=title)
    worst, different = 0.0, 0
    cache: dict[tuple[Setting, str], float] = {}
    kinds = _queries_by_kind(comparison, record, filters)
    for run in comparison.searches:
        setting = setting_of(run, filters)
        if (setting, run.query_kind) not in cache:
            queries = kinds[run.query_kind]
            cache[setting, run.query_kind] = recall_again(record, setting, queries, run.k)
        again = cache[setting, run.query_kind]
        gap = abs(again - (run.ann_recall_at_k or 0.0))
        worst, different = max(worst, gap), different + (gap > ALLOWED)
        table.add_row(
            run.index_type,
            " ".join(f"{name} {value}" for name, value in run.search_params.items()),
            run.query_kind,
            run.filter,
            "aware" if run.strategy == "filter_aware" else "",
            f"{run.ann_recall_at_k:.4f}",
            f"{again:.4f}" + (" !" if gap > ALLOWED else ""),
        )
    console = Console(width=110)
    console.print(table)
    console.print(
        f"{len(comparison.searches)} settings, largest difference {worst:.5f}, "
        f"{different} beyond {ALLOWED}"
    )
    for run in comparison.runs:
        if run.kind == "build":
            console.print(
                f"{run.index_type}: {run.error}"
                if run.error
                else f"{run.index_type}: built in {run.build_s:.1f} s, loaded in {run.load_s:.1f} s"
            )
    return different


def _queries_by_kind(
    comparison: Comparison, record: Record, filters: Sequence[FilterCase]
) -> dict[str, list[bytes]]:
    """Return the queries of each kind: they were asked in the order in which kinds were measured.

    All kinds of one setting are asked of the trial one after the other.
    """
    first = comparison.searches[0]
    asked = list(record.answers[setting_of(first, filters)])
    kinds: dict[str, list[bytes]] = {}
    for kind, count in dict.fromkeys((run.query_kind, run.queries) for run in comparison.searches):
        kinds[kind], asked = asked[:count], asked[count:]
    return kinds


def fill(store: MilvusStore, rows: int, space: ClipLike) -> int:
    """Put made vectors into a library until it has so many; return how many were missing."""
    identity = EncoderIdentity("clip-like", "made", "0" * 32, space.dim, "fp32")
    store.ensure_library(LIBRARY, identity)
    done = present = store.count(LIBRARY)
    for block in space.blocks(rows, start=present):
        store.upsert(LIBRARY, [entity(done + at) for at in range(len(block))], block)
        done += len(block)
    store.settle(LIBRARY)
    return done - present


def entity(number: int) -> MediaEntity:
    """Return what a library holds beside a made vector."""
    camera = f"camera-{number % CAMERAS}"
    return MediaEntity(
        f"{number:032x}",
        camera,
        "frame",
        "v.mp4",
        camera,
        1000 * number,
        "given",
        0,
        0,
        0,
        0,
        "",
        0,
    )


def compare(
    title: str, endpoint: Endpoint, library: str, options: CompareOptions, rows: int | None
) -> int:
    """Fill a library where ``rows`` says so, compare indexes over it and check every recall."""
    started = time.perf_counter()
    record = Record()
    store = RecordingStore(endpoint, record, options.k)
    space = ClipLike()
    if rows is not None:
        fill(store, rows, space)
        print(f"{title}: filled in {time.perf_counter() - started:.0f} s", flush=True)
    dim = store.library(library).encoder.dim
    sentences = ClipLike(dim).sentences
    benchmark = IndexBenchmark(store, library, options, encode=lambda texts: sentences(len(texts)))
    comparison = benchmark.run()
    store.close()
    print(f"{title}: compared, {time.perf_counter() - started:.0f} s in all", flush=True)
    return check(title, comparison, record, options.filters)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="index_lab", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="on the server; 0: not there")
    parser.add_argument("--lite-rows", type=int, default=50_000, help="0: not on Milvus Lite")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--settings", type=int, default=4, help="of an index, at most")
    parser.add_argument("--data-dir", type=Path, help="check the library of this Milvus Lite")
    arguments = parser.parse_args()
    shares = [FilterCase.of_share(text) for text in ("50%", "10%", "1%", "0.1%")]
    options: dict[str, Any] = {
        "queries": arguments.queries,
        "settings": arguments.settings,
        "repeats": 2,
        "max_rows": None,
        "filters": tuple(case for case in shares if case is not None),
    }
    plan = CompareOptions(**options)
    different = 0
    if arguments.data_dir is not None:
        endpoint = Endpoint(str(arguments.data_dir / "milvus.db"))
        different += compare("the library", endpoint, LIBRARY, plan, None)
        arguments.rows = arguments.lite_rows = 0
    if arguments.lite_rows:
        with tempfile.TemporaryDirectory() as folder:
            endpoint = Endpoint(str(Path(folder) / "milvus.db"))
            title = f"Milvus Lite, {arguments.lite_rows:,} x 512"
            different += compare(title, endpoint, LIBRARY, plan, arguments.lite_rows)
    if arguments.rows:
        with milvus_server() as uri:
            endpoint = Endpoint(uri, timeout_s=600, embedded=False)
            title = f"The server, {arguments.rows:,} x 512"
            different += compare(title, endpoint, LIBRARY, plan, arguments.rows)
    raise SystemExit(different > 0)


if __name__ == "__main__":
    main()
