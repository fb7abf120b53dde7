"""Folders from the command line: watched by `watch` and by `serve`, listed, refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.serve.test_serve import read_until_ready, serving
from tests.support.waiting import free_port, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
DEADLINE_S = 180.0


@pytest.fixture
def options(encoder: list[str], tmp_path: Path) -> list[str]:
    return [*encoder, "--data-dir", str(tmp_path / "data")]


@pytest.fixture
def nvr(tmp_path: Path, media: Path) -> Path:
    folder = tmp_path / "nvr"
    folder.mkdir()
    shutil.copy(media / "gate.mp4", folder)
    return folder


@contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sightline.cli.main", "watch", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0


def events(process: subprocess.Popen[str], number: int) -> list[dict[str, Any]]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(number)]


def test_a_folder_is_watched_listed_and_not_watched_twice(
    run: Run, options: list[str], nvr: Path, media: Path
) -> None:
    with watching(str(nvr), "--camera", "gate", "--json", *options) as process:
        watched, first = events(process, 2)
        shutil.copy(media / "broken.jpg", nvr / "broken.jpg")
        shutil.copy(media / "red.png", nvr / "red.png")
        (second,) = events(process, 1)
        again = run("watch", nvr, *options)
        [folder] = run("folders", "--json", *options).json
    assert (watched["folder"], watched["event"]) == (str(nvr), "watching")
    assert (first["event"], first["file"], first["keyframes"]) == ("done", str(nvr / "gate.mp4"), 4)
    assert (second["event"], second["file"]) == ("done", str(nvr / "red.png"))
    assert again.exit_code == 1 and f"The folder {nvr} is being watched already" in again.err
    assert (folder["state"], folder["taken"], folder["keyframes"]) == ("watching", 2, 5)

    assert len(run("search", "x", "--camera", "gate", "--json", *options).json) == 5
    listed = run("folders", *options).out
    assert "not watched" in listed and str(nvr) in listed
    assert "No failures" in run("folders", "--failures", *options).out  # it is held for a while
    assert "No gaps" in run("folders", "--gaps", *options).out


def test_serve_watches_the_folders_of_the_settings(
    run: Run, options: list[str], nvr: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nvr.parent / "sightline.toml").write_text(
        f'[folders.nvr]\npath = "{nvr}"\nlibrary = "yard"\ntags = ["nvr"]\n'
    )
    monkeypatch.chdir(nvr.parent)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    monkeypatch.setattr(os, "environ", environment)
    [before] = run("folders", "--json", *options).json
    assert (before["folder"], before["state"]) == ("nvr", "not watched")
    with serving(options, "--port", str(free_port())) as process:
        said = read_until_ready(process)
        assert process.stdout is not None
        assert f"Watching {nvr}" in said + process.stdout.readline()
        wait_until(lambda: folder_of(run, options)["taken"] == 1, "the first", DEADLINE_S)
        shutil.copy(media / "red.png", nvr / "red.png")
        wait_until(lambda: folder_of(run, options)["taken"] == 2, "what is new", DEADLINE_S)
        assert folder_of(run, options)["state"] == "watching"
        search = ("search", "x", "--library", "yard", "--tag", "nvr", "--json", *options)
        assert len(run(*search).json) == 5
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    assert folder_of(run, options)["state"] == "not watched"


def test_a_folder_is_added_while_sightline_serves_changed_paused_and_removed(
    run: Run, options: list[str], nvr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    monkeypatch.setattr(os, "environ", environment)
    refused = run("folders", "add", "nvr", tmp_path / "nothing", *options)
    assert (
        refused.exit_code == 2
        and f"The folder {tmp_path / 'nothing'} does not exist" in refused.err
    )
    with serving(options, "--port", str(free_port())) as process:
        read_until_ready(process)
        added = run("folders", "add", "nvr", nvr, "--camera", "gate", "--tag", "nvr", *options)
        assert f"Added nvr: what appears in {nvr} goes into main." in added.out
        assert "in some seconds" in added.err
        wait_until(lambda: folder_of(run, options)["taken"] == 1, "what is there", DEADLINE_S)
        assert "Paused nvr" in run("folders", "pause", "nvr", *options).out
        wait_until(lambda: folder_of(run, options)["state"] == "paused", "the pause", DEADLINE_S)
        run("folders", "change", "nvr", "--camera", "yard", *options)
        assert "Resumed nvr" in run("folders", "resume", "nvr", *options).out
        wait_until(lambda: folder_of(run, options)["state"] == "watching", "it", DEADLINE_S)
        assert "Removed nvr" in run("folders", "remove", "nvr", "--yes", *options).out
        assert run("folders", "--json", *options).json == []
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    events = run("audit", "--json", *options).json
    said = [event["detail"] for event in events if event["action"] == "folders"]
    assert [next(iter(detail)) for detail in said] == [
        "removed", "resumed", "changed", "paused", "added",
    ]  # fmt: skip
    nothing = run("folders", "change", "nvr", *options)
    assert nothing.exit_code == 2 and "nothing to change" in nothing.err


def folder_of(run: Run, options: list[str]) -> dict[str, Any]:
    [folder] = run("folders", "--json", *options).json
    assert isinstance(folder, dict)
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["watch", "NVR/missing"], "does not exist"),
        (["watch", "NVR/gate.mp4"], "does not exist"),
        (["watch", ""], "does not exist"),
        (["watch", "NVR", "--retain", "1d"], "are for live cameras"),
        (["watch", "NVR", "--keyframes", "some"], "some"),
        (["watch", "rtsp://host/x", "--camera", "a", "--tag", "b"], "are for folders"),
        (["watch"], "sightline watch FOLDER"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    run: Run, options: list[str], nvr: Path, arguments: list[str], said: str
) -> None:
    outcome = run(*(text.replace("NVR", str(nvr)) for text in arguments), *options)
    assert outcome.exit_code == 2
    assert said in outcome.err.replace("\n", " ")


def test_a_setting_that_cannot_be_is_refused_before_anything_starts(
    run: Run, options: list[str], nvr: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = nvr.parent / "sightline.toml"
    monkeypatch.chdir(nvr.parent)
    settings.write_text(f'[folders.nvr]\npath = "{nvr}"\nkeyframes = "some"\n')
    assert run("serve", *options).exit_code == 2
    settings.write_text(f'[folders.nvr]\npath = "{nvr}"\nfrom = "x"\n')
    outcome = run("folders", *options)
    assert outcome.exit_code == 2 and "folders.nvr.from" in outcome.err


def test_without_folders_it_is_said_how_one_is_watched(run: Run, options: list[str]) -> None:
    outcome = run("folders", *options)
    assert "No folder is watched" in outcome.out and "[folders.nvr]" in outcome.err
