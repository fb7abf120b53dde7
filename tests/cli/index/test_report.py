from __future__ import annotations

from pathlib import Path

import pytest

from search_core.lab.records import write_jsonl
from tests.cli.conftest import Run
from tests.search_core.lab import made_runs


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the measurements of a comparison, as `index compare --out` leaves it."""
    folder = tmp_path_factory.mktemp("measured")
    made = made_runs.comparison(types=("FLAT", "IVF_FLAT"))
    write_jsonl(folder / "runs.jsonl", made.context, made.runs)
    return folder


def test_report_writes_beside_the_measurements(run: Run, measured: Path) -> None:
    outcome = run("index", "report", measured, "--json")
    assert outcome.exit_code == 0
    written = [Path(path) for path in outcome.json]
    assert written[0] == measured / "report.html"
    assert all(path.is_file() and path.parent == measured for path in written)


def test_several_are_laid_side_by_side_where_one_asks(
    run: Run, measured: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    outcome = run("index", "report", measured, measured, "--out", out, "--target-recall", 0.5)
    assert outcome.exit_code == 0
    assert "report.html" in outcome.out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Index comparisons side by side" in page
    assert "50.0%" in page


@pytest.mark.parametrize("contents", [None, "", "not JSON\n", '{"context": {}}\n'])
def test_a_folder_without_measurements_is_told_plainly(
    run: Run, tmp_path: Path, contents: str | None
) -> None:
    if contents is not None:
        (tmp_path / "runs.jsonl").write_text(contents)
    outcome = run("index", "report", tmp_path)
    assert outcome.exit_code == 2
    assert "index compare --out" in outcome.err


def test_a_folder_that_cannot_be_written_is_told_plainly(
    run: Run, measured: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    outcome = run("index", "report", measured, "--out", tmp_path / "taken")
    assert outcome.exit_code == 2
    assert "cannot be written" in outcome.err
