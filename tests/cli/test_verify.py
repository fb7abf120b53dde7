"""`sightline verify` and `sightline failures --retry` on a library of real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def own(run: Run, media: Path, encoder: list[str], tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with one picture and one clip, and the options of a library that holds it."""
    folder = tmp_path / "media"
    folder.mkdir()
    for name in ("red.png", "gate.mp4"):
        shutil.copy(media / name, folder)
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    assert run("ingest", folder, *options).exit_code == 0
    return folder, options


def test_verify_says_when_all_agrees(run: Run, own: tuple[Path, list[str]]) -> None:
    outcome = run("verify", *own[1])
    assert outcome.exit_code == 0
    assert "agree" in outcome.out


def test_verify_lists_and_repairs(run: Run, own: tuple[Path, list[str]]) -> None:
    thumbnails = sorted((Path(own[1][-1]) / "thumbnails").rglob("*.jpg"))
    thumbnails[0].unlink()
    outcome = run("verify", *own[1])
    assert outcome.exit_code == 1
    assert "thumbnail missing" in outcome.out
    assert "--repair" in outcome.out
    mended = run("verify", "--repair", "--json", *own[1])
    assert mended.exit_code == 0
    assert mended.json == {"mended": 1, "kept": [], "findings": []}
    assert thumbnails[0].exists()


def test_verify_lists_media_that_is_gone(run: Run, own: tuple[Path, list[str]]) -> None:
    (own[0] / "gate.mp4").unlink()
    outcome = run("verify", "--repair", "--json", *own[1])
    assert outcome.exit_code == 1
    [finding] = outcome.json["findings"]
    assert (finding["kind"], finding["repairable"]) == ("media_missing", False)
    assert len(finding["ids"]) == 4


def test_a_failure_is_retried_once_its_file_is_mended(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "photo.png"
    shutil.copy(media / "broken.jpg", broken)
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    run("ingest", broken, *options)
    assert run("failures", "--retry", *options).exit_code == 1
    shutil.copy(media / "green.png", broken)
    retried = run("failures", "--retry", "--json", *options)
    assert retried.exit_code == 0
    assert retried.json == []
    assert "No failures" in run("failures", *options).out
