from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run, data_dir_of


def test_status_tells_what_there_is(run: Run, library: list[str]) -> None:
    record = run("status", "--json", *library).json
    assert record["data_dir"] == str(data_dir_of(library))
    assert record["milvus"]["embedded"] is True
    assert record["milvus"]["version"]
    assert record["serve"] is None
    [info] = record["libraries"]
    assert (info["name"], info["keyframes"], info["sources"]["failed"]) == ("main", 10, 1)
    assert record["disk"]["thumbnails_bytes"] > 0
    assert "main" in run("status", *library).out


def test_status_of_an_empty_folder_makes_nothing(run: Run, tmp_path: Path) -> None:
    outcome = run("status", "--data-dir", tmp_path / "data")
    assert outcome.exit_code == 0
    assert "no libraries yet" in outcome.out
    assert not (tmp_path / "data").exists()


def test_status_of_a_milvus_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    env = {"SIGHTLINE_MILVUS_URI": "http://127.0.0.1:9", "SIGHTLINE_MILVUS_TIMEOUT_S": "1"}
    outcome = run("status", "--data-dir", tmp_path, env=env)
    assert outcome.exit_code == 1
    assert "cannot be reached" in outcome.out


def test_doctor_is_content(run: Run, library: list[str]) -> None:
    outcome = run("doctor", "--json", *library)
    assert outcome.exit_code == 0, outcome.out
    record = outcome.json
    assert record["ok"] is True
    names = {check["name"] for check in record["checks"]}
    assert {"Packages", "Encoder", "Milvus", "Disk", "Processor", "Serving"} <= names
    assert "sightline-demo" in {encoder["name"] for encoder in record["encoders"]}


def test_doctor_warns_of_a_queue_that_keeps_nothing(
    run: Run, library: list[str], redis_url: str
) -> None:
    outcome = run("doctor", "--json", *library, env={"SIGHTLINE_QUEUE": redis_url})
    assert outcome.exit_code == 0
    [warned] = [check for check in outcome.json["checks"] if "may lose jobs" in check["found"]]
    assert (warned["state"], "--appendonly yes" in warned["hint"]) == ("warning", True)
    assert "never-shown" not in outcome.out


def test_doctor_says_what_is_missing_and_how_to_get_it(run: Run, tmp_path: Path) -> None:
    options = ["--data-dir", tmp_path, "--model", "ViT-B-32", "--pretrained", tmp_path / "no.pt"]
    outcome = run("doctor", *options)
    assert outcome.exit_code == 1
    assert "✗" in outcome.out
    assert "no.pt" in outcome.out
    assert "--pretrained" in outcome.out
