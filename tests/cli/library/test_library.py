from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from ingest.rows.deletion import discard, trash_path
from search_core.schema.filters import Filter
from search_core.settings import load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.cli.conftest import Run, data_dir_of


@pytest.fixture
def own(run: Run, media: Path, encoder: list[str], tmp_path: Path) -> list[str]:
    """The options of a library of this test's own."""
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    assert run("ingest", media, *options, "--camera", "gate").exit_code == 0
    return options


def _thumbnails(options: list[str]) -> int:
    return len(list((data_dir_of(options) / "thumbnails").rglob("*.jpg")))


def test_list_and_show(run: Run, library: list[str]) -> None:
    [info] = run("library", "list", "--json", *library).json
    assert info["library"] == "main"
    assert info["keyframes"] == 10
    shown = run("library", "show", *library)
    assert "7 done" in shown.out
    assert run("library", "show", "other", *library).exit_code == 1


def test_deleted_keyframes_are_gone_and_emptied_sources_come_back(
    run: Run, own: list[str], media: Path
) -> None:
    [hit] = run("search", "--image", media / "red.png", "-k", 1, "--json", *own).json
    unasked = run("delete", "--id", hit["id"], *own)
    assert unasked.exit_code == 2
    assert "--yes" in unasked.err
    deleted = run("delete", "--id", hit["id"], "--yes", "--json", *own).json
    assert deleted == {"library": "main", "deleted": 1, "sources": 1}
    assert not (data_dir_of(own) / hit["thumbnail"]).exists()
    assert _thumbnails(own) == 9
    again = run("ingest", media, *own, "--camera", "gate", "--json").json
    assert again["done"] == 1
    assert _thumbnails(own) == 10


def test_delete_by_filter_says_how_many(run: Run, own: list[str]) -> None:
    assert "Nothing in the library main matches" in run("delete", "--tag", "x", "--yes", *own).out
    assert "10 keyframes" in run("delete", "--camera", "gate", "--yes", *own).out
    assert run("search", "x", "--json", *own).json == []
    assert run("delete", *own, "--yes").exit_code == 2


def test_a_thumbnail_two_libraries_show_outlives_one_of_them(
    run: Run, own: list[str], media: Path
) -> None:
    assert run("ingest", media / "red.png", *own, "--library", "second").exit_code == 0
    dropped = run("library", "drop", "main", "--yes", *own)
    assert dropped.exit_code == 0
    assert "10 keyframes" in dropped.out
    assert _thumbnails(own) == 1
    assert run("library", "drop", "main", "--yes", *own).exit_code == 1
    assert run("library", "drop", "second", "--yes", *own).exit_code == 0
    assert _thumbnails(own) == 0
    assert run("ingest", media / "red.png", *own, "--json").json["done"] == 1


@pytest.fixture(scope="session")
def other_encoder(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that choose another encoder than the tiny one, as small."""
    folder = tmp_path_factory.mktemp("other_model")
    shutil.copytree(tiny_model_dir, folder, dirs_exist_ok=True)
    weights = folder / "open_clip_model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor * 0.9 for name, tensor in tensors.items()}, weights)
    return ["--model", f"local-dir:{folder}"]


def test_reembed_gives_a_library_another_encoder(
    run: Run, own: list[str], other_encoder: list[str]
) -> None:
    data = own[2:]
    assert run("library", "reembed", *own).exit_code == 2  # it has that one
    done = run("library", "reembed", *other_encoder, *data)
    assert "main: 10 keyframes embedded again." in done.out
    assert run("search", "x", *own).exit_code == 1
    assert len(run("search", "x", "--json", *other_encoder, *data).json) == 10
    queued = run("library", "reembed", "--job", "--json", *own).json
    [job] = run("jobs", "list", "--json", *own).json
    assert (job["id"], job["kind"], job["state"]) == (queued["job"], "reembed", "queued")


def test_reembed_gives_a_library_regions_and_keeps_its_encoder(run: Run, own: list[str]) -> None:
    done = run("library", "reembed", "--regions", "tiles", *own)
    assert "main: 10 keyframes with " in done.out and "regions (tiles)" in done.out
    assert run("library", "show", "--json", *own).json["keyframes"] == 10
    assert len(run("search", "x", "--json", *own).json) == 10
    again = run("library", "reembed", "--regions", "tiles", "--json", *own).json
    assert (again["had_them"], again["keyframes"], again["without_source"]) == (10, 0, 0)
    unknown = run("library", "reembed", "--regions", "circles", *own)
    assert (unknown.exit_code, "Unknown kind of regions" in unknown.err) == (2, True)
    gone = run("library", "reembed", "--regions", "detector:none.onnx", *own)
    assert (gone.exit_code, "none.onnx cannot be read" in gone.err) == (2, True)
    queued = run("library", "reembed", "--regions", "off", "--job", "--json", *own).json
    [job] = run("jobs", "list", "--json", *own).json
    assert (job["id"], job["title"]) == (queued["job"], "main with regions: off")


def test_regions_are_searched_by_and_left_out_by_their_ids(run: Run, own: list[str]) -> None:
    assert run("library", "reembed", "--regions", "tiles", *own).exit_code == 0
    hits = run("search", "a red square", "--json", *own).json
    region = next(hit for hit in hits if hit["region"])
    assert region["region"].startswith(f"{region['id']}-t") and len(region["box"]) == 4
    alike = run("search", "--like", region["region"], "--json", *own).json
    assert region["id"] not in {hit["id"] for hit in alike}
    assert len(alike) == len(hits) - 1
    left = run("search", "a red square", "--not-like", region["region"], "--json", *own).json
    assert region["id"] not in {hit["id"] for hit in left}
    gone = run("search", "--like", f"{region['id']}-t99", *own)
    assert (gone.exit_code, "no entity" in gone.err) == (1, True)


def test_drop_asks_first(run: Run, own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.cli.terminal.confirmed", lambda question, *, yes: False)
    assert run("library", "drop", "main", *own).exit_code == 1
    assert run("library", "show", "--json", *own).json["keyframes"] == 10


def test_the_trash_is_purged_by_its_own_age_whatever_the_rules(run: Run, own: list[str]) -> None:
    nothing_due = run("prune", *own)
    assert (nothing_due.exit_code, "Nothing says how long" in nothing_due.err) == (2, True)

    settings = load_settings(data_dir=data_dir_of(own))
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        assert discard(settings, store, "main", Filter(cameras=("gate",)), "all of it") == 10
    with closing(sqlite3.connect(trash_path(settings))) as trash, trash:
        trash.execute("UPDATE deletions SET deleted_ms = 0")
    assert _thumbnails(own) == 10

    assert run("prune", "--dry-run", *own).exit_code == 2
    pruned = run("prune", *own)

    assert pruned.exit_code == 0
    assert "Purged from the trash: 10 keyframes" in pruned.err
    assert _thumbnails(own) == 0
    assert run("prune", *own).exit_code == 2
