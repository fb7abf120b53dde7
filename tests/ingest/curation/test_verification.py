"""Verify and repair: damage done to each place in turn, found, and mended from the others."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.curation.repair import repair
from ingest.curation.tagging import set_tags
from ingest.curation.verification import Finding, verify
from ingest.ledger import Ledger
from ingest.rows.deletion import delete_entities
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo

LONG_AGO = 1_000_000_000


@pytest.fixture
def taken_in(take_in: TakeIn, media: Path, settings: Settings) -> Path:
    """A library of one photograph and one video, all in order."""
    make_photo(media / "photo.jpg")
    make_clip(media / "clip.mp4")
    report = take_in(media)
    assert report.done == 2
    return media


def found(settings: Settings, store: MemoryStore) -> list[Finding]:
    return list(verify(settings, store, ["main"]))


def kinds(settings: Settings, store: MemoryStore) -> list[str]:
    return sorted(finding.kind for finding in found(settings, store))


def mend(settings: Settings, store: MemoryStore, encoder: HistogramEncoder) -> list[Finding]:
    return repair(settings, store, found(settings, store), lambda _: encoder)


def test_what_is_in_order_gives_no_findings(
    taken_in: Path, settings: Settings, store: MemoryStore
) -> None:
    assert found(settings, store) == []


def test_a_missing_thumbnail_is_drawn_again(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    for entity in store.entities("main"):
        (settings.data_dir / entity.thumbnail).unlink()
    assert set(kinds(settings, store)) == {"thumbnail_missing"}
    assert mend(settings, store, encoder) == []
    assert found(settings, store) == []


def test_half_a_thumbnail_counts_as_missing(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    path = settings.data_dir / store.entities("main")[0].thumbnail
    path.write_bytes(path.read_bytes()[:-20])
    assert kinds(settings, store) == ["thumbnail_missing"]
    mend(settings, store, encoder)
    assert found(settings, store) == []


def test_keyframes_gone_from_milvus_are_taken_in_again(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    before = {entity.id for entity in store.entities("main")}
    video = next(entity for entity in store.entities("main") if entity.media_type == "frame")
    store.delete("main", Filter(ids=(video.id,)))
    assert "keyframes_missing" in kinds(settings, store)
    mend(settings, store, encoder)
    assert {entity.id for entity in store.entities("main")} == before
    assert found(settings, store) == []


def test_keyframes_deleted_on_purpose_are_not_missing(
    taken_in: Path, settings: Settings, store: MemoryStore
) -> None:
    video = next(entity for entity in store.entities("main") if entity.media_type == "frame")
    delete_entities(settings, store, "main", Filter(ids=(video.id,)))
    assert found(settings, store) == []


def test_a_lost_ledger_is_made_again(
    taken_in: Path,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    take_in: TakeIn,
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        ledger.forget("main")
    assert set(kinds(settings, store)) == {"unfinished"}
    mend(settings, store, encoder)
    assert found(settings, store) == []
    assert take_in(taken_in, regions="auto").skipped == 2  # what is repaired is as usual


def test_a_file_that_is_gone_is_listed_and_stays_listed(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    (taken_in / "clip.mp4").unlink()
    [finding] = found(settings, store)
    assert (finding.kind, finding.subject) == ("media_missing", str(taken_in / "clip.mp4"))
    assert not finding.repairable
    [left] = mend(settings, store, encoder)
    assert left.kind == "media_missing"


def test_a_file_that_was_moved_is_found_where_it_was_seen(
    taken_in: Path,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    take_in: TakeIn,
) -> None:
    there = taken_in / "moved"
    there.mkdir()
    shutil.move(taken_in / "clip.mp4", there / "clip.mp4")
    os.utime(there / "clip.mp4", (LONG_AGO, LONG_AGO))
    take_in(there)  # known content: nothing is done, its new place is remembered
    assert kinds(settings, store) == ["media_moved"]
    assert mend(settings, store, encoder) == []
    moved = {entity.uri for entity in store.entities("main") if entity.media_type == "frame"}
    assert moved == {str(there / "clip.mp4")}
    assert found(settings, store) == []


def test_thumbnails_that_nothing_shows_are_removed(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    stray = settings.thumbnails_dir / "ab" / "abc" / "0.jpg"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"left by a crash")
    assert found(settings, store) == []  # an ingest that runs now may be about to show it
    os.utime(stray, (LONG_AGO, LONG_AGO))
    assert kinds(settings, store) == ["orphan"]
    mend(settings, store, encoder)
    assert not stray.exists()
    assert found(settings, store) == []


def rows(store: MemoryStore) -> dict[str, tuple[str, int, tuple[str, ...]]]:
    return {e.id: (e.camera, e.captured_at, e.tags) for e in store.entities("main", limit=1000)}


@pytest.mark.parametrize(
    "how",
    ["interval:0.75", "iframe+distinct:0.004", "scene:20", "motion:2", "interval:2+distinct"],
)
def test_sources_are_taken_in_again_as_they_were(
    how: str,
    take_in: TakeIn,
    media: Path,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
) -> None:
    make_clip(media / "clip.mp4", seconds=9)
    started = datetime(2026, 3, 1, 8, tzinfo=UTC)
    take_in(media, keyframes=how, camera="gate-3", started_at=started, tags=("night",))
    before = rows(store)
    store.delete("main", Filter(cameras=("gate-3",)))
    assert "keyframes_missing" in kinds(settings, store)
    assert mend(settings, store, encoder) == []
    assert rows(store) == before
    assert found(settings, store) == []
    assert take_in(media, keyframes=how).skipped == 1


def test_keyframes_that_are_there_keep_their_tags(
    taken_in: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    first, second, *_ = sorted(
        (e for e in store.entities("main") if e.media_type == "frame"), key=lambda e: e.pts_ms
    )
    set_tags(store, "main", first.id, ["seen"])
    before = rows(store)
    store.delete("main", Filter(ids=(second.id,)))
    assert mend(settings, store, encoder) == []
    assert rows(store) == before


@pytest.mark.parametrize(("patterns", "camera"), [((), "door"), (("%camera-%*",), "back")])
def test_a_file_ingested_alone_keeps_its_camera_when_it_is_taken_in_again(
    patterns: tuple[str, ...],
    camera: str,
    take_in: TakeIn,
    media: Path,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
) -> None:
    clip = make_clip(media / ("back-door.mp4" if patterns else "door.mp4"))
    take_in(clip, name_patterns=patterns, alone=True)
    before = rows(store)
    assert {row[0] for row in before.values()} == {camera}
    store.delete("main", Filter(cameras=(camera,)))
    assert mend(settings, store, encoder) == []
    assert rows(store) == before
    store.delete("main", Filter(cameras=(camera,)))  # repaired once, it is still known
    assert mend(settings, store, encoder) == []
    assert rows(store) == before


def test_a_member_of_a_zip_keeps_its_camera_when_it_is_taken_in_again(
    take_in: TakeIn, media: Path, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_photo(media.parent / "photo.jpg")
    shutil.make_archive(str(media / "gate"), "zip", media.parent, "photo.jpg")
    take_in(media)
    [(key, (camera, _, _))] = rows(store).items()
    store.delete("main", Filter(ids=(key,)))
    assert mend(settings, store, encoder) == []
    assert [row[0] for row in rows(store).values()] == [camera] == ["gate"]
