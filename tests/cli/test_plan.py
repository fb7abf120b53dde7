"""`sightline plan`: told as JSON and to people, and nothing kept."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Outcome, Run


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
    assert not list(tmp_path.glob("data/*"))


def test_people_read_a_table_and_a_sentence(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    outcome = run("plan", media, *encoder, "--data-dir", tmp_path / "data")
    assert outcome.exit_code == 0
    assert "Keyframes" in outcome.out and "HNSW" in outcome.out
    assert "Taking this in should give some 10 keyframes in about" in outcome.out


def test_a_selector_that_is_none_is_refused(run: Run, media: Path) -> None:
    outcome = run("plan", media, "--keyframes", "every-so-often")
    assert outcome.exit_code == 2
    assert "no way to choose keyframes" in outcome.err


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
