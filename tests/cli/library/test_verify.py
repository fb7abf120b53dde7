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
    assert mended.json == {"mended": 1, "forgotten": 0, "kept": [], "findings": []}
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


def test_a_failure_is_retried_as_it_was_ingested(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    """A file named alone is its own camera, and one of a folder is not, however it is retried."""
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    alone, in_folder = tmp_path / "disk" / "door.png", tmp_path / "yard" / "porch.png"
    for picture, ingested in ((alone, alone), (in_folder, in_folder.parent)):
        picture.parent.mkdir()
        picture.write_bytes((media / "broken.jpg").read_bytes() + picture.name.encode())
        run("ingest", ingested, *options)
    shutil.copy(media / "green.png", alone)
    shutil.copy(media / "red.png", in_folder)
    run("failures", "--retry", *options)
    hits = run("search", "a picture", "--json", *options).json
    assert sorted(hit["camera"] for hit in hits) == ["door", "yard"]


def test_a_failure_that_fails_again_is_told_by_the_exit_code(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        shutil.copy(media / "broken.jpg", tmp_path / name)
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    run("ingest", tmp_path / "a.png", tmp_path / "b.png", tmp_path / "typo.png", *options)
    listed = run("failures", "--json", *options).json
    assert sorted(Path(row["uri"]).name for row in listed) == ["a.png", "b.png"]
    shutil.copy(media / "green.png", tmp_path / "a.png")
    assert run("failures", "--retry", *options).exit_code == 1
    (tmp_path / "b.png").unlink()
    assert "No failures" in run("failures", "--retry", *options).out
    [library] = run("status", "--json", *options).json["libraries"]
    assert library["sources"]["failed"] == 0


def test_verify_forgets_the_keyframes_of_deleted_files(
    run: Run, own: tuple[Path, list[str]]
) -> None:
    folder, options = own
    (folder / "gate.mp4").unlink()
    assert "verify --forget-missing" in run("verify", *options).out
    assert run("verify", "--older-than", "1d", *options).exit_code == 2
    assert run("verify", "--forget-missing", *options).exit_code == 2  # nobody to ask
    recent = run("verify", "--forget-missing", "--older-than", "90w", "--yes", "--json", *options)
    assert (recent.exit_code, recent.json["forgotten"]) == (1, 0)
    forgotten = run("verify", "--forget-missing", "--yes", "--json", *options)
    assert (forgotten.exit_code, forgotten.json["forgotten"]) == (0, 4)
    assert "agree" in run("verify", *options).out


def test_delete_missing_deletes_what_has_no_file(run: Run, own: tuple[Path, list[str]]) -> None:
    folder, options = own
    where = [*options, "--yes", "--json"]
    assert run("delete", "--missing", *where).json["deleted"] == 0
    (folder / "gate.mp4").unlink()
    assert run("delete", "--missing", "--camera", "other", *where).json["deleted"] == 0
    assert run("delete", "--missing", *where).json["deleted"] == 4
    assert run("verify", *options).exit_code == 0


def test_prune_follows_the_rule_for_deleted_files(
    run: Run, own: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, options = own
    (folder / "gate.mp4").unlink()
    monkeypatch.setenv("SIGHTLINE_FORGET_MISSING_MAIN", "1s")
    planned = run("prune", "--dry-run", "--json", *options).json
    assert planned == [{"library": "main", "missing_s": 1.0, "keyframes": 4, "removed": False}]
    assert "Removed from main" in run("prune", *options).out
    assert run("verify", *options).exit_code == 0
