"""Bulk insert into a real server: as an upsert would have it, whatever was there or fails."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import SettingsError, StoreError, UsageError
from search_core.indexes import Flat
from search_core.schema.filters import Filter
from search_core.settings import MilvusSettings, Settings
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.bulk_insert import BulkStorage, bulk_storage, columns
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 60
VECTORS = clip_like_vectors(ROWS, 16)
ENTITIES = [make_entity(number) for number in range(ROWS)]


@pytest.fixture(scope="module")
def store(milvus_process_uri: str) -> Iterator[MilvusStore]:
    milvus = MilvusStore(Endpoint(milvus_process_uri, embedded=False))
    yield milvus
    milvus.close()


@pytest.fixture
def library(store: MilvusStore, identity: EncoderIdentity) -> Iterator[str]:
    name = f"bulk_{secrets.token_hex(4)}"
    store.ensure_library(name, identity, index=Flat())
    yield name
    store.drop_library(name)


def ids(store: MilvusStore, library: str) -> list[str]:
    """The id of every row, as often as the row is there."""
    assert store.count(library) == len(store.entities(library, limit=10_000))
    return sorted(entity.id for entity in store.entities(library, limit=10_000))


@pytest.mark.server
def test_what_is_there_is_replaced_and_what_is_new_is_added(
    store: MilvusStore, library: str, tmp_path: Path
) -> None:
    moved = [replace(entity, camera="elsewhere") for entity in ENTITIES[:20]]
    store.upsert(library, moved, VECTORS[:20])
    inserter = store.bulk_inserter(BulkStorage(str(tmp_path)))
    doubled = [replace(ENTITIES[40], camera="an earlier one"), *ENTITIES]
    inserter.insert(library, doubled, np.concatenate([VECTORS[:1], VECTORS]))
    assert ids(store, library) == sorted(entity.id for entity in ENTITIES)
    found = {entity.id: entity for entity in store.entities(library, limit=ROWS)}
    assert found == {entity.id: entity for entity in ENTITIES}
    for row in (3, 40, 59):  # replaced, given twice, new
        [hits] = store.search(library, VECTORS[row : row + 1], k=1)
        assert hits[0].entity == ENTITIES[row]
        np.testing.assert_allclose(store.embedding(library, ENTITIES[row].id), VECTORS[row])
    assert store.delete(library, Filter(ids=(ENTITIES[59].id,))) == 1
    assert store.count(library) == ROWS - 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.server
def test_a_file_that_a_killed_process_handed_over_is_not_there_twice(
    store: MilvusStore, library: str, tmp_path: Path
) -> None:
    pq.write_table(columns(ENTITIES, VECTORS), tmp_path / "left.parquet")
    handler = store.session.client._get_connection()
    collection = store.library(library).collection
    handler.do_bulk_insert(collection, "", [str(tmp_path / "left.parquet")])
    store.bulk_inserter(BulkStorage(str(tmp_path))).insert(library, ENTITIES, VECTORS)
    assert ids(store, library) == sorted(entity.id for entity in ENTITIES)


@pytest.mark.server
@pytest.mark.skipif("SIGHTLINE_SOAK" not in os.environ, reason="40 s: SIGHTLINE_SOAK=1")
def test_rows_that_another_process_took_in_meanwhile_are_put_right(
    store: MilvusStore, library: str, tmp_path: Path
) -> None:
    other = store.bulk_inserter(BulkStorage(str(tmp_path / "other")))

    class Meanwhile(BulkStorage):
        @contextmanager
        def file(self, rows: pa.Table) -> Iterator[str]:
            # What is new has been looked up; now another takes it in.
            other.insert(library, ENTITIES, VECTORS)
            with super().file(rows) as told:
                yield told

    inserter = store.bulk_inserter(Meanwhile(str(tmp_path)))
    inserter.insert(library, ENTITIES, VECTORS)
    assert ids(store, library) == sorted(entity.id for entity in ENTITIES)


@pytest.mark.server
def test_a_file_the_server_cannot_read(store: MilvusStore, library: str) -> None:
    elsewhere = store.bulk_inserter(BulkStorage("memory://not/the/server's"))
    with pytest.raises(StoreError) as raised:
        elsewhere.insert(library, ENTITIES, VECTORS)
    assert store.library(library).collection in raised.value.message
    assert "memory://not/the/server's" in raised.value.hint
    assert store.count(library) == 0


def test_milvus_lite_refuses(lite_store: MilvusStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Milvus Lite takes rows one batch at a time"):
        lite_store.bulk_inserter(BulkStorage(str(tmp_path)))


def test_no_storage_and_no_such_storage() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_MILVUS_BULK_STORAGE is not set"):
        bulk_storage(Settings())
    with pytest.raises(SettingsError, match="nowhere://bucket"):
        bulk_storage(Settings(milvus=MilvusSettings(bulk_storage="nowhere://bucket/x")))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows = columns(ENTITIES, VECTORS)
    with (
        pytest.raises(StoreError, match="cannot be written to"),
        BulkStorage(str(tmp_path / "file")).file(rows),
    ):
        pass


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    storage = BulkStorage(str(tmp_path))
    with storage.file(columns(ENTITIES, VECTORS)) as path:
        kept, old = Path(path), Path(path).with_name("old.parquet")
        old.write_bytes(kept.read_bytes())
        os.utime(old, (0, 0))
        storage.remove_leftovers()
        assert kept.exists() and not old.exists()
        assert pq.read_table(kept).num_rows == ROWS
    assert not kept.exists()
