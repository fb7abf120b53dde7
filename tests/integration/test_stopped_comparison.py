"""`sightline index compare` ended by a signal: its scratch collections are gone, or soon are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import TRIAL_PREFIX
from tests.conftest import clip_like_vectors, make_entity

ROOT = Path(__file__).parents[2]
ROWS, DIM = 1500, 32


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory whose library is large enough that a comparison takes its time."""
    folder = tmp_path / "data"
    folder.mkdir()
    endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
    with closing(MilvusStore(endpoint)) as store:
        store.ensure_library("main", EncoderIdentity("made-up", "", "0" * 32, DIM, "fp32"))
        store.upsert("main", [make_entity(at) for at in range(ROWS)], clip_like_vectors(ROWS, DIM))
        store.settle("main")
    return folder


@pytest.fixture
def comparing(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A comparison that has made a scratch collection and is far from its end."""
    process = subprocess.Popen(
        [*command(data_dir), "index", "compare", "--no-text", "--queries", "400", "--repeats", "9"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=heed_hangups,
    )
    try:
        while not scratch(data_dir):
            assert process.poll() is None, process.communicate()[1].decode()
        yield process
    finally:
        process.kill()
        process.communicate()


def heed_hangups() -> None:
    """Let SIGHUP end this process, also where the tests run below nohup, which has it ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def command(data_dir: Path) -> list[str]:
    return [sys.executable, "-m", "sightline.cli.main", "--data-dir", str(data_dir)]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "SIGHTLINE" not in name}


def scratch(data_dir: Path) -> list[str]:
    """Return the scratch collections that Milvus Lite knows."""
    found = (data_dir / "milvus.db" / "collections").glob(f"{TRIAL_PREFIX}*/schema.json")
    return [schema.parent.name for schema in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_told_to_end_it_leaves_nothing(
    comparing: subprocess.Popen[bytes], data_dir: Path, number: signal.Signals
) -> None:
    comparing.send_signal(number)
    _, said = comparing.communicate(timeout=120)
    assert comparing.returncode == 128 + number
    assert "Stopped." in said.decode()
    assert "Traceback" not in said.decode()
    assert scratch(data_dir) == []


def test_killed_the_next_command_removes_what_it_left(
    comparing: subprocess.Popen[bytes], data_dir: Path
) -> None:
    comparing.kill()
    comparing.wait()
    assert scratch(data_dir)
    done = subprocess.run(
        [*command(data_dir), "status"], cwd=ROOT, env=environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert scratch(data_dir) == []
