"""Live cameras from the command line: watched, listed, found, pruned; as serve does by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, data_dir_of
from tests.cli.serve.test_serve import read_until_ready, serving
from tests.ingest.cameras.footage import passing, quiet
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import free_port, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SECRET = "hunter2"
DEADLINE_S = 60.0


@pytest.fixture
def options(encoder: list[str], tmp_path: Path) -> list[str]:
    return [*encoder, "--data-dir", str(tmp_path / "data")]


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_a_camera_is_watched_found_and_pruned(run: Run, options: list[str]) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}, user="admin", password=SECRET) as server:
        command = [
            sys.executable,
            "-m",
            "sightline.cli.main",
            "watch",
            server.url("gate", "admin"),
        ]
        command += ["--camera", "gate-3", "--retain", "30d", "--json", *options]
        environment = {**os.environ, "SIGHTLINE_CAMERA_PASSWORD": SECRET}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            gate.show(passing())
            second = json.loads(process.stdout.readline())
            shown = Path(f"/proc/{process.pid}/cmdline").read_text()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 0
    assert "gate-3" in shown and SECRET not in shown
    assert first["event"] == second["event"] == "keyframe"

    hits = run("search", "x", "--camera", "gate-3", "--json", *options).json
    assert {first["id"], second["id"]} <= {hit["id"] for hit in hits}
    assert "live" in run("search", "x", *options).out
    assert run("verify", *options).exit_code == 0
    [camera] = run("cameras", "--json", *options).json
    assert (camera["camera"], camera["state"]) == ("gate-3", "not watched")
    assert camera["keyframes"] == len(hits) and camera["retain_s"] == 30 * 86_400
    assert "gate-3" in run("cameras", *options).out
    assert [gap["reason"] for gap in camera["gaps"]] == ["is not watched"]
    assert "is not watched" in run("cameras", "--gaps", *options).out
    assert "There is no camera other" in run("cameras", "--camera", "other", *options).out
    assert SECRET.encode() not in everything_in(data_dir_of(options))

    assert [item["keyframes"] for item in run("prune", "--json", *options).json] == [0]
    asked = ["prune", "--camera", "gate-3", "--older-than", "1s", "--json", *options]
    wait_until(lambda: run(*asked, "--dry-run").json[0]["keyframes"] == len(hits), "them to be old")
    assert Path(first["still"]).exists()
    assert run(*asked).exit_code == 2  # nobody there to be asked
    assert run(*asked, "--yes").json[0]["keyframes"] == len(hits)
    assert not Path(first["still"]).exists()
    assert run("search", "x", "--json", *options).json == []


def test_serve_watches_the_cameras_of_the_settings(
    run: Run, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}, user="admin", password=SECRET) as server:
        url = server.url("gate", f"admin:{SECRET}")
        (tmp_path / "sightline.toml").write_text(f'[cameras.gate-3]\nurl = "{url}"\n')
        monkeypatch.chdir(tmp_path)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        monkeypatch.setattr(os, "environ", environment)
        with serving(options, "--port", str(free_port())) as process:
            assert "Watching gate-3" in read_until_ready(process) + read_line(process)
            search = ("search", "x", "--camera", "gate-3", "--json", *options)
            wait_until(lambda: hits(run, search), "the first keyframe")
            found = len(hits(run, search))
            gate.show(passing())
            wait_until(lambda: len(hits(run, search)) > found, "what passes to be found")
            [camera] = run("cameras", "--json", *options).json
            assert camera["state"] == "live"
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 0
    logs = everything_in(data_dir_of(options) / "logs")
    assert b"gate-3 is live" in logs and SECRET.encode() not in logs


def hits(run: Run, search: tuple[str, ...]) -> list[Any]:
    outcome = run(*search)
    return outcome.json if outcome.exit_code == 0 else []


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["watch"], "no camera in sightline.toml"),
        (["watch", "--camera", "dock"], "no camera dock in sightline.toml"),
        (["watch", f"rtsp://u:{SECRET}@host/x"], "A camera needs a name"),
        (["watch", f"http://u:{SECRET}@host/x", "--camera", "a"], "Not a camera's address"),
        (["watch", "rtsp://host/x", "--camera", "a", "--retain", "soon"], "is not a duration"),
        (["watch", "--camera", "dock", "--retain", "1d"], "have their options there"),
        (["prune"], "Nothing says how long"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    run: Run, options: list[str], arguments: list[str], said: str
) -> None:
    outcome = run(*arguments, *options)
    assert outcome.exit_code == 2
    assert said in outcome.err.replace("\n", " ")
    assert SECRET not in outcome.err


def test_an_address_may_come_over_stdin(options: list[str]) -> None:
    command = [sys.executable, "-m", "sightline.cli.main", "watch", "-", "--camera", "a", *options]
    given = f"ftp://u:{SECRET}@host/x\n"
    outcome = subprocess.run(command, input=given, capture_output=True, text=True)
    assert outcome.returncode == 2
    assert "Not a camera's address" in outcome.stderr and SECRET not in outcome.stderr


def test_without_cameras_there_is_nothing_to_show(run: Run, options: list[str]) -> None:
    assert "No camera has been watched yet" in run("cameras", *options).out
    assert run("cameras", "--json", *options).json == []
