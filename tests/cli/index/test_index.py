from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_set_changes_the_index_and_show_tells_it(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    options = [*encoder, "--data-dir", tmp_path / "data"]
    run("ingest", media, *options)
    before = run("index", "show", "--json", *options).json
    assert before["index"]["index_type"] == "FLAT"
    assert before["rows"] == 10
    changed = run("index", "set", "ivf-flat", "--nlist", 2, "--nprobe", 2, "--json", *options).json
    assert changed["index"] == {"index_type": "IVF_FLAT", "nlist": 2}
    assert changed["search"]["nprobe"] == 2
    assert "nlist=2" in run("index", "show", *options).out
    assert len(run("search", "x", "--json", *options).json) == 10


def test_set_takes_any_parameter_of_a_type(run: Run, library: list[str]) -> None:
    options = ["--m", 8, "--option", "refine=false", "--option", "refine_type=FP16"]
    changed = run("index", "set", "HNSW_SQ", *options, "--ef", 99, "--json", *library).json
    assert changed["index"]["refine"] is False and changed["index"]["refine_type"] == "FP16"
    assert changed["index"]["m"] == 8 and changed["search"]["ef"] == 99
    assert run("index", "set", "FLAT", *library).exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["TREE"], "Choose one of FLAT, IVF_FLAT, IVF_SQ8, HNSW"),
        (["FLAT", "--m", "8"], "FLAT has no parameter m"),
        (["HNSW", "--m", "1"], "M must be a whole number from 2"),
        (["HNSW", "--nprobe", "4"], "not searched with nprobe"),
        (["IVF_FLAT", "--nlist", "4", "--nprobe", "8"], "more than the 4 clusters"),
        (["HNSW_SQ", "--option", "nbits=8"], "nbits=8 is not a parameter of HNSW_SQ"),
        (["HNSW_SQ", "--option", "refine=true"], "does not offer HNSW_SQ with refine"),
        (["IVF_FLAT", "--nlist", "60000"], "only as many clusters as vectors"),
        (["HNSW", "--option", "search_list=20"], "not searched with search_list"),
    ],
)
def test_set_refuses_what_milvus_would_not_take(
    run: Run, library: list[str], options: list[str], said: str
) -> None:
    outcome = run("index", "set", *options, *library)
    assert outcome.exit_code == 2
    assert said in outcome.err


def test_compare_measures_four_indexes(run: Run, library: list[str]) -> None:
    outcome = run("index", "compare", "--k", 3, "--queries", 4, "--json", *library)
    assert outcome.exit_code == 0
    runs = outcome.json
    assert {item["index_type"] for item in runs} == {"FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW"}
    for item in runs:
        assert 0 <= item["ann_recall_at_k"] <= 1
        assert 0 < item["p50_ms"] <= item["p95_ms"]
        assert item["build_s"] > 0
        assert isinstance(item["build_params"], dict)
        assert isinstance(item["search_params"], dict)
    assert [info["library"] for info in run("library", "list", "--json", *library).json] == ["main"]


def test_compare_needs_enough_vectors(run: Run, library: list[str]) -> None:
    outcome = run("index", "compare", "--k", 10, *library)
    assert outcome.exit_code == 2
    assert "too few" in outcome.err
