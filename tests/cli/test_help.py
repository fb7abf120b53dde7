from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Run

COMMANDS = [
    "ingest", "watch", "search", "demo", "status", "failures", "verify", "cameras",
    "cameras add", "cameras change", "cameras pause", "cameras resume", "cameras remove",
    "folders", "prune", "delete", "serve", "worker", "doctor",
    "jobs list", "jobs show", "jobs cancel", "jobs retry",
    "library list", "library show", "library reembed", "library drop",
    "index show", "index set", "index compare", "index advise",
    "index check",
]  # fmt: skip


def test_help_names_every_command_and_global_option(run: Run) -> None:
    outcome = run("--help")
    assert outcome.exit_code == 0
    words = [*(command.split()[0] for command in COMMANDS), "--data-dir", "--model", "--pretrained"]
    assert [word for word in words if word not in outcome.out] == []
    assert "SIGHTLINE_DATA_DIR" in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    outcome = run(*command.split(), "--help")
    assert outcome.exit_code == 0
    assert f"sightline {command}" in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [["serch"], ["search", "--nonsense"], ["ingest"], ["index", "set"], ["search", "x", "-k", "a"]],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.exit_code == 2
    assert outcome.out == ""


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'pymilvus', 'open_clip', 'streamlit', 'av', 'numpy.testing'}"
    code = f"import sys, sightline.cli.main; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("sightline ")
