"""Damaged files of Milvus Lite: found by reading them, and restored from the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreBusy, StoreDamaged
from search_core.indexes import Flat, Hnsw, IndexSpec, IvfFlat, IvfSq8
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.lite.inspection import Damage, inspect
from search_core.store.lite.restoration import Restoration
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.search_core.store.lite.test_logs import KILLED

ROWS = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "milvus.db"


def fill(folder: Path, identity: EncoderIdentity, index: IndexSpec, library: str = "main") -> None:
    store = MilvusStore(Endpoint(str(folder)))
    store.ensure_library(library, identity, index=index)
    vectors = clip_like_vectors(ROWS, identity.dim)
    store.upsert(library, [make_entity(number) for number in range(ROWS)], vectors)
    store.settle(library)
    store.delete(library, Filter(ids=(make_entity(0).id,)))
    store.settle(library)
    store.close()


def one(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(f"collections/*/{pattern}")
    return path


def count(folder: Path, library: str = "main") -> int:
    store = MilvusStore(Endpoint(str(folder)))
    try:
        return store.count(library)
    finally:
        store.close()


def restore(folder: Path) -> list[Damage]:
    left: list[Damage] = []
    while found := [damage for damage in inspect(folder, deep=True) if damage not in left]:
        left += Restoration(folder).restore(found, {})
    return left


@pytest.mark.parametrize("index", [Flat(), IvfFlat(nlist=8), IvfSq8(nlist=8), Hnsw()], ids=str)
def test_a_whole_folder_has_no_damage(
    folder: Path, identity: EncoderIdentity, index: IndexSpec
) -> None:
    fill(folder, identity, index)
    assert inspect(folder, deep=True) == []


@pytest.mark.parametrize("index", [Flat(), IvfFlat(nlist=8), Hnsw()], ids=str)
@pytest.mark.parametrize(
    ("part", "pattern"),
    [
        ("vectors", "partitions/_default/data/*.parquet"),
        ("index", "partitions/_default/indexes/*.idx"),
    ],
)
def test_zeros_in_the_last_half_of_a_file_are_found(
    folder: Path, identity: EncoderIdentity, index: IndexSpec, part: str, pattern: str
) -> None:
    fill(folder, identity, index)
    path = one(folder, pattern)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    [damage] = inspect(folder, deep=True)
    assert (damage.part, damage.path, damage.library) == (part, path, "main")
    assert restore(folder) == []
    assert count(folder) == (ROWS - 1 if part == "index" else 0)


def test_zeros_amid_the_vectors_are_found(folder: Path, identity: EncoderIdentity) -> None:
    fill(folder, identity, Flat())
    path = one(folder, "partitions/_default/data/*.parquet")
    content = bytearray(path.read_bytes())
    vectors = clip_like_vectors(ROWS, identity.dim).tobytes()
    begin = content.find(vectors[4096:4160])
    assert begin > 0
    content[begin : begin + 1024] = bytes(1024)
    path.write_bytes(content)
    [damage] = inspect(folder, deep=True)
    assert (damage.part, damage.fault) == ("vectors", "is overwritten in part")


def test_vectors_survive_the_loss_of_every_small_file(
    folder: Path, identity: EncoderIdentity
) -> None:
    fill(folder, identity, Hnsw())
    collection = one(folder, "")
    for path in (
        folder / "aliases.json",
        collection / "schema.json",
        collection / "manifest.json",
        collection / "manifest.json.prev",
    ):
        os.truncate(path, 0)
    encoders = {collection.name: identity}
    while found := inspect(folder, deep=True):
        assert Restoration(folder).restore(found, encoders) == []
    assert count(folder) == ROWS - 1
    store = MilvusStore(Endpoint(str(folder)))
    assert store.library("main").encoder == identity
    store.close()


@pytest.mark.parametrize("index", [Flat(), IvfFlat(nlist=8), IvfSq8(nlist=8), Hnsw(m=8)], ids=str)
def test_a_lost_description_comes_back_with_its_index(
    folder: Path, identity: EncoderIdentity, index: IndexSpec
) -> None:
    fill(folder, identity, index)
    schema = one(folder, "schema.json")
    schema.unlink()
    assert Restoration(folder).restore(inspect(folder), {schema.parent.name: identity}) == []
    store = MilvusStore(Endpoint(str(folder)))
    assert store.library("main").index == index
    store.close()


def test_rows_whose_flush_was_killed_are_there_once_when_the_list_of_files_is_lost(
    folder: Path,
) -> None:
    root = Path(__file__).parents[4]
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=root, timeout=120)
    assert ended.returncode == 9
    for path in folder.glob("collections/*/manifest.json*"):
        path.unlink()
    assert restore(folder) == []
    assert count(folder) == 20


@pytest.mark.parametrize(
    ("overwrite", "is_damage"),
    [
        (lambda content: bytes(len(content)), True),
        (lambda content: b"no Arrow" + content[8:], True),
        (lambda content: content[:-7], False),  # as a kill leaves it
        (lambda content: b"", False),
    ],
)
def test_a_log_is_damaged_unless_a_kill_cut_it(
    folder: Path,
    identity: EncoderIdentity,
    overwrite: Callable[[bytes], bytes],
    is_damage: bool,
) -> None:
    root = Path(__file__).parents[4]
    killed = KILLED.replace('store.settle("main")', "os._exit(9)")
    ended = subprocess.run([sys.executable, "-c", killed, str(folder)], cwd=root, timeout=120)
    assert ended.returncode == 9
    [log] = folder.glob("collections/*/wal/wal_data_*.arrow")
    log.write_bytes(overwrite(log.read_bytes()))
    found = inspect(folder, deep=True)
    assert [damage.part for damage in found] == (["log"] if is_damage else [])
    assert restore(folder) == []
    assert count(folder) == 0


@pytest.fixture
def two(folder: Path, identity: EncoderIdentity) -> Iterator[MilvusStore]:
    """A store with two libraries, of which ``main`` has lost its list of vector files."""
    fill(folder, identity, Flat())
    fill(folder, identity, Flat(), "other")
    [manifest] = folder.glob("collections/main_*/manifest.json")
    manifest.write_text("{")
    store = MilvusStore(Endpoint(str(folder)))
    yield store
    store.close()


def test_a_damaged_library_leaves_the_others_usable(
    two: MilvusStore, identity: EncoderIdentity
) -> None:
    assert two.count("other") == ROWS - 1
    two.upsert("other", [make_entity(0)], clip_like_vectors(1, identity.dim))
    assert two.count("other") == ROWS


def test_a_damaged_library_is_not_opened_and_not_made_anew(
    two: MilvusStore, identity: EncoderIdentity
) -> None:
    for use in (
        lambda: two.library("main"),
        lambda: two.ensure_library("main", identity),
        lambda: two.drop_library("main"),
        two.libraries,
    ):
        with pytest.raises(StoreDamaged, match=r"The library main is damaged: .*manifest\.json"):
            use()
    assert two.tidy() == []


def test_nothing_is_restored_while_milvus_lite_runs(two: MilvusStore, folder: Path) -> None:
    with pytest.raises(StoreBusy):
        Restoration(folder).restore(inspect(folder), {})
