from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report.sections import standings
from search_core.lab.report.writer import write_report
from tests.search_core.lab import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = '</script><script>alert("x")</script> & <b>gate</b> {{ 7 * 7 }}'
SECTIONS = {
    "recall-latency",
    "recall-parameter",
    "filters",
    "latency-nq",
    "qps-concurrency",
    "build-size",
}


@pytest.fixture(scope="module")
def made() -> Comparison:
    return made_runs.comparison()


@pytest.fixture(scope="module")
def report(made: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One comparison's report."""
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, [made])
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two comparisons side by side, one of a library with a hostile name."""
    folder = tmp_path_factory.mktemp("pair")
    types = ("FLAT", "IVF_FLAT")
    one = made_runs.comparison(types=types)
    other = made_runs.comparison(
        library=HOSTILE, rows=40_000, milvus="2.6.2", slower=1.4, seed=5, types=types
    )
    runs = tuple(
        replace(run, filter="camera=<i>x</i>") if run.filter == "camera=gate-3" else run
        for run in other.runs
    )
    write_report(folder, [one, Comparison(other.context, runs)])
    return folder


def charts_of(page: Path) -> dict[str, object]:
    text = page.read_text(encoding="utf-8")
    [found] = re.findall(r'<script id="charts" type="application/json">(.*?)</script>', text)
    charts: dict[str, object] = json.loads(found)
    return charts


def test_it_writes_a_page_a_table_and_a_picture_for_each_section(report: Path) -> None:
    assert {path.name for path in report.iterdir()} == {
        "report.html",
        "runs.csv",
        *(f"{name}.png" for name in SECTIONS),
    }
    for name in SECTIONS:
        with Image.open(report / f"{name}.png") as picture:
            assert picture.format == "PNG"
            assert picture.width > 600
            assert picture.convert("L").getextrema() != (255, 255)


def test_the_first_screen_has_the_advice_and_the_table(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    start = text.index("<main>")
    assert start < text.index("Use HNSW") < text.index("sightline index set HNSW")
    assert text.index("sightline index set HNSW") < text.index("Each index at its best")
    assert text.index("Each index at its best") < text.index('id="recall-latency"')


def test_the_page_needs_nothing_from_elsewhere(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<[^>]+(?:src|href)=", outside)
    assert "default-src 'none'" in text
    assert "@import" not in text and "url(" not in text[: text.index("</style>")]
    assert len(text) < 2_500_000


def test_failures_and_notes_are_told_and_not_what_each_filter_aware_search_did(
    report: Path,
) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    told = text[text.index("What to know") : text.index('id="more"')]
    assert "SCANN gave no answer within 120 s" in told
    assert told.count("ef below k was raised to k.") == 1
    assert "searched exactly" not in told


def test_the_page_explains_points_lines_and_bars_and_who_the_clients_are(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    latency = text[text.index('id="recall-latency"') : text.index('id="recall-parameter"')]
    for label in ("the Pareto front", "not on it", "is the advice", "95 % interval"):
        assert label in latency
    assert text.count("lients are threads of one process") == 2


def test_hostile_names_are_text(pair: Path) -> None:
    text = (pair / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<b>gate</b>" not in text
    assert "&lt;script&gt;alert" in text
    assert "{{ 7 * 7 }}" in text
    assert "<i>x</i>" not in text
    assert "camera=<i>x</i>" in json.dumps(charts_of(pair / "report.html"))


def test_comparisons_side_by_side_share_their_axes(pair: Path) -> None:
    specs = charts_of(pair / "report.html")["specs"]
    assert isinstance(specs, list)
    domains = {
        json.dumps(layer["encoding"]["x"]["scale"]["domain"])
        for spec in specs
        if "Recall against latency" in spec["description"]
        for layer in spec["layer"]
        if "scale" in layer["encoding"].get("x", {})
    }
    assert len(domains) == 1


def test_csv_holds_every_run_of_every_comparison(pair: Path) -> None:
    with (pair / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    runs = len(made_runs.comparison(types=("FLAT", "IVF_FLAT")).runs)
    assert Counter(row["library"] for row in rows) == {"main": runs, HOSTILE: runs}
    assert {row["query_kind"] for row in rows} == {"image", "text"}


def test_the_target_changes_the_setting(made: Comparison) -> None:
    [easy] = {one.searched for one in standings(made.runs, 0.9) if "32" in one.series}
    [strict] = {one.searched for one in standings(made.runs, 0.99) if "32" in one.series}
    assert (easy, strict) == ("ef 64", "ef 256")


def test_a_standing_is_the_fastest_setting_that_meets_the_target(made: Comparison) -> None:
    found = standings(made.runs, 0.95)
    meets = [standing.meets for standing in found]
    assert meets == sorted(meets, reverse=True)
    times = [standing.run.p50_ms or 0.0 for standing in found if standing.meets]
    assert times == sorted(times)
    for standing in found:
        assert set(standing.recalls) == {"image", "text"}
        recall = standing.hardest.ann_recall_at_k or 0.0
        assert standing.meets == (recall >= 0.95)


SOME = IndexRun(
    "search", "IVF_FLAT", {"nlist": 4}, {"nprobe": 4}, ann_recall_at_k=1.0, p50_ms=15.0,
    p95_ms=15.0, p99_ms=15.0, p50_low_ms=0.0, p50_high_ms=float("inf"),
)  # fmt: skip
FEW: dict[str, tuple[IndexRun, ...]] = {
    "everything failed": (IndexRun("build", "IVF_FLAT", {"nlist": 4}, error="It hung."),),
    "one setting": (SOME,),
    "only under a filter": (replace(SOME, filter="10%", selectivity=0.1),),
    "bits": (
        replace(SOME, index_type="BIN_FLAT", build_params={"metric_type": "HAMMING"}),
        IndexRun("build", "BIN_FLAT", {"metric_type": "HAMMING"}, build_s=0.0, load_s=0.0),
    ),
    "nothing found": (replace(SOME, ann_recall_at_k=0.0, recall_low=0.0, recall_high=0.1),),
    "no times": (replace(SOME, p50_ms=None, p95_ms=None, p99_ms=None),),
}


@pytest.mark.parametrize("runs", FEW.values(), ids=list(FEW))
def test_little_measured_is_still_a_report(
    runs: tuple[IndexRun, ...], made: Comparison, tmp_path: Path
) -> None:
    write_report(tmp_path, [Comparison(made.context, runs)])
    charts_of(tmp_path / "report.html")
    assert (tmp_path / "runs.csv").read_text().count("\n") == len(runs) + 1


def test_no_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a comparison"):
        write_report(tmp_path, [])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


#: Texts of a chart that lie over one another, or stick out of it, by more than a pixel or two.
MISPLACED = """
() => [...document.querySelectorAll("[data-chart] svg")].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter(text =>
    text.textContent.trim() && getComputedStyle(text).opacity !== "0");
  const boxes = texts.map(text => text.getBoundingClientRect());
  const wrong = [];
  boxes.forEach((one, i) => {
    if (one.left < frame.left - 2 || one.right > frame.right + 2) wrong.push(texts[i].textContent);
    boxes.slice(i + 1).forEach((other, j) => {
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      const both = texts[i].textContent + " | " + texts[i + j + 1].textContent;
      if (across > 1 && down > 3) wrong.push(both);
    });
  });
  return wrong.map(text => svg.parentNode.getAttribute("aria-label") + ": " + text);
})
"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("which", ["report", "pair"])
def test_every_chart_is_drawn_and_no_text_lies_over_another(
    which: str, width: int, scheme: str, chromium: Browser, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(which)
    context = chromium.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.goto((folder / "report.html").as_uri())
    page.wait_for_selector(f"html[data-drawn={scheme}]", timeout=120_000)
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert page.locator("[data-chart] svg").count() == page.locator("[data-chart]").count() > 10
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(MISPLACED) == []
    context.close()
