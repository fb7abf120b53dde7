"""The comparison on all three stores, its recalls against ones computed from what was searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import EncoderUnavailable, StoreError, UsageError
from search_core.indexes import (
    BinFlat,
    BinIvfFlat,
    Flat,
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfPq,
    SearchParams,
)
from search_core.lab.benchmark import IndexBenchmark
from search_core.lab.plan import CompareOptions, FilterCase, PlannedIndex, Progress
from search_core.lab.recommendation import recommend
from search_core.lab.records import IndexRun, RunContext
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import BuildTimes, bucket_of
from tests.conftest import clip_like_vectors, make_entity
from tests.search_core.lab.watched_store import WatchedStore

ROWS, DIM = 2_000, 32
IDENTITY = EncoderIdentity("test-encoder", "made-up", "0" * 32, DIM, "fp32")
Filled = TypeVar("Filled", MilvusStore, MemoryStore)
TENTH = FilterCase("10%", share=0.1)
ODD = FilterCase("tag=odd", Filter(tags=("odd",)))


def fill(store: Filled, rows: int = ROWS) -> Filled:
    store.ensure_library("main", IDENTITY)
    store.upsert("main", [make_entity(at) for at in range(rows)], clip_like_vectors(rows, DIM))
    store.settle("main")
    return store


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def milvus(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MilvusStore]:
    if request.param == "lite":
        folder = tmp_path_factory.mktemp("lite")
        endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
    else:
        endpoint = Endpoint(request.getfixturevalue("milvus_server_uri"))
    store = fill(MilvusStore(endpoint))
    yield store
    store.drop_library("main")
    store.close()


@pytest.fixture
def memory() -> MemoryStore:
    return fill(MemoryStore(), 400)


def options(**changes: Any) -> CompareOptions:
    return CompareOptions(**{"queries": 10, "repeats": 2, **changes})


def planned(spec: IndexSpec, *values: int) -> PlannedIndex:
    settings = tuple(SearchParams(**{spec.sweep or "": value}) for value in values)
    return PlannedIndex(spec, settings or (SearchParams(),), complete=True)


def recomputed(store: WatchedStore, run: IndexRun) -> float:
    """The recall of a run, in plain NumPy from what its trial was given and answered."""
    case = next((case for case in (TENTH, ODD) if case.label == run.filter), None)
    for trial in store.trials:
        params = tuple(sorted(run.search_params.items()))
        found = trial.found.get((run.index_type, params, case.expression() if case else "", False))
        if not found:
            continue
        rows = np.array(sorted(trial.vectors))
        matrix = np.array([trial.vectors[row] for row in rows], dtype=np.float64)
        if case is TENTH:
            allowed = rows[bucket_of(rows) < 1_000]
        elif case is ODD:
            allowed = np.array([row for row in rows if "odd" in trial.facets[row].tags])
        else:
            allowed = rows
        shares = []
        for query, got in found.items():
            scores = matrix[allowed] @ np.frombuffer(query, dtype=np.float32).astype(np.float64)
            best = allowed[np.argsort(-scores)[: run.k]]
            shares.append(len(set(best.tolist()) & set(got.tolist())) / len(best))
        return float(np.mean(shares))
    raise AssertionError(f"{run} was never searched")


def test_every_recall_is_that_of_plain_numpy(milvus: MilvusStore) -> None:
    watched = WatchedStore(milvus)
    plan = [planned(Flat()), planned(IvfFlat(48), 1, 16), planned(Hnsw(4, 20), 10)]
    asked = options(filters=(TENTH, ODD), nq=(1, 5), concurrency=(2,))

    comparison = IndexBenchmark(watched, "main", asked).run(plan)

    fixed = [run for run in comparison.searches if run.strategy == "fixed"]
    assert len(fixed) == 4 * 3
    for run in fixed:
        assert run.ann_recall_at_k == pytest.approx(recomputed(watched, run), abs=0.002)
        assert run.ann_recall_at_k is not None
        assert run.recall_low is not None and run.recall_high is not None
        assert run.recall_low <= run.ann_recall_at_k <= run.recall_high
        assert run.p50_ms and run.p95_ms and run.p99_ms and run.p50_high_ms
        assert 0 < run.p50_ms <= run.p95_ms <= run.p99_ms
        assert run.p50_low_ms is not None and run.p50_low_ms <= run.p50_ms <= run.p50_high_ms
        assert run.build_s and run.rows == ROWS - 10 and run.queries == 10
    probes = [
        run.ann_recall_at_k or 0 for run in fixed if run.index_type == "IVF_FLAT" and not run.filter
    ]
    assert probes[0] < 0.9 and probes == sorted(probes)
    assert {run.nq for run in comparison.runs if run.kind == "batch"} == {5}
    clients = [run for run in comparison.runs if run.kind == "throughput"]
    assert len(clients) == 4 and all(run.qps and run.concurrency == 2 for run in clients)
    builds = [run for run in comparison.runs if run.kind == "build"]
    assert [run.index_type for run in builds] == ["FLAT", "IVF_FLAT", "HNSW"]
    assert all(run.memory_bytes and run.memory_from for run in builds)
    assert not [note for run in fixed for note in run.notes]


def test_smaller_vectors_and_bits_are_measured_where_the_server_has_them(
    milvus: MilvusStore,
) -> None:
    if milvus.endpoint.embedded:
        pytest.skip("Milvus Lite has neither")
    plan = [planned(IvfPq(16, 8), 1, 16), planned(BinFlat()), planned(BinIvfFlat(16), 1, 16)]
    runs = IndexBenchmark(milvus, "main", options()).run(plan).searches
    recalls = {
        (run.index_type, run.build_params.get("metric_type", ""), *run.search_params.values()): run
        for run in runs
    }
    found = {key: run.ann_recall_at_k or 0.0 for key, run in recalls.items()}
    for metric in ("HAMMING", "JACCARD"):
        assert found["BIN_FLAT", metric] == found["BIN_IVF_FLAT", metric, 16] == 1.0
        assert found["BIN_IVF_FLAT", metric, 1] < 1.0
    assert found["IVF_PQ", "", 1] < found["IVF_PQ", "", 16] < 1.0
    advice = recommend(runs, 0.5)
    assert advice is not None and advice.spec == IvfPq(16, 8)


def test_nothing_is_left_in_milvus(milvus: MilvusStore) -> None:
    before = set(milvus.session.client.list_collections())
    IndexBenchmark(milvus, "main", options(types=("FLAT",))).run()
    assert set(milvus.session.client.list_collections()) == before

    def stop(context: RunContext, run: IndexRun) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        IndexBenchmark(milvus, "main", options(types=("FLAT",))).run(on_run=stop)
    assert set(milvus.session.client.list_collections()) == before
    assert milvus.count("main") == ROWS


def test_filter_aware_searches_are_measured_beside_the_fixed_ones(memory: MemoryStore) -> None:
    comparison = IndexBenchmark(memory, "main", options(filters=(TENTH,), types=("FLAT",))).run()
    unfiltered, fixed, aware = comparison.searches
    assert (unfiltered.filter, fixed.filter, aware.filter) == ("", "10%", "10%")
    assert (fixed.strategy, aware.strategy) == ("fixed", "filter_aware")
    assert fixed.selectivity == aware.selectivity == pytest.approx(0.1, abs=0.01)
    assert aware.notes


def test_default_settings_end_where_everything_is_found(memory: MemoryStore) -> None:
    runs = IndexBenchmark(memory, "main", options(types=("HNSW",))).run().searches
    assert [dict(run.search_params) for run in runs] == [{"ef": 16}]  # this store is exact
    swept = options(types=("HNSW",), sweeps={"ef": (16, 64)})
    runs = IndexBenchmark(memory, "main", swept).run().searches
    assert [run.search_params["ef"] for run in runs] == [16, 64]


def test_an_index_that_searches_exhaustively_is_noticed(memory: MemoryStore) -> None:
    runs = IndexBenchmark(memory, "main", options()).run([planned(IvfFlat(16), 1)]).searches
    assert "nprobe 1 should reach about 24 of 390 rows and reached 390" in runs[0].notes[0]


def test_an_index_that_cannot_be_had_is_told_and_the_others_go_on(memory: MemoryStore) -> None:
    plan = [planned(BinFlat()), planned(IvfPq(m=5)), planned(Flat())]
    runs = IndexBenchmark(memory, "main", options()).run(plan).runs
    errors = {run.index_type: run.error for run in runs if run.error}
    assert "does not offer BIN_FLAT" in errors["BIN_FLAT"]
    assert errors["IVF_PQ"]
    assert [run.index_type for run in runs if run.kind == "search"] == ["FLAT"]


def test_an_index_that_fails_to_build_is_told_and_the_others_go_on(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search_core.store.memory.store import MemoryTrial

    build = MemoryTrial.build

    def failing(self: MemoryTrial, spec: IndexSpec) -> BuildTimes:
        if spec == Hnsw():
            raise StoreError("The build did not end.", "Try again.")
        return build(self, spec)

    monkeypatch.setattr(MemoryTrial, "build", failing)
    plan = [planned(Hnsw(), 64), planned(Flat())]
    runs = IndexBenchmark(memory, "main", options()).run(plan).runs
    assert [run.error for run in runs if run.error] == ["The build did not end. Try again."]
    assert [run.index_type for run in runs if run.kind == "search"] == ["FLAT"]


@pytest.mark.parametrize("asks", [30, 100])
def test_an_index_that_fails_while_it_is_timed_is_told_and_the_others_go_on(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, asks: int
) -> None:
    from search_core.store.memory.store import MemoryTrial

    search, asked = MemoryTrial.search, 0

    def failing(self: MemoryTrial, queries: Any, *, params: dict[str, int], **more: Any) -> Any:
        nonlocal asked
        asked += "ef" in params
        if "ef" in params and asked > asks:
            raise StoreError("The search did not end.", "Try again.")
        return search(self, queries, params=params, **more)

    monkeypatch.setattr(MemoryTrial, "search", failing)
    plan = [planned(Hnsw(), 64), planned(Flat())]
    wanted = options(nq=(1, 2), concurrency=(1,), queries=20)
    runs = IndexBenchmark(memory, "main", wanted).run(plan).runs
    assert [run.error for run in runs if run.error] == ["The search did not end. Try again."]
    flat = [run.kind for run in runs if run.index_type == "FLAT"]
    assert flat == ["build", "search", "batch", "throughput"]
    hnsw = [run.kind for run in runs if run.index_type == "HNSW" and not run.error]
    assert hnsw == ([] if asks == 30 else ["build", "search", "batch"])


def test_searches_are_told_before_batches_are_timed(memory: MemoryStore) -> None:
    told: list[str] = []

    def stop(progress: Progress) -> None:
        if "queries a request" in progress.doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        IndexBenchmark(memory, "main", options(nq=(2,), types=("FLAT",))).run(
            on_run=lambda context, run: told.append(run.kind), on_progress=stop
        )
    assert told == ["build", "search"]


def test_indexes_that_do_not_fit_side_by_side_are_measured_apart_and_it_is_said(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [planned(Flat()), planned(IvfFlat(8), 2), planned(Hnsw(4, 20), 16)]
    together = IndexBenchmark(memory, "main", options()).run(plan).runs
    assert {(run.lot, run.drift_low, run.drift_high) for run in together} == {(0, 1.0, 1.0)}
    monkeypatch.setattr("search_core.lab.session.SIDE_BY_SIDE_BYTES_LITE", 1)
    runs = IndexBenchmark(memory, "main", options()).run(plan).runs
    assert [run.index_type for run in runs if run.kind == "build"] == ["FLAT", "IVF_FLAT", "HNSW"]
    for lot, name in enumerate(("FLAT", "IVF_FLAT", "HNSW")):
        mine = [run for run in runs if run.index_type == name]
        assert {run.lot for run in mine} == {lot}
        assert all(0 < run.drift_low <= run.drift_high for run in mine)
        searches = [run for run in mine if run.kind == "search"]
        assert searches
        for run in searches:
            assert any("Measured apart" in note for note in run.notes) == (lot > 0)


@pytest.mark.parametrize(
    ("rows", "embedded", "lots"), [(100_000, False, 1), (20_000, True, 1), (1_000_000, False, 4)]
)
def test_indexes_stand_side_by_side(rows: int, embedded: bool, lots: int) -> None:
    from search_core.lab.session import chunks_of

    plan = [planned(Flat()), planned(IvfFlat(48), 1), planned(Hnsw(4, 20), 10), planned(IvfPq(m=8))]
    assert len(chunks_of(plan, rows, 512, embedded=embedded)) == lots


@pytest.mark.parametrize("minded", [True, False])
def test_a_parameter_is_said_to_be_ignored_only_where_no_kind_of_query_minds_it(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, minded: bool
) -> None:
    from search_core.store.memory.store import MemoryTrial

    search = MemoryTrial.search
    sentences = clip_like_vectors(10, DIM, seed=5)

    def capped(self: MemoryTrial, queries: Any, *, params: dict[str, int], **more: Any) -> Any:
        rows, scores = search(self, queries, params=params, **more)
        text = bool((np.abs(sentences - queries[0]).max(axis=1) < 1e-5).any())
        rows = rows.copy()
        rows[:, -3 if minded and text and params["ef"] < 64 else -1 :] = -1
        return rows, scores

    monkeypatch.setattr(MemoryTrial, "search", capped)
    runs = (
        IndexBenchmark(memory, "main", options(), encode=lambda texts: sentences[: len(texts)])
        .run([planned(Hnsw(), 16, 64)])
        .searches
    )
    assert {run.query_kind for run in runs} == {"image", "text"}
    accused = [any("changed nothing" in note for note in run.notes) for run in runs]
    assert accused == [not minded] * 4


def test_bits_are_measured_in_their_own_metrics(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search_core.indexes.milvus_version import ServerInfo

    monkeypatch.setattr(MemoryStore, "server", lambda self: ServerInfo("2.3.5", False))
    runs = IndexBenchmark(memory, "main", options()).run([planned(BinFlat())]).searches
    assert [run.build_params["metric_type"] for run in runs] == ["HAMMING", "JACCARD"]
    assert all(run.ann_recall_at_k == 1.0 for run in runs)


def test_sentences_are_measured_apart(memory: MemoryStore) -> None:
    def encode(texts: Sequence[str]) -> Embeddings:
        return clip_like_vectors(len(texts), DIM, seed=5)

    asked = options(types=("FLAT",))
    comparison = IndexBenchmark(memory, "main", asked, encode=encode).run()
    assert [run.query_kind for run in comparison.searches] == ["image", "text"]
    assert "sentences about such footage" in " ".join(comparison.context.remarks)

    def broken(texts: Sequence[str]) -> Embeddings:
        raise EncoderUnavailable("The weights are gone.")

    comparison = IndexBenchmark(memory, "main", asked, encode=broken).run()
    assert [run.query_kind for run in comparison.searches] == ["image"]
    assert "No sentences were asked: The weights are gone." in comparison.context.remarks


def test_what_is_measured_is_told_as_it_is_measured(memory: MemoryStore) -> None:
    told: list[tuple[RunContext, IndexRun]] = []
    steps: list[Progress] = []
    comparison = IndexBenchmark(memory, "main", options(max_rows=100)).run(
        on_run=lambda context, run: told.append((context, run)), on_progress=steps.append
    )
    assert [run for _, run in told] == list(comparison.runs)
    assert all(context == comparison.context for context, _ in told)
    context = comparison.context
    assert context.identity == IDENTITY.to_dict()
    assert context.asked["queries"] == 10 and context.asked["time_limit_s"] > 0
    assert {"torch", "open_clip", "pymilvus", "milvus"} <= set(context.versions)
    assert (context.rows, context.library_rows, context.dim) == (100, 400, DIM)
    assert context.machine["cores"] and context.versions["milvus"]
    assert any("100 of the library's 400 vectors" in remark for remark in context.remarks)
    assert {"reading vectors", "copying vectors", "timing"} <= {step.doing for step in steps}
    assert all(step.done <= step.total for step in steps)


def test_a_filter_that_nothing_passes_is_left_out(memory: MemoryStore) -> None:
    nobody = FilterCase("camera=x", Filter(cameras=("x",)))
    comparison = IndexBenchmark(memory, "main", options(types=("FLAT",), filters=(nobody,))).run()
    assert len(comparison.searches) == 1
    assert any("passes camera=x" in remark for remark in comparison.context.remarks)


def test_too_few_vectors_are_refused(identity: EncoderIdentity) -> None:
    store: Store = MemoryStore()
    store.ensure_library("small", identity)
    with pytest.raises(UsageError, match="has 0 vectors, too few"):
        IndexBenchmark(store, "small").run()


@pytest.mark.parametrize("changes", [{"repeats": 1}, {"nq": (0,)}, {"target_recall": 1.2}])
def test_options_that_cannot_be_measured_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        options(**changes)
