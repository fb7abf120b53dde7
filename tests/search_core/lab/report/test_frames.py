from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd
import pytest

from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report import frames
from tests.search_core.lab import made_runs

FRAMES = (
    frames.recall_latency_frame,
    frames.sweep_frame,
    frames.nq_frame,
    frames.concurrency_frame,
    frames.filter_frame,
    frames.build_frame,
)


@pytest.fixture(scope="module")
def made() -> Comparison:
    return made_runs.comparison()


def run(index_type: str = "IVF_FLAT", **values: object) -> IndexRun:
    given = {"build_params": {"nlist": 64}, "search_params": {"nprobe": 8}} | values
    return IndexRun(given.pop("kind", "search"), index_type, **given)  # type: ignore[arg-type]


def test_the_front_holds_what_nothing_beats_for_each_kind_of_query() -> None:
    runs = [
        run(search_params={"nprobe": 1}, ann_recall_at_k=0.5, p50_ms=1.0),
        run(search_params={"nprobe": 2}, ann_recall_at_k=0.4, p50_ms=2.0),
        run(search_params={"nprobe": 4}, ann_recall_at_k=0.9, p50_ms=3.0),
        run(search_params={"nprobe": 4}, ann_recall_at_k=0.3, p50_ms=9.0, query_kind="text"),
        run(search_params={"nprobe": 8}, ann_recall_at_k=1.0, p50_ms=0.1, filter="1%"),
        run(search_params={"nprobe": 8}, error="It hung."),
    ]
    frame = frames.recall_latency_frame(runs)
    assert frame["on_front"].tolist() == [True, False, True, True]


def test_a_type_built_in_two_ways_is_two_series(made: Comparison) -> None:
    names = set(frames.recall_latency_frame(made.runs)["series"])
    assert {"IVF_FLAT", "HNSW M 16, efConstruction 200", "HNSW M 32, efConstruction 400"} <= names


def test_a_sweep_rises_by_its_parameter_and_leaves_exact_indexes_out(made: Comparison) -> None:
    frame = frames.sweep_frame(made.runs)
    assert "FLAT" not in set(frame["series"])
    part = frame[(frame["series"] == "IVF_SQ8") & (frame["query_kind"] == "pictures")]
    assert part["parameter"].unique().tolist() == ["nprobe"]
    assert part["value"].tolist() == [1, 2, 4, 8, 16, 32, 64, 128]
    assert part["recall"].is_monotonic_increasing


def test_series_come_in_the_order_of_the_types(made: Comparison) -> None:
    for make in FRAMES[1:]:
        shown = make(made.runs)["index"].drop_duplicates().tolist()
        order = ["FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "IVF_PQ", "SCANN", "DISKANN"]
        assert shown == [name for name in order if name in shown]


def test_single_queries_stand_in_for_batches_of_one() -> None:
    single = run(ann_recall_at_k=0.9, p50_ms=2.0)
    batch = run(kind="batch", nq=10, ann_recall_at_k=0.9, p50_ms=8.0)
    filtered, aware = replace(single, filter="1%"), replace(single, strategy="filter_aware")
    frame = frames.nq_frame([single, batch, filtered, aware])
    assert frame["nq"].tolist() == [1, 10]
    assert frame["ms_per_query"].tolist() == [2.0, 0.8]
    assert frames.nq_frame([single, batch, replace(batch, nq=1, p50_ms=3.0)])[
        "p50_ms"
    ].tolist() == [3.0, 8.0]


def test_filter_aware_search_starts_where_there_is_no_filter() -> None:
    runs = [
        run(ann_recall_at_k=0.96, p50_ms=2.0),
        run(ann_recall_at_k=0.50, p50_ms=1.9, filter="1%", selectivity=0.01),
        run(
            ann_recall_at_k=1.0, p50_ms=3.0, filter="1%", selectivity=0.01,
            strategy="filter_aware", notes=("searched exactly",),
        ),
        run(search_params={"nprobe": 1}, ann_recall_at_k=0.2, p50_ms=1.0),
    ]  # fmt: skip
    frame = frames.filter_frame(runs)
    assert frame["searched"].unique().tolist() == ["nprobe 8"]
    aware = frame[frame["strategy"] == "filter-aware"].sort_values("selectivity", ascending=False)
    assert aware["filter"].tolist() == ["none", "1%"]
    assert aware["recall"].tolist() == [0.96, 1.0]
    assert aware["did"].tolist()[1] == "searched exactly"


def test_build_times_are_told_once_and_failures_too(made: Comparison) -> None:
    frame = frames.build_frame(made.runs).set_index("series")
    assert frame.loc["IVF_FLAT", "build_s"] == pytest.approx(9.0)
    assert frame.loc["IVF_PQ", "memory_from"] == "estimated"
    assert "120 s" in str(frame.loc["SCANN", "error"])
    assert frame.index.is_unique


def test_one_setting_a_series_is_kept_else_the_one_that_finds_most(made: Comparison) -> None:
    frame = frames.at_settings(
        frames.concurrency_frame(made.runs), {"IVF_FLAT": "nprobe 16", "IVF_SQ8": "nprobe 999"}
    )
    kept = frame.groupby("series")["searched"].unique()
    assert kept["IVF_FLAT"].tolist() == ["nprobe 16"]
    assert kept["IVF_SQ8"].tolist() == ["nprobe 128"]


def test_every_run_is_in_the_flat_frame_with_its_context(made: Comparison) -> None:
    frame = frames.runs_frame([made])
    assert len(frame) == len(made.runs)
    assert frame["version_milvus"].unique().tolist() == ["2.3.5"]
    assert frame["context_rows"].unique().tolist() == [100_000]
    assert frame.columns.is_unique


@pytest.mark.parametrize("make", FRAMES)
def test_nothing_measured_is_an_empty_frame(
    make: Callable[[Sequence[IndexRun]], pd.DataFrame],
) -> None:
    assert make([]).empty
