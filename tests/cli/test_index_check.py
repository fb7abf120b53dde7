from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_library_that_finds_all_passes(run: Run, library: list[str]) -> None:
    checked = run("index", "check", "--queries", 5, "-k", 3, "--json", *library)
    assert checked.exit_code == 0
    assert checked.json["ann_recall_at_k"] == 1.0
    assert checked.json["ok"] is True
    assert checked.json["query_source"] in ("stored", "recorded")
    assert "Recall@3" in run("index", "check", "-k", 3, *library).out


def test_less_than_asked_for_exits_with_1(
    run: Run, library: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from search_core.store import MilvusStore

    monkeypatch.setattr(MilvusStore, "search", lambda *args, **options: [[]])
    checked = run("index", "check", "-k", 3, "--json", *library)
    assert checked.exit_code == 1
    assert (checked.json["ok"], checked.json["ann_recall_at_k"]) == (False, 0.0)
    said = run("index", "check", "-k", 3, "--least-recall", 0.5, *library)
    assert said.exit_code == 1
    assert "less than 0.5" in said.err
    assert run("index", "check", "-k", 3, "--least-recall", 0, *library).exit_code == 0


def test_bounds_are_held(run: Run, library: list[str]) -> None:
    assert run("index", "check", "--least-recall", 1.5, *library).exit_code == 2
    assert run("index", "check", "--queries", 0, *library).exit_code == 2


def test_searches_are_recorded_unless_switched_off(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    options = [*encoder, "--data-dir", tmp_path / "data"]
    run("ingest", media, *options)
    off = {"SIGHTLINE_RECORD_SEARCHES": "false"}
    run("search", "a red circle", *options, env=off)
    assert not (tmp_path / "data" / "searches.sqlite").exists()
    assert (
        run("index", "check", "--queries", 1, "--json", *options).json["query_source"] == "stored"
    )
    run("search", "a red circle", *options)
    checked = run("index", "check", "--queries", 1, "--json", *options).json
    assert (checked["query_source"], checked["queries"]) == ("recorded", 1)
    assert "1 recorded search" in run("index", "check", "--queries", 1, *options).out


def test_a_filtered_search_says_what_it_did(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    options = [*encoder, "--data-dir", tmp_path / "data"]
    run("ingest", media / "gate.mp4", "--camera", "gate", *options)
    run("ingest", media / "red.png", "--camera", "yard", *options)
    run("index", "set", "HNSW", *options)
    found = run("search", "a red circle", "--camera", "gate", "--json", *options)
    assert found.json
    assert "compared exactly, without the index" in found.err
    assert run("search", "a red circle", "--json", *options).err.strip() == ""
