from __future__ import annotations

from collections.abc import Iterator

import pytest

from search_core.benchmark import IndexBenchmark, IndexRun, default_plan, recommended
from search_core.encoders.base import EncoderIdentity
from search_core.endpoint import Endpoint
from search_core.errors import UsageError
from search_core.index_specs import Flat, Hnsw, IvfFlat, SearchParams
from search_core.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    folder = tmp_path_factory.mktemp("lite")
    store = MilvusStore(Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock"))
    store.ensure_library("main", EncoderIdentity("e", "", "0" * 32, 16, "fp32"))
    store.upsert("main", [make_entity(i) for i in range(600)], clip_like_vectors(600, 16))
    store.settle("main")
    yield store
    store.close()


def test_the_four_types_are_measured_against_exact_neighbours(store: MilvusStore) -> None:
    runs = IndexBenchmark(store, "main", queries=20, repeats=1).run()
    assert list(dict.fromkeys(run.index_type for run in runs)) == [
        "FLAT",
        "IVF_FLAT",
        "IVF_SQ8",
        "HNSW",
    ]
    by_type = {run.index_type: run for run in runs}
    assert by_type["FLAT"].ann_recall_at_k == 1.0
    assert by_type["HNSW"].ann_recall_at_k >= 0.95
    ivf = [run.ann_recall_at_k for run in runs if run.index_type == "IVF_FLAT"]
    assert ivf[0] < ivf[-1] or ivf[0] == 1.0
    assert all(0 < run.p50_ms <= run.p95_ms and run.build_s > 0 for run in runs)


def test_a_record_has_the_promised_fields(store: MilvusStore) -> None:
    [run] = IndexBenchmark(store, "main", queries=5, repeats=1).run([(Flat(), [SearchParams()])])
    promised = {
        "index_type",
        "build_params",
        "search_params",
        "ann_recall_at_k",
        "p50_ms",
        "p95_ms",
        "build_s",
    }
    assert promised <= set(run.to_dict())


def test_scratch_libraries_are_removed_also_when_a_search_fails(store: MilvusStore) -> None:
    with pytest.raises(UsageError):
        IndexBenchmark(store, "main", queries=5, repeats=1).run(
            [(IvfFlat(nlist=2), [SearchParams(nprobe=64)])]
        )
    assert [info.name for info in store.libraries()] == ["main"]
    assert store._client.list_aliases()["aliases"] == ["main"]


def test_too_few_vectors_are_refused(store: MilvusStore) -> None:
    store.ensure_library("small", EncoderIdentity("e", "", "0" * 32, 16, "fp32"))
    with pytest.raises(UsageError, match="has 0 vectors, too few"):
        IndexBenchmark(store, "small").run()
    store.drop_library("small")


@pytest.mark.parametrize("rows", [11, 500, 5_000, 1_000_000])
def test_the_default_plan_is_valid_at_any_size(rows: int) -> None:
    for spec, settings in default_plan(rows):
        for params in settings:
            assert isinstance(spec.search_params(params, 10), dict)
    assert any(isinstance(spec, Hnsw) for spec, _ in default_plan(rows))


def _run(recall: float, p50_ms: float) -> IndexRun:
    return IndexRun("HNSW", {}, {}, 10, 100, 10, recall, p50_ms, p50_ms, 1.0)


def test_recommended_finds_most_of_the_fastest_that_find_enough() -> None:
    slow, fast, nearly_as_fast, poor = (
        _run(1.0, 9.0),
        _run(0.96, 3.0),
        _run(0.98, 3.2),
        _run(0.5, 1),
    )
    assert recommended([slow, fast, poor]) is fast
    assert recommended([slow, fast, nearly_as_fast, poor]) is nearly_as_fast
    assert recommended([poor, better := _run(0.9, 8.0)]) is better
