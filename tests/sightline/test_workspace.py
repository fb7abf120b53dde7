"""The public API: what a workspace opens and when, and what one does with a library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sightline
from tests.support.made_media import make_clip, make_photo

RED, GREEN = (200, 0, 0), (0, 200, 0)


@pytest.fixture
def workspace(tmp_path: Path, tiny_model_dir: Path) -> Iterator[sightline.Workspace]:
    with sightline.open(tmp_path / "data", model=f"local-dir:{tiny_model_dir}") as opened:
        yield opened


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "yard"
    folder.mkdir()
    make_photo(folder / "red.png", RED)
    make_photo(folder / "green.png", GREEN)
    return folder


def test_importing_it_loads_neither_torch_nor_milvus() -> None:
    code = "import sys, sightline; print({'torch', 'pymilvus', 'streamlit'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there() -> None:
    assert all(getattr(sightline, name) is not None for name in sightline.__all__)


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    with sightline.open(tmp_path / "data") as workspace:
        assert workspace.libraries() == []
        with pytest.raises(sightline.LibraryNotFound, match="Nothing has been ingested"):
            workspace.library().count()
    assert not (tmp_path / "data").exists()


def test_what_is_ingested_is_found_by_picture_and_by_stored_picture(
    workspace: sightline.Workspace, media: Path
) -> None:
    library = workspace.library("main")
    assert library.ingest([media]).done == 2
    [hit, _] = library.search(image=media / "red.png")
    assert (Path(hit.entity.uri).name, hit.rank, hit.entity.camera) == ("red.png", 1, "yard")
    assert hit.score == pytest.approx(1.0, abs=1e-3)
    [other] = library.search(like=hit.entity.id)
    assert Path(other.entity.uri).name == "green.png"
    with pytest.raises(sightline.UsageError, match="nothing to search for"):
        library.search()


def test_a_file_ingested_alone_is_its_own_camera(
    workspace: sightline.Workspace, media: Path
) -> None:
    library = workspace.library("main")
    library.ingest([make_clip(media / "door.mp4", seconds=2)])
    assert [facet.camera for facet in library.facets().cameras] == ["door"]


def test_options_are_given_to_what_is_there_already(
    workspace: sightline.Workspace, media: Path
) -> None:
    library = workspace.library("main")
    library.ingest([media])
    report = library.ingest([media], sightline.IngestOptions(camera="gate", tags=("night",)))
    assert (report.done, report.corrected) == (0, 2)
    where = sightline.Filter(cameras=("gate",), tags=("night",))
    assert library.count(where) == 2
    library.ingest([media], sightline.IngestOptions(camera="dock"), correct_known=False)
    assert library.count(where) == 2


def test_tagging_deleting_verifying_renaming_and_dropping(
    workspace: sightline.Workspace, media: Path
) -> None:
    library = workspace.library("main")
    library.ingest([media])
    assert library.tag(sightline.Filter(), add=["seen"]).changed == 2
    assert library.verify() == []
    thumbnail = workspace.settings.data_dir / library.entities()[0].thumbnail
    thumbnail.unlink()
    assert [finding.kind for finding in library.verify()] == ["thumbnail_missing"]
    assert library.repair() == [] and thumbnail.exists()
    [green] = [entity for entity in library.entities() if entity.uri.endswith("green.png")]
    assert library.delete(sightline.Filter(ids=(green.id,))).keyframes == 1
    library.rename("yard")
    assert (library.count(), [info.name for info in workspace.libraries()]) == (1, ["yard"])
    library.drop()
    assert workspace.libraries() == []


def test_workspaces_of_one_process_share_the_embedded_milvus(
    workspace: sightline.Workspace, media: Path
) -> None:
    library = workspace.library("main")
    library.ingest([media])
    settings = workspace.settings
    with sightline.open(settings.data_dir, model=settings.model) as second:
        second.library("main").delete(sightline.Filter(cameras=("yard",)))
        second.close()
    assert library.count() == 0
    assert library.ingest([media]).done == 2
    assert library.count() == 2
