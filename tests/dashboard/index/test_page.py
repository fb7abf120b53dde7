from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button, NumberInput

from dashboard import resources
from dashboard.i18n import gettext as language
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import speaking
from dashboard.index.apply import (
    Choice,
    cost_text,
    kept_comparisons,
    offered_types,
    recommendation_words,
)
from dashboard.index.compare import filter_case
from dashboard.index.jobs import worth_showing
from dashboard.index.page import advice_frame, advice_sentence
from ingest.jobs.requests import CompareRequest
from ingest.jobs.table import Job, JobState
from ingest.jobs.worker import Timing, run_worker
from search_core.indexes import IvfFlat
from search_core.indexes.advice import advise
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.plan import CompareOptions
from search_core.lab.recommendation import recommend
from search_core.lab.records import FIRST_FILE, IndexRun, RunContext, write_jsonl
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from tests.dashboard.conftest import ROWS, OpenPage, words

STARTED = "2026-03-0{}T09:00:00+00:00"
CONTEXT = RunContext(
    "a", STARTED.format(1), "main", "ViT-B-32", "COSINE", 512, 1000, 4000, 10, 0, 4,
    {"milvus": "2.3.5"}, {"cpu": "x"},
)  # fmt: skip


def run(
    index_type: str, recall: float, p50_ms: float, built: Any = None, **search: int
) -> IndexRun:
    return IndexRun(
        "search", index_type, built or {}, search, rows=1000, queries=50,
        ann_recall_at_k=recall, p50_ms=p50_ms, p95_ms=2 * p50_ms, build_s=0.5,
        memory_bytes=2_000_000, index_from="measured", memory_from="measured",
    )  # fmt: skip


RUNS = [
    run("FLAT", 1.0, 9.0),
    run("IVF_FLAT", 0.8, 1.0, {"nlist": 8}, nprobe=1),
    run("HNSW", 0.97, 2.0, {"M": 16, "efConstruction": 200}, ef=64),
]


@pytest.fixture
def keep(settings: Settings) -> Callable[..., Path]:
    """Return a function that puts a comparison into the data directory, as a job would."""

    def kept(job_id: str, started_at: str, *runs: IndexRun, whole: bool = True) -> Path:
        folder = settings.comparisons_dir / job_id
        folder.mkdir(parents=True)
        write_jsonl(folder / "runs.jsonl", replace(CONTEXT, started_at=started_at), runs)
        if whole:
            (folder / "report.html").write_text("<p>report</p>")
        return folder

    return kept


@pytest.fixture
def work(settings: Settings) -> Callable[[], None]:
    """Return a function that performs all jobs there are."""

    def perform() -> None:
        run_worker(
            settings,
            store=resources.store(),
            encoder=resources.encoder(),
            until_idle=True,
            timing=Timing(idle_s=0.01, look_s=0.0),
        )

    return perform


def test_a_comparison_is_a_job_whose_advice_is_applied(
    library: list[MediaEntity],
    settings: Settings,
    open_page: OpenPage,
    work: Callable[[], None],
) -> None:
    app = open_page("index")
    app.multiselect[0].set_value(["IVF_FLAT", "HNSW"])
    app.multiselect[1].set_value(["50%"])
    number(app, "Queries of each kind").set_value(10)
    press(app, "Compare indexes")
    assert "Comparing" in words(app) and button(app, "Cancel")

    work()
    app.run()
    (kept,) = kept_comparisons(settings.comparisons_dir, "main")
    assert kept.is_whole and kept.context.rows == ROWS and kept.advice is not None
    assert set(kept.index_types) == {"IVF_FLAT", "HNSW"}
    assert {run.filter for run in kept.comparison.searches} == {"", "50%"}
    assert plain(kept.advice.sentence) in app.success[0].value
    use = next(box for box in app.selectbox if box.label == "Use")
    use.select_index(next(at for at, said in enumerate(use.options) if "IVF_FLAT" in said)).run()
    assert "Searches and ingest go on" in words(app)
    press(app, "Apply IVF_FLAT")

    work()
    app.run()
    assert resources.store().library("main").index.index_type == "IVF_FLAT"
    assert plain("IVF_FLAT answers now") in words(app)
    assert app.metric[0].value == "IVF_FLAT"


def test_two_comparisons_stand_side_by_side(
    library: list[MediaEntity], open_page: OpenPage, keep: Callable[..., Path]
) -> None:
    keep("older", STARTED.format(1), *RUNS)
    keep("newer", STARTED.format(2), *RUNS[:2], whole=False)
    app = open_page("index")

    labels = ("Comparison", "Compare with")
    first, second, *_ = (box for box in app.selectbox if box.label in labels)
    assert first.value == "newer"
    assert "did not finish" in words(app)
    second.set_value("older").run()

    assert [box.label for box in app.selectbox].count("Use") == 2
    assert len(app.success) == 2
    charts = next(group for group in app.button_group if group.label == "Charts")
    charts.set_value("All numbers").run()
    assert [len(frame.value) for frame in app.dataframe] == [2, 3]


def test_the_first_pass_is_shown_while_the_rest_is_measured_and_then_replaced(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    job_id = resources.jobs().submit(CompareRequest("main", CompareOptions()))
    folder = settings.comparisons_dir / job_id
    folder.mkdir(parents=True)
    remark = "Not measured yet: searches under filters (1%)."
    context = replace(CONTEXT, started_at=STARTED.format(3), remarks=(remark,))
    write_jsonl(folder / FIRST_FILE, context, RUNS[:2])

    app = open_page("index")
    assert "FLAT" in app.success[0].value and "searches under filters" in words(app)
    assert "this advice stands" in app.info[0].value
    assert (
        "first pass" in next(box for box in app.selectbox if box.label == "Comparison").options[0]
    )

    resources.jobs().cancel(job_id)
    app.run()
    assert "FLAT" in app.success[0].value and not app.info
    assert "did not finish" in words(app)

    write_jsonl(folder / "runs.jsonl", replace(context, remarks=()), RUNS)
    (folder / "report.html").write_text("<p>report</p>")
    app.run()
    assert "HNSW" in app.success[0].value and "searches under filters" not in words(app)
    (kept,) = kept_comparisons(settings.comparisons_dir, "main")
    assert kept.is_whole and not kept.is_first


def test_a_comparison_is_shown_in_chinese_with_its_charts(
    library: list[MediaEntity],
    open_page: OpenPage,
    keep: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language, "preferred", lambda cookies, locales: "zh")
    keep("one", STARTED.format(1), *RUNS)
    app = open_page("index")

    assert "建议使用 HNSW" in app.success[0].value and "越靠左上越好" in words(app)
    chart = app.get("vega_lite_chart")[0].proto
    drawn = json.dumps(json.loads(chart.spec), ensure_ascii=False)
    assert "召回率@10（靠近 1 处拉伸）" in drawn and "延迟中位数，毫秒" in drawn
    assert chart.datasets and "recall:" not in drawn
    assert "帕累托前沿" in words(app) and "目标：0.95" in drawn
    charts = next(group for group in app.button_group if group.label == "图表")
    with speaking("zh"):  # the test's own thread formats what is chosen as well
        charts.set_value("All numbers").run()
    assert "召回率" in app.dataframe[0].value.columns


def test_what_is_no_comparison_is_left_out(settings: Settings, keep: Callable[..., Path]) -> None:
    keep("good", STARTED.format(1), *RUNS)
    damaged = keep("damaged", STARTED.format(2), *RUNS) / "runs.jsonl"
    damaged.write_text(json.dumps({"context": {"x": 1}}) + "\n")
    keep("no-time", "yesterday", *RUNS)
    keep("nothing-measured", STARTED.format(3))
    (settings.comparisons_dir / "main.json").write_text("{}")

    found = kept_comparisons(settings.comparisons_dir, "main")
    assert [kept.job_id for kept in found] == ["good"]
    assert "HNSW" in found[0].to_csv()
    assert kept_comparisons(settings.comparisons_dir, "other") == []


def test_an_index_chosen_by_hand_is_built_as_a_job(
    library: list[MediaEntity], open_page: OpenPage, work: Callable[[], None]
) -> None:
    app = open_page("index", part="Change by hand")
    app.selectbox(key="kind-main").set_value("IVF_FLAT").run()
    assert [number.label for number in app.number_input] == ["nlist", "nprobe"]
    app.number_input[0].set_value(5)
    app.number_input[1].set_value(50)
    press(app, "Apply")
    assert "nprobe 50 is more than the 5 clusters" in app.error[0].value
    assert not resources.jobs().list()

    app.number_input[1].set_value(2)
    press(app, "Apply")
    work()
    info = resources.store().library("main")
    assert info.index == IvfFlat(nlist=5)
    assert info.search.nprobe == 2


def test_a_job_is_cancelled_and_tried_again(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("index")
    press(app, "Compare indexes")
    press(app, "Cancel")
    (job,) = resources.jobs().list()
    assert job.state == "cancelled"
    app.run()
    press(app, "Try again")
    assert resources.jobs().list()[0].state == "queued"


def test_live_recall_is_checked_on_request(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("index")
    press(app, "Check recall now")

    assert "of the exact 10 neighbours" in words(app)
    assert f"over {ROWS} vectors" in words(app)
    assert app.metric[-1].label == "Live recall@10" and app.metric[-1].value == "1.000"


def test_advising_is_a_form(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("index", part="Advise")
    assert "Start with" in app.success[0].value

    number(app, "Memory of the machine, GiB").set_value(0.5)
    press(app, "Advise")
    assert "No index fits" in app.warning[0].value


def test_advice_names_memory_and_parameters() -> None:
    found = advise(1_000_000, 512, 16 * 2**30, 0.95, ServerInfo("2.6.0", embedded=False))

    said = advice_sentence(found, 1_000_000, 16 * 2**30, 0.95)
    assert found[0].spec.index_type in said and "14.4 GiB usable" in said
    frame = advice_frame(found)
    assert frame["Verdict"].iloc[0] == "recommended"
    assert len(frame) == len(found)


def test_what_is_advised_is_said_as_the_lab_says_it() -> None:
    slow = replace(RUNS[0], p50_ms=2.0, p50_low_ms=1.0, p50_high_ms=9.0)
    doubtful = replace(RUNS[2], recall_low=0.9, filter="10%")
    for runs, target in ((RUNS, 0.95), (RUNS[1:2], 0.95), ([slow, RUNS[2]], 0.9)):
        advice = recommend(runs, target)
        assert advice is not None and recommendation_words(advice) == advice.sentence
    advice = recommend([RUNS[2], doubtful], 0.95)
    assert advice is not None and recommendation_words(advice) == advice.sentence
    with speaking("zh"):
        assert "建议使用 HNSW (M 16, efConstruction 200)，ef 64" in recommendation_words(advice)


def test_costs_are_those_measured_in_proportion_to_what_there_is_now() -> None:
    choice = Choice(RUNS[2], RUNS[2], 0.97, advised=True)

    alike = cost_text(choice, 512, 1000)
    assert "Building took 0.500 s; loaded it holds 2.00 MB" in alike
    assert "(2.05 MB more)" in alike
    grown = cost_text(choice, 512, 4000)
    assert "about 2.00 s, extrapolated from 0.500 s measured over 1,000 vectors" in grown
    assert "about 8.00 MB" in grown
    assert not Choice(RUNS[1], RUNS[1], 0.8, advised=False).label.startswith("★")


def test_choices_are_what_this_milvus_has() -> None:
    lite = offered_types(ServerInfo("3.2.2", embedded=True), 512)
    assert {"FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW"} <= set(lite)
    assert not {"DISKANN", "GPU_CAGRA", "BIN_FLAT"} & set(lite)
    assert filter_case("10%").share == 0.1
    assert filter_case("camera 10%").where == Filter(cameras=("10%",))


def test_the_last_job_is_shown_unless_the_page_shows_what_came_of_it() -> None:
    def job(kind: str, state: JobState) -> Job:
        return Job(f"{kind}-{state}", kind, "t", state, 0.0, {}, "", 0)

    done, failed, running = job("compare", "done"), job("index", "failed"), job("index", "running")
    assert worth_showing([done, failed]) == []
    assert worth_showing([failed, done]) == [failed]
    assert worth_showing([done, running, failed]) == [running]
    assert worth_showing([job("index", "done")])[0].state == "done"
    assert worth_showing([]) == []


def button(app: AppTest, label: str) -> Button:
    return next(button for button in app.button if button.label == label)


def press(app: AppTest, label: str) -> None:
    button(app, label).click().run()


def number(app: AppTest, label: str) -> NumberInput:
    return next(number for number in app.number_input if number.label == label)
