"""Every file of a data directory damaged in turn: found, named, restored, and kept aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Run, invoke

#: What Python and its libraries say of such files; none of it is for people.
RAW = ("Expecting value", "Errno", "magic bytes", "array header", "Traceback", "bug in Sightline")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 3),
    "zeroed": zero,
    "deleted": lambda path: path.unlink(),
}
#: One file of each part of a library, by a pattern below the data directory.
FILES = {
    "aliases": "milvus.db/aliases.json",
    "schema": "milvus.db/collections/*/schema.json",
    "manifest": "milvus.db/collections/*/manifest.json",
    "manifest backup": "milvus.db/collections/*/manifest.json.prev",
    "vectors": "milvus.db/collections/*/partitions/*/data/*.parquet",
    "deletions": "milvus.db/collections/*/partitions/*/delta/*.parquet",
    "index": "milvus.db/collections/*/partitions/*/indexes/*.idx",
    "ledger": "ledger.sqlite",
}


@pytest.fixture(scope="module")
def whole(media: Path, encoder: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two vector files, a deleted keyframe, and an index."""
    folder = tmp_path_factory.mktemp("whole")
    data = folder / "data"
    options = [*encoder, "--data-dir", str(data)]
    for names in (["red.png", "green.png", "gate.mp4"], ["blue.png", "yellow.png"]):
        assert invoke("ingest", *(media / name for name in names), *options).exit_code == 0
    found = invoke("search", "--image", media / "yellow.png", "-k", "1", "--json", *options)
    [hit] = found.json
    assert invoke("delete", "--id", hit["id"], "--yes", *options).exit_code == 0
    return data


@pytest.fixture(scope="module")
def all_ids(whole: Path, encoder: list[str]) -> set[str]:
    return ids(invoke, [*encoder, "--data-dir", str(whole)])


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    return data


def ids(run: Run, options: list[str]) -> set[str]:
    """Return the ids of all keyframes that a search finds."""
    outcome = run("search", "anything", "-k", "50", "--json", *options)
    assert outcome.exit_code == 0, outcome.err
    return {hit["id"] for hit in outcome.json}


def assert_plain(outcome: Outcome) -> None:
    said = outcome.out + outcome.err
    assert not [word for word in RAW if word in said], said


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("part", FILES)
def test_a_damaged_file_is_found_and_restored(
    run: Run, copy: Path, encoder: list[str], all_ids: set[str], part: str, how: str
) -> None:
    options = [*encoder, "--data-dir", str(copy)]
    path = sorted(copy.glob(FILES[part]))[0]
    DAMAGES[how](path)

    assert_plain(run("search", "red", *options))
    found = run("verify", "--json", *options)
    assert_plain(found)
    if (part, how) == ("index", "deleted"):
        assert path.exists()  # it was built again when the library was opened
        assert found.exit_code == 0
        return
    assert found.exit_code == 1
    [first, *_] = found.json["findings"]
    assert all(finding["repairable"] for finding in found.json["findings"])
    lost_ledger = (part, how) == ("ledger", "deleted")
    if lost_ledger:
        assert first["kind"] == "unfinished"
    else:
        assert (first["kind"], first["subject"]) == ("file_damaged", str(path))

    mended = run("verify", "--repair", "--json", *options)
    assert (mended.exit_code, mended.json["findings"]) == (0, []), mended.out
    assert run("verify", "--json", *options).exit_code == 0
    assert ids(run, options) == all_ids
    if how != "deleted" and not lost_ledger and part != "aliases":
        assert mended.json["kept"]


@pytest.mark.parametrize("part", ["index", "schema", "manifest"])
def test_an_approximate_index_is_restored(
    run: Run, copy: Path, encoder: list[str], part: str
) -> None:
    options = [*encoder, "--data-dir", str(copy)]
    assert run("index", "set", "HNSW", "--m", "8", *options).exit_code == 0
    before = ids(run, options)
    DAMAGES["cut"](sorted(copy.glob(FILES[part]))[0])
    assert run("verify", "--json", *options).exit_code == 1
    mended = run("verify", "--repair", "--json", *options)
    assert (mended.exit_code, mended.json["findings"]) == (0, []), mended.out
    assert ids(run, options) == before
    index = run("library", "show", "--json", *options).json["index"]
    assert (index["index_type"], index["m"]) == ("HNSW", 8)


def test_every_command_names_the_damage_and_the_way_back(
    run: Run, copy: Path, encoder: list[str], media: Path
) -> None:
    options = [*encoder, "--data-dir", str(copy)]
    path = sorted(copy.glob(FILES["manifest"]))[0]
    zero(path)
    vectors = {file: file.read_bytes() for file in copy.glob(FILES["vectors"])}
    for command in (
        ["search", "red"],
        ["ingest", media / "black.png"],
        ["library", "list"],
        ["index", "set", "HNSW"],
        ["doctor"],
        ["serve"],
    ):
        outcome = run(*command, *options)
        assert outcome.exit_code == 1
        said = outcome.out + outcome.err
        assert path.name in said
        assert "verify --repair" in said
        assert_plain(outcome)
    # Milvus Lite would have removed what its list of vector files does not name.
    assert {file: file.read_bytes() for file in copy.glob(FILES["vectors"])} == vectors


def test_nothing_is_overwritten_by_a_repair(run: Run, copy: Path, encoder: list[str]) -> None:
    path = sorted(copy.glob(FILES["vectors"]))[0]
    os.truncate(path, 100)
    content = path.read_bytes()
    mended = run("verify", "--repair", "--json", *encoder, "--data-dir", copy)
    [kept] = mended.json["kept"]
    assert (Path(kept) / path.relative_to(copy / "milvus.db")).read_bytes() == content


@pytest.mark.parametrize("gone", ["milvus.db", "milvus.db/collections", "milvus.db/collections/*"])
def test_a_store_that_is_gone_is_missed(
    run: Run, copy: Path, encoder: list[str], all_ids: set[str], gone: str
) -> None:
    options = [*encoder, "--data-dir", str(copy)]
    for folder in copy.glob(gone):
        shutil.rmtree(folder)
    searched = run("search", "red", *options)
    assert searched.exit_code == 1
    assert "verify --repair" in searched.err
    assert_plain(searched)
    assert run("doctor", *options).exit_code == 1
    assert run("verify", *options).exit_code == 1
    assert run("verify", "--repair", "--json", *options).json["findings"] == []
    assert ids(run, options) == all_ids


def test_an_ingest_into_a_store_that_is_gone_forgets_nothing(
    run: Run, copy: Path, encoder: list[str], all_ids: set[str], media: Path
) -> None:
    options = [*encoder, "--data-dir", str(copy)]
    shutil.rmtree(copy / "milvus.db")
    assert run("ingest", media / "red.png", *options).exit_code == 0
    reasons = {row["reason"] for row in run("failures", "--json", *options).json}
    assert reasons == {"its keyframes were lost with the library; it can be ingested again"}
    assert run("verify", *options).exit_code == 1
    assert run("verify", "--repair", *options).exit_code == 0
    assert ids(run, options) == all_ids


def test_another_encoder_does_not_describe_a_library(
    run: Run, copy: Path, encoder: list[str]
) -> None:
    options = ["--data-dir", str(copy)]
    sorted(copy.glob(FILES["schema"]))[0].unlink()
    refused = run("verify", "--repair", "--json", *options)  # with the encoder of the demo
    assert refused.exit_code == 1
    [finding] = refused.json["findings"]
    assert "--model" in finding["detail"]
    assert run("verify", "--repair", *encoder, *options).exit_code == 0


def test_thumbnails_of_lost_keyframes_are_no_orphans(
    run: Run, copy: Path, encoder: list[str], media: Path
) -> None:
    thumbnails = sorted((copy / "thumbnails").rglob("*.jpg"))
    for path in thumbnails:
        os.utime(path, (0, 0))
    shutil.rmtree(copy / "milvus.db")
    outcome = run("verify", "--json", *encoder, "--data-dir", copy)
    assert {finding["kind"] for finding in outcome.json["findings"]} == {"keyframes_missing"}
