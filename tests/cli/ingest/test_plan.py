"""`sightline plan`: told as JSON and to people, and nothing kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest.media.lettering import process
from tests.cli.conftest import Outcome, Run
from tests.ingest.rows.test_lettering import ENTRY


def test_json_has_what_an_ingest_then_reports(
    run: Run, media: Path, encoder: list[str], loaded: tuple[list[str], Outcome], tmp_path: Path
) -> None:
    planned = run("plan", media, *encoder, "--data-dir", tmp_path / "data", "--json").json
    report = loaded[1].json
    assert planned["keyframes"] == planned["rows_after"] == report["keyframes"]
    assert len(planned["failures"]) == report["failed"]
    assert planned["sources"]["pending"] - len(planned["failures"]) == report["done"]
    assert {"FLAT", "HNSW", "IVF_FLAT"} <= {item["index_type"] for item in planned["indexes"]}
    assert all(item["memory_bytes"] > 0 for item in planned["indexes"])
    assert planned["thumbnail_bytes"] > 0 and planned["seconds"] > 0
    assert planned["reading_seconds"] == 0
    assert not list(tmp_path.glob("data/*"))


def test_people_read_a_table_and_a_sentence(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    outcome = run("plan", media, *encoder, "--data-dir", tmp_path / "data")
    assert outcome.exit_code == 0
    assert "Keyframes" in outcome.out and "HNSW" in outcome.out
    assert "Taking this in should give some 10 keyframes in about" in outcome.out


def test_what_reading_lettering_would_add_is_told(
    run: Run, media: Path, encoder: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_MEDIA_READ", "auto")
    monkeypatch.setattr(process, "ENTRY", ENTRY)
    monkeypatch.setattr("ingest.estimate.lettering.what_is_missing", lambda: "")
    asked = ("plan", media, *encoder, "--data-dir", tmp_path / "data")
    assert run(*asked, "--json").json["reading_seconds"] > 0
    assert "more, when all can be searched" in run(*asked).out


def test_a_selector_that_is_none_is_refused(run: Run, media: Path) -> None:
    outcome = run("plan", media, "--keyframes", "every-so-often")
    assert outcome.exit_code == 2
    assert "Unknown keyframe selector" in outcome.err


def test_cameras_and_names_with_two_readings_are_listed(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    names = ("yard/2026-03-01/08-15.png", "gate_20260301081500.png", "yard/03-02-2026 08-15-00.png")
    for name, source in zip(names, ("red", "blue", "green"), strict=True):
        (tmp_path / "footage" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(media / f"{source}.png", tmp_path / "footage" / name)
    asked = ("plan", tmp_path / "footage", *encoder, "--data-dir", tmp_path / "data")
    planned = run(*asked, "--json").json
    assert planned["cameras"] == {"yard": 2, "gate": 1}
    [question] = planned["questions"]
    assert question["uri"].endswith(names[2])
    assert "2026-02-03 08:15:00 or 2026-03-02 08:15:00" in question["question"]
    shown = run(*asked)
    assert "2: yard (2), gate (1)" in shown.out and "--name-pattern" in shown.err
    settled = run(*asked, "--name-pattern", "%d-%m-%Y %H-%M-%S", "--json").json
    assert settled["questions"] == []


def test_name_pattern_that_cannot_work_is_refused(run: Run, media: Path) -> None:
    for command in ("plan", "ingest"):
        outcome = run(command, media, "--name-pattern", "%camera/%H-%M")
        assert outcome.exit_code == 2
        assert "'%camera/%H-%M'" in outcome.err and "without %Y, %m, %d" in outcome.err


def test_links_that_lead_nowhere_are_left_out_and_counted(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "red.png").write_bytes((media / "red.png").read_bytes())
    (folder / "loop").symlink_to("loop")
    planned = run("plan", folder, *encoder, "--data-dir", tmp_path / "data", "--json")
    assert planned.exit_code == 0
    assert planned.json["sources"]["pending"] == 1
    assert planned.json["sources"]["skipped"] == {"is a symbolic link that leads to itself": 1}


def test_a_path_that_does_not_exist_fails_the_plan(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    outcome = run("plan", media, tmp_path / "missing", *encoder, "--data-dir", tmp_path / "data")
    assert outcome.exit_code == 1
    assert "missing: does not exist" in outcome.out
    assert "should give some 10 keyframes" in outcome.out
