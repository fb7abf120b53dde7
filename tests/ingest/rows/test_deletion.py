from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ingest.curation.moving import move_entities
from ingest.curation.tagging import change_tags
from ingest.ledger import Ledger
from ingest.rows.deletion import (
    deleted_entities,
    deletions,
    discard,
    drop_library,
    purge,
    purge_outdated,
    put_back,
)
from ingest.rows.retention import Rule, prune
from search_core.encoders.base import EncoderIdentity
from search_core.errors import EncoderMismatch, StoreError, UsageError
from search_core.schema.entity import FrameRef, MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings, load_settings
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 12
EVEN = Filter(tags=("even",))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def entities(
    lite_store: MilvusStore, settings: Settings, identity: EncoderIdentity
) -> list[MediaEntity]:
    """The library `main`: sources of two keyframes each, with thumbnails, in the ledger."""
    made = []
    for number in range(ROWS):
        ref = FrameRef(f"source{number // 2}", number % 2)
        thumbnail = f"thumbnails/so/{ref.source_id}/{ref.pts_ms}.jpg"
        made.append(
            make_entity(number, id=ref.primary_key, source_id=ref.source_id, thumbnail=thumbnail)
        )
        (settings.data_dir / thumbnail).parent.mkdir(parents=True, exist_ok=True)
        (settings.data_dir / thumbnail).write_bytes(b"a picture")
    lite_store.ensure_library("main", identity)
    lite_store.upsert("main", made, clip_like_vectors(ROWS, identity.dim))
    with Ledger(settings.ledger_path) as ledger:
        for number in range(ROWS // 2):
            ledger.record("main", f"source{number}", "recipe", f"/{number}", "done", keyframes=2)
    return made


def test_what_was_deleted_comes_back_as_it_was(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    vector = lite_store.embedding("main", entities[0].id)
    before = _ledger(settings, "main")

    assert discard(settings, lite_store, "main", EVEN, "even ones") == ROWS // 2
    assert lite_store.count("main") == ROWS // 2
    assert set(_ledger(settings, "main").values()) == {1}
    [deletion] = deletions(settings, "main")
    assert (deletion.what, deletion.count) == ("even ones", ROWS // 2)

    assert put_back(settings, lite_store, deletion.number) == ROWS // 2
    assert sorted(lite_store.entities("main"), key=lambda e: e.id) == entities
    assert np.array_equal(lite_store.embedding("main", entities[0].id), vector)
    assert _ledger(settings, "main") == before
    assert deletions(settings) == []
    with pytest.raises(UsageError):
        put_back(settings, lite_store, deletion.number)


def test_some_of_what_was_deleted_is_put_back(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    vector = lite_store.embedding("main", entities[0].id)
    before = _ledger(settings, "main")
    discard(settings, lite_store, "main", EVEN, "even ones")
    [deletion] = deletions(settings)
    gone = {entity.id for entity in deleted_entities(settings, deletion.number, ROWS)}
    assert len(gone) == deletion.count and entities[0].id in gone

    assert put_back(settings, lite_store, deletion.number, {entities[0].id}) == 1
    assert np.array_equal(lite_store.embedding("main", entities[0].id), vector)
    [left] = deletions(settings)
    assert left.count == deletion.count - 1
    put_back(settings, lite_store, deletion.number)
    assert _ledger(settings, "main") == before
    assert lite_store.count("main") == ROWS


def test_emptied_sources_are_pending_until_they_are_put_back(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    first = Filter(ids=(entities[0].id,))
    rest = Filter(ids=(entities[1].id,))
    discard(settings, lite_store, "main", first, "one")
    discard(settings, lite_store, "main", rest, "the other")
    assert "source0" not in _ledger(settings, "main")

    for deletion in deletions(settings):
        put_back(settings, lite_store, deletion.number)

    assert _ledger(settings, "main")["source0"] == 2


def test_pictures_go_when_the_trash_is_purged(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    discard(settings, lite_store, "main", EVEN, "even ones")
    assert _pictures(settings) == ROWS
    assert purge_outdated(settings, lite_store) == 0

    [deletion] = deletions(settings)
    assert purge(settings, lite_store, deletion.number) == ROWS // 2

    assert _pictures(settings) == ROWS // 2
    assert deletions(settings) == []


def test_purging_spares_pictures_that_a_library_shows(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    discard(settings, lite_store, "main", EVEN, "even ones")
    lite_store.upsert("main", entities[:1], clip_like_vectors(1, 16))  # ingested again

    purge_outdated(settings, lite_store, kept=timedelta(seconds=-1))

    assert _pictures(settings) == ROWS // 2 + 1


def test_retention_reaches_into_the_trash(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    discard(settings, lite_store, "main", EVEN, "even ones")
    rule = Rule("main", timedelta(days=1))

    assert prune(settings, lite_store, rule, datetime.now(UTC)).keyframes == ROWS

    assert deletions(settings) == []
    assert _pictures(settings) == 0


def test_dropping_a_library_empties_its_trash(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    discard(settings, lite_store, "main", EVEN, "even ones")
    drop_library(settings, lite_store, "main")

    assert deletions(settings) == []
    assert _pictures(settings) == 0


def test_what_another_encoder_made_is_not_put_back(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    discard(settings, lite_store, "main", EVEN, "even ones")
    lite_store.drop_library("main")
    lite_store.ensure_library("main", EncoderIdentity("other", "", "1" * 32, 8, "fp32"))

    [deletion] = deletions(settings)
    with pytest.raises(EncoderMismatch):
        put_back(settings, lite_store, deletion.number)
    assert deletions(settings) == [deletion]


def test_what_cannot_be_deleted_is_not_in_the_trash(
    lite_store: MilvusStore,
    settings: Settings,
    entities: list[MediaEntity],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str, where: Filter) -> int:
        raise StoreError("no")

    monkeypatch.setattr(lite_store, "delete", refuse)
    with pytest.raises(StoreError):
        discard(settings, lite_store, "main", EVEN, "even ones")
    assert deletions(settings) == []


def test_moves_to_another_library(
    lite_store: MilvusStore, settings: Settings, entities: list[MediaEntity]
) -> None:
    vector = lite_store.embedding("main", entities[2].id)

    assert move_entities(settings, lite_store, "main", EVEN, "kept") == ROWS // 2

    assert lite_store.count("main") == lite_store.count("kept") == ROWS // 2
    assert np.array_equal(lite_store.embedding("kept", entities[2].id), vector)
    assert _pictures(settings) == ROWS
    assert set(_ledger(settings, "main").values()) == {1}
    assert _ledger(settings, "kept") == _ledger(settings, "main")
    with pytest.raises(UsageError):
        move_entities(settings, lite_store, "kept", EVEN, "kept")


def test_tags_are_added_and_removed_on_many(
    lite_store: MilvusStore, entities: list[MediaEntity]
) -> None:
    vector = lite_store.embedding("main", entities[0].id)

    done = change_tags(lite_store, "main", EVEN, add=["seen", " "], remove=["all"])

    assert (done.changed, done.full) == (ROWS // 2, 0)
    assert {entity.tags for entity in lite_store.entities("main", EVEN)} == {("even", "seen")}
    assert np.array_equal(lite_store.embedding("main", entities[0].id), vector)
    assert change_tags(lite_store, "main", EVEN, add=["seen"]).changed == 0


def test_what_has_no_room_for_a_tag_is_left_as_it_is(
    lite_store: MilvusStore, entities: list[MediaEntity]
) -> None:
    change_tags(lite_store, "main", Filter(ids=(entities[0].id,)), add=map(str, range(62)))

    done = change_tags(lite_store, "main", EVEN, add=["seen"])

    assert (done.changed, done.full) == (ROWS // 2 - 1, 1)


def _ledger(settings: Settings, library: str) -> dict[str, int]:
    with Ledger(settings.ledger_path) as ledger:
        return {row.source_id: row.keyframes for row in ledger.outcomes(library)}


def _pictures(settings: Settings) -> int:
    return len(list(settings.thumbnails_dir.rglob("*.jpg")))
