from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_bug_is_one_line_and_a_log(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: object) -> None:
        raise ZeroDivisionError("something odd")

    monkeypatch.setattr("sightline.cli.library.library._status", fail)
    outcome = run("status", "--json", "--data-dir", tmp_path)
    assert outcome.exit_code == 1
    assert outcome.out == ""
    assert "This is a bug in Sightline: something odd." in outcome.err
    [log] = (tmp_path / "logs").glob("error-*.log")
    assert str(log) in outcome.err
    assert "Traceback" in log.read_text()


def test_ctrl_c_ends_with_a_word(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.cli.library.library._status", interrupt)
    outcome = run("status", "--data-dir", tmp_path)
    assert outcome.exit_code == 1
    assert "Stopped." in outcome.err


def test_a_setting_that_cannot_be_is_named(run: Run, tmp_path: Path) -> None:
    outcome = run("status", env={"SIGHTLINE_MILVUS_TIMEOUT_S": "soon"})
    assert outcome.exit_code == 2
    assert "milvus.timeout_s" in outcome.err


def test_a_data_dir_that_is_a_file(run: Run, media: Path, encoder: list[str]) -> None:
    outcome = run("ingest", media, *encoder, "--data-dir", media / "red.png")
    assert outcome.exit_code == 1
    assert "red.png" in outcome.err
    assert "bug" not in outcome.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m sightline.cli.main --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_global_options_may_stand_anywhere(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ["--data-dir", str(tmp_path / "here"), "status", "--json"],
        ["status", "--json", f"--data-dir={tmp_path / 'here'}"],
    ):
        assert run(*arguments).json["data_dir"] == str(tmp_path / "here")
    assert run("status", "--data-dir").exit_code == 2
