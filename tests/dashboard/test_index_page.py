from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import comparisons, resources
from dashboard.charts import INDEX_COLOURS, comparison_chart, comparison_frame
from search_core.entities import MediaEntity
from search_core.errors import UsageError
from search_core.index_specs import INDEX_SPECS, IvfFlat
from search_core.lab.records import IndexRun
from tests.dashboard.conftest import ROWS, OpenPage, words


def run(index_type: str, recall: float, p50_ms: float, **search: int) -> IndexRun:
    return IndexRun(
        "search", index_type, {"nlist": 4}, search, rows=1000, queries=50,
        ann_recall_at_k=recall, p50_ms=p50_ms, p95_ms=2 * p50_ms, build_s=0.5,
    )  # fmt: skip


RUNS = [run("FLAT", 1.0, 9.0), run("IVF_FLAT", 0.8, 1.0, nprobe=1), run("HNSW", 0.97, 2.0, ef=64)]


def test_compares_indexes_and_keeps_the_comparison(
    library: list[MediaEntity], data_dir: Path, open_page: OpenPage
) -> None:
    app = open_page("index")
    next(button for button in app.button if button.label == "Compare indexes").click().run()

    assert f"over {ROWS} vectors" in words(app)
    assert {"FLAT", "HNSW"} <= set(app.dataframe[0].value["Index"])
    kept = comparisons.latest(data_dir, "main")
    assert kept is not None and kept.runs[0].rows == ROWS
    assert [info.name for info in resources.store().libraries()] == ["main"]


def test_applies_an_index_with_its_own_parameters(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("index")
    app.selectbox(key="kind-main").set_value("IVF_FLAT").run()
    assert [number.label for number in app.number_input] == ["nlist", "nprobe"]

    app.number_input[0].set_value(5)
    app.number_input[1].set_value(2)
    next(button for button in app.button if button.label == "Apply").click().run()

    info = resources.store().library("main")
    assert info.index == IvfFlat(nlist=5)
    assert info.search.nprobe == 2
    assert "IVF_FLAT answers now" in words(app)


def test_a_parameter_out_of_range_is_said_in_words(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("index")
    app.selectbox(key="kind-main").set_value("IVF_FLAT").run()
    app.number_input[0].set_value(2)
    app.number_input[1].set_value(50)
    next(button for button in app.button if button.label == "Apply").click().run()

    assert "nprobe 50 is more than the 2 clusters" in app.error[0].value
    assert not app.exception


def test_the_frame_has_a_row_a_run() -> None:
    frame = comparison_frame(RUNS)

    assert frame["Index"].tolist() == ["FLAT", "IVF_FLAT", "HNSW"]
    assert frame["Searched with"].tolist() == ["–", "nprobe 1", "ef 64"]
    assert frame["Recall"].tolist() == [1.0, 0.8, 0.97]


def test_the_chart_is_logarithmic_and_colours_every_index() -> None:
    assert set(INDEX_COLOURS) <= set(INDEX_SPECS)

    chart = comparison_chart(comparison_frame(RUNS), k=10).to_dict()

    encoding = chart["layer"][1]["encoding"]
    assert encoding["x"]["scale"]["type"] == "log"
    assert encoding["color"]["scale"]["domain"] == ["FLAT", "IVF_FLAT", "HNSW"]
    assert {item["field"] for item in encoding["tooltip"]} >= {"Searched with", "p95 ms"}


def test_a_damaged_comparison_is_none(tmp_path: Path) -> None:
    comparisons.keep(tmp_path, "main", RUNS, 5)
    assert comparisons.latest(tmp_path, "main") == comparisons.Comparison(5, tuple(RUNS))

    (tmp_path / "comparisons" / "main.json").write_text('{"runs": [{"x": 1}]}')
    assert comparisons.latest(tmp_path, "main") is None
    with pytest.raises(UsageError):
        comparisons.latest(tmp_path, "../main")
