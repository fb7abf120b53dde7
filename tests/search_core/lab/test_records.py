"""Measurements written and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_core.lab.records import IndexRun, read_jsonl, write_jsonl
from tests.search_core.lab.made_runs import comparison


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    made = comparison()
    write_jsonl(tmp_path / "runs.jsonl", made.context, made.runs)
    found = read_jsonl(tmp_path / "runs.jsonl")
    assert found.context.run_id == made.context.run_id
    assert [run.index_type for run in found.runs] == [run.index_type for run in made.runs]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    made = comparison()
    write_jsonl(path, made.context, made.runs)
    path.write_text(path.read_text()[:-40])
    assert len(read_jsonl(path).runs) == len(made.runs) - 1


def test_a_file_without_measurements_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").touch()
    with pytest.raises(ValueError, match="holds no measurements"):
        read_jsonl(tmp_path / "runs.jsonl")


def test_sizes_written_together_once_are_still_read() -> None:
    old = {"kind": "build", "index_type": "FLAT", "build_params": {}, "size_from": "measured"}
    run = IndexRun.from_dict(old)
    assert (run.index_from, run.memory_from) == ("measured", "measured")
