"""`sightline models`, and which encoder a library gets where nobody names one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.model_hub import ModelHub, recommended_small_model


def test_the_list_is_filtered_by_language_licence_size_and_place(run: Run) -> None:
    every = run("models", "--json").json
    assert len(every) > 35 and every[0]["name"] == "sightline-demo" and every[0]["here"]
    commercial = run("models", "--json", "--commercial").json
    assert 0 < len(commercial) < len(every)
    assert all(one["commercial"] for one in commercial)
    chinese = run("models", "--json", "--language", "zh", "--max-mb", 2000).json
    assert {one["languages"] for one in chinese} <= {"many", "English, Chinese"}
    assert all(one["weights_bytes"] <= 2e9 for one in chinese)
    here = run("models", "--here", "--json").json
    assert [one["name"] for one in here] == ["sightline-demo"]
    said = run("models", "--max-mb", 400).out
    assert "MobileCLIP2-S0" in said and "Apple AMLR" in said and "ViT-H-14" not in said
    assert run("models", "--max-mb", 1).out.strip() == "No encoder of the list is like that."


def test_encoders_are_recommended_for_a_machine_and_a_language(run: Run) -> None:
    cpu = run("models", "recommend", "--for", "cpu").out
    assert "ViT-B-32-256" in cpu and "605 MB, licence MIT" in cpu
    assert run("models", "recommend", "--for", "gpu", "--json").json["name"] == "PE-Core-L-14-336"
    chinese = run("models", "recommend", "--for", "cpu", "--language", "Chinese").out
    assert "SigLIP2" in chinese


def test_encoders_are_compared_with_the_source_of_their_figures(run: Run) -> None:
    outcome = run("models", "compare", "ViT-B-32-256", "ViT-B-32:datacomp_xl_s13b_b90k")
    assert "72.8" in outcome.out and "69.2" in outcome.out and "laion2b" not in outcome.out
    assert "openclip_retrieval_results.csv" in " ".join(outcome.err.split())
    assert len(run("models", "compare", "ViT-B-32", "--json").json) == 2
    refused = run("models", "compare", "nobody")
    assert refused.exit_code == 2 and "No encoder of the list is named nobody" in refused.err


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHub]:
    """A hub with the small model that the catalogue recommends to this process."""
    monkeypatch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "ask")
    with recommended_small_model(monkeypatch, tmp_path) as served:
        yield served


def test_a_new_library_gets_the_demo_encoder_where_nobody_agrees_to_a_download(
    run: Run, hub: ModelHub, media: Path, tmp_path: Path
) -> None:
    outcome = run("ingest", media / "red.png", "--data-dir", tmp_path / "data")
    said = " ".join(outcome.err.split())
    assert "small-clip made (605 MB, licence MIT, from http" in said
    assert said.count("New libraries get sightline-demo") == 1
    assert "sightline models download" in said
    assert "sightline library reembed main" in said
    assert not hub.asked


def test_yes_downloads_what_is_recommended_and_the_library_keeps_it(
    run: Run, hub: ModelHub, media: Path, tmp_path: Path
) -> None:
    options = ["--data-dir", tmp_path / "data"]
    outcome = run("ingest", media / "red.png", "--yes", *options)
    assert outcome.exit_code == 0
    assert "Downloading small-clip made (605 MB, licence MIT" in " ".join(outcome.err.split())
    [library] = run("status", "--json", *options).json["libraries"]
    assert library["encoder"]["name"] == "small-clip"
    hub.asked.clear()
    assert run("search", "red", *options).exit_code == 0
    assert not hub.asked, "weights on the disk are not asked for again"


def test_a_library_keeps_the_demo_encoder_until_it_is_embedded_anew(
    run: Run, hub: ModelHub, media: Path, tmp_path: Path
) -> None:
    options = ["--data-dir", tmp_path / "data"]
    run("ingest", media / "red.png", *options)
    downloaded = run("models", "download", "--yes", *options)
    assert "small-clip made is on this machine" in downloaded.out
    again = run("ingest", media / "blue.png", *options)
    assert "sightline-demo knows the drawn sample footage only" in " ".join(again.err.split())
    assert _encoders(run, options) == ["sightline-demo"]
    other = run("ingest", media / "blue.png", "--library", "other", *options)
    assert "sample footage only" not in other.err
    assert run("library", "reembed", "main", *options).exit_code == 0
    assert _encoders(run, options) == ["small-clip", "small-clip"]
    assert run("search", "red", *options).exit_code == 0


def _encoders(run: Run, options: list[object]) -> list[str]:
    libraries = run("status", "--json", *options).json["libraries"]
    return [library["encoder"]["name"] for library in libraries]


def test_a_library_is_not_embedded_anew_without_weights(
    run: Run, hub: ModelHub, media: Path, tmp_path: Path
) -> None:
    options = ["--data-dir", tmp_path / "data"]
    run("ingest", media / "red.png", *options)
    refused = run("library", "reembed", *options)
    assert refused.exit_code == 1
    assert "is not on this machine" in refused.err and "sightline models download" in refused.err


def test_a_download_needs_an_answer_and_a_hub(run: Run, hub: ModelHub) -> None:
    refused = run("models", "download")
    assert refused.exit_code == 2 and "--yes" in refused.err
    assert not hub.asked
    hub.files.clear()
    gone = run("models", "download", "--yes")
    assert gone.exit_code == 1 and "could not be downloaded" in gone.err


def test_never_is_never(
    run: Run, hub: ModelHub, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "never")
    options = ["--data-dir", tmp_path / "data"]
    run("ingest", media / "red.png", "--yes", *options)
    named = run("ingest", media / "red.png", "--model", "small-clip", *options)
    assert named.exit_code == 1 and "may not be downloaded" in named.err
    assert not hub.asked and _encoders(run, options) == ["sightline-demo"]


def test_weights_without_their_model_are_refused(run: Run, media: Path, tmp_path: Path) -> None:
    options = ["--data-dir", tmp_path / "data", "--pretrained", "laion2b_s34b_b79k"]
    refused = run("ingest", media / "red.png", *options)
    assert refused.exit_code == 2 and "--model" in refused.err


def test_the_list_loads_no_torch() -> None:
    code = (
        "import sys; from sightline.cli.main import app\n"
        "try: app(['models', '--commercial'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'open_clip' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
