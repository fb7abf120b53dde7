"""`sightline serve` as people run it: a process of its own, ended by signals."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search_core.store.endpoint import is_locked
from tests.cli.conftest import Run, data_dir_of
from tests.support.waiting import free_port, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
DEADLINE_S = 60.0


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def own(library: list[str], tmp_path: Path) -> list[str]:
    """The options of a copy of the loaded library."""
    shutil.copytree(data_dir_of(library), tmp_path / "data")
    return [*library[:2], "--data-dir", str(tmp_path / "data")]


@contextmanager
def serving(options: list[str], *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline.cli.main", "serve", *more, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started: list[int] = []
    try:
        yield process
        started = children_of(process.pid)
    finally:
        process.kill()
        process.wait()
        for pid in started:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        if process.stdout:
            process.stdout.close()


def read_until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Sightline is at" in line:
            return said
    raise AssertionError(f"serve ended: {said}")


def test_serve_is_shared_refuses_a_second_and_stops_on_ctrl_c(run: Run, own: list[str]) -> None:
    with serving(own, "--port", str(port := free_port())) as process:
        read_until_ready(process)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/_stcore/health")
        assert connection.getresponse().status == 200
        connection.close()
        pids = children_of(process.pid)
        assert len(pids) == 3

        # Other commands use its Milvus.
        assert len(run("search", "x", "--json", *own).json) == 10
        status = run("status", "--json", *own).json
        assert status["serve"]["pid"] == process.pid
        assert status["serve"]["dashboard_url"] == f"http://127.0.0.1:{port}"
        assert status["milvus"]["uri"].startswith("http://127.0.0.1:")

        second = run("serve", *own)
        assert second.exit_code == 1
        assert f"already serving {data_dir_of(own)}" in second.err
        assert str(process.pid) in second.err

        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
        assert [pid for pid in pids if is_alive(pid)] == []
    assert not (data_dir_of(own) / "serve.json").exists()
    assert len(run("search", "x", "--json", *own).json) == 10


def test_nothing_outlives_a_killed_serve(run: Run, own: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(own, "--port", str(port)) as process:
            assert f"Port {port} is taken" in read_until_ready(process)
            pids = children_of(process.pid)
            process.kill()
            process.wait()
            wait_until(lambda: not any(is_alive(pid) for pid in pids), "its children to end")
    # The state it left is not believed.
    assert (data_dir_of(own) / "serve.json").exists()
    assert run("status", "--json", *own).json["serve"] is None


def test_a_part_that_ends_is_named_with_its_last_lines(own: list[str]) -> None:
    missing = ["--pretrained", str(data_dir_of(own) / "missing.safetensors")]
    with serving([*own, *missing], "--port", str(free_port())) as process:
        said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "The worker ended by itself" in said
    assert "missing.safetensors does not exist" in said
    assert "Traceback" not in said
    assert not is_locked(data_dir_of(own) / "milvus.db")


def test_a_busy_embedded_milvus_is_told_plainly(run: Run, own: list[str]) -> None:
    from search_core.settings import load_settings
    from search_core.store.endpoint import resolve_endpoint
    from search_core.store.milvus.store import MilvusStore

    store = MilvusStore(resolve_endpoint(load_settings(data_dir=data_dir_of(own))))
    try:
        outcome = run("serve", *own)
    finally:
        store.close()
    assert outcome.exit_code == 1
    assert "Another Sightline command is using" in outcome.err


def test_a_server_that_does_not_answer_is_told_at_once(run: Run, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    env = {"SIGHTLINE_MILVUS_URI": uri, "SIGHTLINE_MILVUS_TIMEOUT_S": "1"}
    outcome = run("serve", "--data-dir", tmp_path, env=env)
    assert outcome.exit_code == 1
    assert f"Milvus at {uri} cannot be reached" in outcome.err


def test_json_names_every_address_once_all_is_ready(own: list[str], tmp_path: Path) -> None:
    # A module of the working folder must not stand in for one of ours.
    (tmp_path / "cli.py").write_text("raise RuntimeError('imported from the working folder')")
    command = [str(Path(sys.executable).with_name("sightline")), "serve", "--json", *own]
    command += ["--port", str(port := free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        state, _ = json.JSONDecoder().raw_decode(read_object(process.stdout))
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    assert state["dashboard_url"] == f"http://127.0.0.1:{port}"
    assert state["pid"] == process.pid


def read_object(lines: Iterable[str]) -> str:
    said = ""
    for line in lines:
        said += line
        if line.rstrip() == "}":
            break
    return said
