"""A data directory that the user of the command cannot write to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import invoke

_ROOT = Path(__file__).parents[3]
#: Runs commands on a copy, so that all is imported (nobody may not be able to read Python itself),
#: gives up root's rights, and prints what comes of the same commands.
_RUNS = """
import json, os, sys
from tests.cli.conftest import invoke
commands = json.load(sys.stdin)
for command in commands:
    invoke(*(word.replace(sys.argv[1], sys.argv[2]) for word in command))
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
for command in commands:
    outcome = invoke(*command)
    print(json.dumps([outcome.exit_code, outcome.out, outcome.err]), flush=True)
"""


def in_user(commands: list[list[str]], data: Path, copy: Path) -> list[tuple[int, str, str]]:
    """Run commands as a user who may read a data directory and not write to it."""
    copy.mkdir()
    shutil.copytree(data, copy / "data", copy_function=shutil.copyfile)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = subprocess.run(
        [sys.executable, "-c", _RUNS, str(data), str(copy / "data")],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "COLUMNS": "200"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def shared(media: Path, tiny_model_dir: Path) -> Iterator[Path]:
    """A folder with a data directory, its encoder and its media that its readers cannot change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(tiny_model_dir, folder / "model")
        (folder / "media").mkdir()
        for medium in ("red.png", "gate.mp4"):
            shutil.copy(media / medium, folder / "media")
        options = ["--model", f"local-dir:{folder / 'model'}", "--data-dir", folder / "data"]
        assert invoke("ingest", folder / "media", *options).exit_code == 0
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_data_directory_that_cannot_be_written_is_searched(shared: Path, tmp_path: Path) -> None:
    options = ["--model", f"local-dir:{shared / 'model'}", "--data-dir", str(shared / "data")]
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    searched, verified, ingested, changed = in_user(
        [
            ["search", "red", "--json", *options],
            ["verify", *options],
            ["ingest", str(shared / "media"), *options],
            ["index", "set", "HNSW", *options],
        ],
        shared / "data",
        tmp_path / "copy",
    )
    assert searched[0] == 0, searched[2]
    assert len(json.loads(searched[1])) == 5
    assert verified[0] == 0, verified[1:]
    for code, _, error in (ingested, changed):
        assert code == 1
        assert f"The data directory {shared / 'data'} cannot be written" in error
        assert "Errno" not in error
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*")} == before


def test_a_data_directory_that_cannot_be_read_says_so(shared: Path, tmp_path: Path) -> None:
    vectors = next((shared / "data" / "milvus.db" / "collections").iterdir())
    vectors.chmod(0)
    try:
        options = ["--model", f"local-dir:{shared / 'model'}", "--data-dir", str(shared / "data")]
        searches = [["search", "red", *options]]
        [(code, _, error)] = in_user(searches, shared / "data", tmp_path / "copy")
    finally:
        vectors.chmod(0o555)
    assert code == 1
    assert str(vectors) in error
    assert "cannot be read" in error
    assert "bug in Sightline" not in error
