from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Run, invoke


def test_json_has_the_counts(loaded: tuple[list[str], Outcome]) -> None:
    outcome = loaded[1]
    assert outcome.exit_code == 0
    report = outcome.json
    assert (report["done"], report["skipped"], report["failed"]) == (7, 0, 1)
    assert report["keyframes"] == 6 + 4
    assert report["seconds"] > 0
    assert report["failures"][0]["uri"].endswith("broken.jpg")


def test_a_second_run_does_nothing_and_says_so(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("red", "blue"):
        shutil.copy(media / f"{name}.png", folder)
    first = run("ingest", folder, *encoder, "--data-dir", tmp_path / "data")
    assert first.exit_code == 0
    assert "2 sources taken into the library main: 2 keyframes" in first.out
    second = run("ingest", folder, *encoder, "--data-dir", tmp_path / "data")
    assert second.exit_code == 0
    assert second.out.startswith("Nothing new: 2 sources skipped")


def test_the_demo_encoder_is_warned_of_where_it_does_not_know_the_footage(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    own = run("ingest", media / "red.png", "--data-dir", tmp_path / "demo")
    assert "sightline-demo knows the drawn sample footage only" in " ".join(own.err.split())
    sample = tmp_path / "demo" / "footage" / "blue.png"
    sample.parent.mkdir()
    shutil.copy(media / "blue.png", sample)
    assert "sample footage only" not in run("ingest", sample, "--data-dir", tmp_path / "demo").err
    other = run("ingest", media / "red.png", *encoder, "--data-dir", tmp_path / "other")
    assert "sample footage only" not in other.err


def test_exit_code_1_when_nothing_but_failures(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    outcome = run("ingest", media / "broken.jpg", *encoder, "--data-dir", tmp_path / "data")
    assert outcome.exit_code == 1
    assert "1 source failed" in outcome.out
    assert "broken.jpg" in outcome.out


def test_a_path_that_does_not_exist_fails(run: Run, encoder: list[str], tmp_path: Path) -> None:
    outcome = run("ingest", tmp_path / "nowhere", *encoder, "--data-dir", tmp_path / "data")
    assert outcome.exit_code in (1, 2)
    assert "nowhere" in outcome.out + outcome.err


def test_bad_options_are_refused_before_anything_is_made(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for options in (["--keyframes", "often"], ["--started-at", "yesterday"]):
        outcome = run("ingest", tmp_path, "--data-dir", data, *options)
        assert outcome.exit_code == 2
    assert not data.exists()


def test_failures_lists_what_failed_and_why(run: Run, library: list[str]) -> None:
    [failure] = run("failures", *library, "--json").json
    assert failure["uri"].endswith("broken.jpg")
    assert failure["library"] == "main"
    assert failure["reason"]
    table = run("failures", *library)
    assert table.exit_code == 0
    assert "broken.jpg" in table.out


def test_bulk_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    data = tmp_path / "data"
    lite = invoke("--data-dir", data, "ingest", tmp_path / "media", "--bulk")
    assert lite.exit_code == 2 and not data.exists()
    assert "Milvus Lite takes rows one batch at a time" in lite.err
    assert "A Milvus server offers --bulk" in lite.err
    server = {"SIGHTLINE_MILVUS_URI": "http://127.0.0.1:1"}
    nowhere = invoke("--data-dir", data, "ingest", tmp_path / "media", "--bulk", env=server)
    assert nowhere.exit_code == 2 and not data.exists()
    assert "SIGHTLINE_MILVUS_BULK_STORAGE is not set" in nowhere.err


@pytest.mark.skipif(sys.platform != "linux", reason="who has a file open is known on Linux")
def test_a_file_that_is_still_written_is_named_listed_and_taken_later(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    data = (media / "gate.mp4").read_bytes()
    growing = tmp_path / "gate.mp4"
    with growing.open("wb") as file:
        file.write(data[:-200])
        file.flush()
        [planned] = run("plan", growing, "--json", *options).json["failures"]
        assert planned["reason"].startswith("still being written")
        outcome = run("ingest", growing, *options)
        assert outcome.exit_code == 0
        assert "gate.mp4 skipped: still being written" in outcome.out + outcome.err
        [listed] = run("failures", "--json", *options).json
        assert (listed["uri"], listed["stage"]) == (str(growing), "wait")
        file.write(data[-200:])
    assert run("failures", "--retry", *options).exit_code == 0
    assert "No failures" in run("failures", *options).out
