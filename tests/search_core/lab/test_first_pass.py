from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Flat, IvfFlat, SearchParams
from search_core.lab.benchmark import IndexBenchmark
from search_core.lab.first_pass import QUERIES, most_asked, narrow, remarks
from search_core.lab.plan import CompareOptions, FilterCase, PlannedIndex
from search_core.lab.recommendation import recommend
from search_core.lab.records import Comparison, IndexRun
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS, DIM = 1_000, 32


@given(settings=st.integers(1, 200), first=st.integers(0, 220))
def test_the_fastest_setting_that_reaches_the_target_is_found_by_asking_few(
    settings: int, first: int
) -> None:
    asked: list[int] = []

    def reaches(setting: int) -> bool:
        asked.append(setting)
        return setting >= first

    found = narrow(range(settings), reaches)

    assert found[0] == settings - 1
    assert min(found) == (first if first < settings else settings - 1)
    assert len(asked) == len(set(asked)) <= most_asked(settings)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    store = MilvusStore(Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db")))
    store.ensure_library("main", EncoderIdentity("e", "", "0" * 32, DIM, "fp32"))
    entities = [make_entity(at) for at in range(ROWS)]
    store.upsert("main", entities, clip_like_vectors(ROWS, DIM))
    store.settle("main")
    yield store
    store.close()


def test_a_first_pass_advises_before_anything_else_is_measured_and_says_what_is_open(
    store: MilvusStore,
) -> None:
    few = tuple(SearchParams(nprobe=nprobe) for nprobe in (1, 2, 3))
    plan = [PlannedIndex(Flat(), (SearchParams(),)), PlannedIndex(IvfFlat(200), few)]
    options = CompareOptions(queries=30, repeats=2, filters=(FilterCase("10%", share=0.1),))
    told: list[str] = []
    first: list[Comparison] = []

    def on_first(comparison: Comparison) -> None:
        told.append("first pass")
        first.append(comparison)

    whole = IndexBenchmark(store, "main", options).run(
        plan, on_run=lambda context, run: told.append(run.kind), on_first=on_first
    )

    assert told[0] == "first pass" and told.count("first pass") == 1
    [early] = first
    assert {run.index_type for run in early.searches} == {"FLAT", "IVF_FLAT"}
    assert {run.queries for run in early.searches} == {QUERIES}
    assert all(run.p50_ms and run.recall_low is not None for run in early.searches)
    assert not any(run.filter for run in early.searches)
    said = " ".join(early.context.remarks)
    assert "20 queries of each kind, 2 of 4 settings" in said
    assert "searches under filters (10%)" in said
    # IVF_FLAT looks into too little to reach the target: the intervals decide.
    advised = [recommend(one.runs) for one in (early, whole)]
    assert [one.spec.index_type for one in advised if one] == ["FLAT", "FLAT"]


def test_without_anybody_to_hear_it_there_is_no_first_pass(store: MilvusStore) -> None:
    doing: list[str] = []
    plan = [PlannedIndex(Flat(), (SearchParams(),))]
    IndexBenchmark(store, "main", CompareOptions(queries=5, repeats=2)).run(
        plan, on_progress=lambda at: doing.append(at.doing)
    )
    assert not any("first pass" in said for said in doing)


def test_a_setting_is_open_where_no_kind_of_query_decides_it() -> None:
    def asked(nprobe: int, low: float, high: float) -> IndexRun:
        return IndexRun(
            "search",
            "IVF_FLAT",
            {"nlist": 8},
            {"nprobe": nprobe},
            recall_low=low,
            recall_high=high,
        )

    plan = [
        PlannedIndex(IvfFlat(8), (SearchParams(nprobe=1), SearchParams(nprobe=2))),
        PlannedIndex(Flat(), (SearchParams(),)),
    ]
    runs = [asked(1, 0.9, 0.99), asked(1, 0.6, 0.8), asked(2, 0.9, 0.99), asked(2, 0.96, 1.0)]

    said = " ".join(remarks(plan, CompareOptions(), runs))

    assert "whether these reach the target: IVF_FLAT (nlist 8) with nprobe 2." in said
    assert "2 of 3 settings" in said and "Not measured yet: FLAT." in said
