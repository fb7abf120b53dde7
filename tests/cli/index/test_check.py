from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, invoke


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
    from search_core.store.milvus.store import MilvusStore

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


@pytest.fixture(scope="module")
def graph(
    tmp_path_factory: pytest.TempPathFactory, media: Path, encoder: list[str]
) -> tuple[list[str], Path]:
    """The options of a library of its own with an HNSW index, and its data directory."""
    data = tmp_path_factory.mktemp("graph")
    options = [*encoder, "--data-dir", str(data)]
    invoke("ingest", media / "gate.mp4", "--started-at", "2026-03-01T06:00:00Z", *options)
    invoke("index", "set", "HNSW", *options)
    return options, data


def test_searches_are_recorded_unless_switched_off(run: Run, graph: tuple[list[str], Path]) -> None:
    options, data = graph
    run("search", "a red circle", *options, env={"SIGHTLINE_RECORD_SEARCHES": "false"})
    assert not (data / "searches.sqlite").exists()
    before = run("index", "check", "--queries", 1, "-k", 1, "--json", *options).json
    assert before["query_source"] == "stored"
    run("search", "a red circle", *options)
    after = run("index", "check", "--queries", 1, "-k", 1, "--json", *options).json
    assert (after["query_source"], after["queries"]) == ("recorded", 1)


def test_a_filtered_search_says_what_it_did(run: Run, graph: tuple[list[str], Path]) -> None:
    options, _ = graph
    found = run("search", "a red circle", "--after", "2026-03-01T06:00:01Z", "--json", *options)
    assert found.json
    assert "compared exactly, without the index" in found.err
    assert run("search", "a red circle", "--json", *options).err.strip() == ""
