"""`sightline cameras add`, `change`, `pause`, `resume`, `remove`, and a serve that follows them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from ingest.cameras.roster import Roster
from ingest.cameras.status_log import Diary
from search_core.settings import load_settings
from tests.cli.cameras.test_cameras import everything_in, hits
from tests.cli.conftest import Run, data_dir_of
from tests.cli.serve.test_serve import DEADLINE_S, children_of, read_until_ready, serving
from tests.ingest.cameras.footage import quiet
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import free_port, wait_until

SECRET = "hunter2"
URL = f"rtsp://admin:{SECRET}@192.0.2.1:554/x"


@pytest.fixture
def options(encoder: list[str], tmp_path: Path) -> list[str]:
    return [*encoder, "--data-dir", str(tmp_path / "data")]


def secrets_outside_the_file(folder: Path) -> list[str]:
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and file.name != "cameras.toml" and SECRET.encode() in file.read_bytes()
    ]


def test_cameras_are_added_changed_paused_and_removed(run: Run, options: list[str]) -> None:
    added = run("cameras", "add", "gate-3", URL, "--retain", "30d", *options)
    assert added.exit_code == 0 and "Added gate-3 at rtsp://192.0.2.1:554" in added.out
    file = data_dir_of(options) / "cameras.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    [camera] = run("cameras", "--json", *options).json
    assert (camera["camera"], camera["state"], camera["library"]) == (
        "gate-3",
        "not watched",
        "main",
    )
    assert camera["retain_s"] == 30 * 86_400

    run("cameras", "change", "gate-3", "--retain", "2d", "--udp", "--regions", "motion", *options)
    assert 'regions = "motion"' in file.read_text()
    run("cameras", "pause", "gate-3", *options)
    [camera] = run("cameras", "--json", *options).json
    assert (camera["state"], camera["retain_s"]) == ("paused", 2 * 86_400)
    assert 'transport = "udp"' in file.read_text() and SECRET in file.read_text()
    assert "and none that was added" in run("watch", *options).err
    run("cameras", "resume", "gate-3", *options)
    run("cameras", "change", "gate-3", "--keep-for-ever", "--tcp", *options)
    [camera] = run("cameras", "--json", *options).json
    assert (camera["state"], camera["retain_s"]) == ("not watched", None)

    assert run("cameras", "remove", "gate-3", *options).exit_code == 2  # nobody there to be asked
    assert "Its keyframes stay" in run("cameras", "remove", "gate-3", "--yes", *options).out
    assert run("cameras", "--json", *options).json == []
    assert SECRET not in file.read_text()
    actions = [event["detail"] for event in run("audit", "--json", *options).json]
    assert [next(iter(detail)) for detail in actions] == [
        "removed", "changed", "resumed", "paused", "changed", "added",
    ]  # fmt: skip
    assert SECRET not in str(actions)
    assert secrets_outside_the_file(data_dir_of(options)) == []


def test_a_pause_is_a_gap_that_says_so(run: Run, options: list[str]) -> None:
    run("cameras", "add", "gate-3", URL, *options)
    settings = load_settings(data_dir=data_dir_of(options))
    [camera] = Roster(settings).cameras()
    now_ms = time.time_ns() // 1_000_000
    with Diary(settings.ledger_path) as diary:
        diary.begin(camera, now_ms - 9_000)
        diary.seen("gate-3", now_ms - 9_000, now_ms - 5_000, 20, 0, 0)
        diary.end("gate-3", now_ms - 4_000)
    assert "is not watched" in run("cameras", "--gaps", *options).out

    run("cameras", "pause", "gate-3", *options)
    assert "is paused" in run("cameras", "--gaps", *options).out
    run("cameras", "remove", "gate-3", "--yes", *options)
    assert "No camera has been watched yet" in run("cameras", "--gaps", *options).out


def kept_addresses(options: list[str]) -> list[str]:
    cameras = Roster(load_settings(data_dir=data_dir_of(options))).cameras()
    return [camera.url.get_secret_value() for camera in cameras]


def test_a_password_comes_from_a_file_or_the_environment(
    run: Run, options: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/wörd\r\nsecond line\n")
    add = ["cameras", "add", "gate", "rtsp://admin@192.0.2.1/x"]
    added = run(*add, "--password-file", file, *options, env={"SIGHTLINE_CAMERA_PASSWORD": SECRET})
    assert added.exit_code == 0 and "!" not in added.err
    assert kept_addresses(options) == ["rtsp://admin:p%40ss%2Fw%C3%B6rd@192.0.2.1/x"]

    change = ["cameras", "change", "gate", "rtsp://a%40b@192.0.2.1/y"]
    assert run(*change, *options, env={"SIGHTLINE_CAMERA_PASSWORD": SECRET}).exit_code == 0
    assert kept_addresses(options) == [f"rtsp://a%40b:{SECRET}@192.0.2.1/y"]
    assert run(*change, *options).exit_code == 0  # no terminal to ask at: none
    assert kept_addresses(options) == ["rtsp://a%40b@192.0.2.1/y"]
    missing = run(*change, "--password-file", tmp_path / "missing", *options)
    assert missing.exit_code == 2 and "cannot be read: No such file" in missing.err
    user = run("cameras", "change", "gate", "rtsp://192.0.2.1/y", "--password-file", file, *options)
    assert user.exit_code == 2 and "user" in user.err


def test_a_password_is_asked_for_at_a_terminal(options: list[str]) -> None:
    command = [sys.executable, "-m", "sightline.cli.main", "cameras", "add", "gate"]
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*command, "rtsp://admin@192.0.2.1/x", *options], stdin=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while b"The password of admin" not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, f"{SECRET}\n".encode())
        try:
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()
    os.close(ours)
    assert kept_addresses(options) == [f"rtsp://admin:{SECRET}@192.0.2.1/x"]


def test_a_password_on_the_command_line_is_taken_with_a_warning(
    run: Run, options: list[str]
) -> None:
    added = run("cameras", "add", "gate", URL, *options)
    assert added.exit_code == 0 and kept_addresses(options) == [URL]
    assert "can be seen by other users" in added.err and SECRET not in added.err + added.out


def test_an_address_may_come_over_stdin(options: list[str]) -> None:
    command = [sys.executable, "-m", "sightline.cli.main", "cameras", "add", "gate-3", *options]
    refused = subprocess.run(
        command, input=f"ftp://u:{SECRET}@h/x\n", capture_output=True, text=True
    )
    assert refused.returncode == 2 and "Not a camera's address" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout
    empty = subprocess.run(command, input="", capture_output=True, text=True)
    assert empty.returncode == 2 and "There is no address" in empty.stderr

    added = subprocess.run(command, input=f"{URL}\n", capture_output=True, text=True)
    assert added.returncode == 0 and SECRET not in added.stderr + added.stdout
    assert SECRET in (data_dir_of(options) / "cameras.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "gate", URL], "There is a camera gate already"),
        (["add", "dock", URL], "There is a camera dock already"),
        (["add", " ", URL], "has no name"),
        (["add", "yard", f"http://u:{SECRET}@h/x"], "Not a camera's address"),
        (["add", "yard", URL, "--retain", "soon"], "is not a duration"),
        (["add", "yard", URL, "--library", "a b"], "cannot name a library"),
        (["change", "dock"], "nothing to change"),
        (["change", "dock", "--retain", "1d", "--keep-for-ever"], "not meant together"),
        (["change", "gate", "--udp"], "is in sightline.toml"),
        (["pause", "gate"], "is in sightline.toml"),
        (["remove", "gate", "--yes"], "is in sightline.toml"),
        (["remove", "yard", "--yes"], "No camera yard was added here"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "sightline.toml").write_text('[cameras.gate]\nurl = "rtsp://192.0.2.9/x"\n')
    monkeypatch.chdir(tmp_path)
    run("cameras", "add", "dock", URL, *options)
    before = (data_dir_of(options) / "cameras.toml").read_text()

    outcome = run("cameras", *arguments, *options)

    assert outcome.exit_code == 2
    assert said in outcome.err.replace("\n", " ") and SECRET not in outcome.err
    assert (data_dir_of(options) / "cameras.toml").read_text() == before
    listed = [camera["camera"] for camera in run("cameras", "--json", *options).json]
    assert listed == ["dock", "gate"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_serve_watches_what_is_added_while_it_runs(
    run: Run, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = {"gate": Channel(quiet()), "dock": Channel(quiet())}
    with RtspServer(channels, user="admin", password=SECRET) as server:
        monkeypatch.chdir(tmp_path)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        monkeypatch.setattr(os, "environ", environment)
        with serving(options, "--port", str(free_port())) as process:
            assert "Watching" not in read_until_ready(process)
            idle = len(children_of(process.pid))
            for name in channels:
                url = server.url(name, f"admin:{SECRET}")
                assert run("cameras", "add", name, url, *options).exit_code == 0
            for name in channels:
                search = ("search", "x", "--camera", name, "--json", *options)
                wait_until(partial(hits, run, search), f"a keyframe of {name}")
            assert len(children_of(process.pid)) == idle + 1
            run("cameras", "remove", "dock", "--yes", *options)
            wait_until(
                lambda: b"dock is not watched any more" in everything_in(logs_of(options)),
                "the removed camera",
            )
            [camera] = run("cameras", "--json", *options).json
            assert (camera["camera"], camera["state"]) == ("gate", "live")
            assert hits(run, ("search", "x", "--camera", "dock", "--json", *options))
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 0
    assert [channel.connections for channel in channels.values()] == [1, 1]
    assert secrets_outside_the_file(data_dir_of(options)) == []


def logs_of(options: list[str]) -> Path:
    return data_dir_of(options) / "logs"
