"""Correcting times and cameras of what a library holds already."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.cameras.stills import source_of_day, still_path
from ingest.curation.corrections import (
    Change,
    ReadCamera,
    ReadTime,
    SetCamera,
    Shift,
    StartAt,
    apply_correction,
    asked_of,
    is_resumed_by,
    outlived,
    plan_correction,
    resume_correction,
)
from ingest.curation.moving import rename_library
from ingest.rows.deletion import drop_library
from ingest.rows.journal import Journal, pending_correction
from ingest.rows.retention import Rule, prune
from search_core.access.audit_log import AuditLog
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import Access
from search_core.encoders.base import Embeddings
from search_core.errors import NotAllowed, StoreBusy, StoreError, UsageError
from search_core.schema.entity import FrameRef, MediaEntity, ms_from_datetime
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo

HOUR_MS = 3_600_000
MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = Shift(timedelta(hours=1))


def rows(store: Store, library: str = "main") -> dict[str, MediaEntity]:
    return {e.id: e for e in store.entities(library, limit=10_000)}


def correct(
    settings: Settings,
    store: Store,
    change: Change,
    where: Filter | None = None,
    sources: Sequence[str] = (),
) -> int:
    planned = plan_correction(settings, store, "main", change, where or Filter(), sources)
    return apply_correction(settings, store, planned)


def fill(store: Store, entities: Sequence[MediaEntity]) -> None:
    encoder = HistogramEncoder()
    store.ensure_library("main", encoder.identity)
    store.upsert("main", entities, clip_like_vectors(len(entities), encoder.identity.dim))


def keyframes_of(source: int, moments_ms: Sequence[int], **changes: object) -> list[MediaEntity]:
    """Return keyframes of one video that starts ``source`` seconds after the epoch."""
    entity = make_entity(source, **changes)
    return [
        replace(
            entity,
            id=FrameRef(entity.source_id, at).primary_key,
            pts_ms=at,
            captured_at=entity.captured_at + at,
        )
        for at in moments_ms
    ]


def live(camera: str, captured_ms: int) -> MediaEntity:
    day = datetime.fromtimestamp(captured_ms / 1000, UTC).date()
    ref = FrameRef(source_of_day(camera, day), captured_ms % 86_400_000)
    return make_entity(
        0,
        id=ref.primary_key,
        source_id=ref.source_id,
        pts_ms=ref.pts_ms,
        camera=camera,
        captured_at=captured_ms,
        captured_from="live",
        uri=f"/stills/{captured_ms}.jpg",
        duration_ms=0,
    )


def test_a_shift_changes_times_and_nothing_else(
    settings: Settings, lite_store: MilvusStore
) -> None:
    fill(lite_store, [*keyframes_of(1, (0, 5000)), *keyframes_of(2, (0,), captured_from="file")])
    before = rows(lite_store)
    vectors = {id: lite_store.embedding("main", id) for id in before}

    assert correct(settings, lite_store, Shift(timedelta(hours=-1, seconds=-5))) == 3

    for id, entity in rows(lite_store).items():
        by_ms = entity.captured_at - before[id].captured_at
        assert by_ms == -HOUR_MS - 5000
        assert entity == replace(before[id], captured_at=entity.captured_at, captured_from="given")
        np.testing.assert_array_equal(lite_store.embedding("main", id), vectors[id])
    assert pending_correction(settings, "main") is None


def test_part_of_a_file_stands_for_all_of_it(settings: Settings, store: MemoryStore) -> None:
    fill(store, [*keyframes_of(1, (0, 5000, 10_000)), *keyframes_of(60, (0,))])
    late = Filter(after=datetime.fromtimestamp(8, UTC), before=datetime.fromtimestamp(20, UTC))

    planned = plan_correction(settings, store, "main", HOUR, late)

    assert [(item.uri, item.keyframes) for item in planned.recordings] == [("/footage/1.mp4", 3)]
    assert planned.beyond == 2
    apply_correction(settings, store, planned)
    assert sorted(e.captured_at for e in rows(store).values()) == [
        60_000,
        HOUR_MS + 1000,
        HOUR_MS + 6000,
        HOUR_MS + 11_000,
    ]


def test_of_two_cameras_in_one_file_only_the_chosen_one_is_renamed(
    settings: Settings, store: MemoryStore
) -> None:
    front, rear = keyframes_of(1, (0, 5000)), keyframes_of(1, (1, 5001), camera="rear")
    fill(store, [*front, *rear])

    assert correct(settings, store, SetCamera("gate"), Filter(cameras=("cam-1",))) == 2

    assert {e.camera for e in rows(store).values()} == {"gate", "rear"}


def test_live_keyframes_are_shifted_one_by_one_and_stay_live(
    settings: Settings, store: MemoryStore
) -> None:
    fill(store, [live("gate", 10_000), live("gate", 20_000)])
    where = Filter(before=datetime.fromtimestamp(15, UTC))

    assert correct(settings, store, HOUR, where) == 1

    by_time = sorted(rows(store).values(), key=lambda entity: entity.captured_at)
    assert [e.captured_at for e in by_time] == [20_000, HOUR_MS + 10_000]
    assert all(e.is_live for e in by_time)


def test_setting_the_start_keeps_positions_and_lays_files_out_by_name(
    settings: Settings, store: MemoryStore
) -> None:
    clips = [
        keyframes_of(number, (0, 5000), camera="gate", uri=uri, duration_ms=lasting)
        for number, uri, lasting in ((1, "/f/clip-10.mp4", 7000), (2, "/f/clip-2.mp4", 60_000))
    ]
    fill(store, [*clips[0], *clips[1], live("gate", 10_000)])

    planned = plan_correction(settings, store, "main", StartAt(MORNING), Filter())
    apply_correction(settings, store, planned)

    start = ms_from_datetime(MORNING)
    found = {(e.uri, e.pts_ms): e.captured_at - start for e in rows(store).values()}
    assert found["/f/clip-2.mp4", 0] == 0
    assert found["/f/clip-2.mp4", 5000] == 5000
    assert found["/f/clip-10.mp4", 0] == 60_000
    assert found["/f/clip-10.mp4", 5000] == 65_000
    assert [uri for uri, _ in planned.kept] == ["gate (live)"]
    assert {e.captured_from for e in rows(store).values()} == {"given", "live"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera": "gate", "media_type": "image", "duration_ms": 0}, "have no length"),
        ({}, "several cameras"),
    ],
)
def test_one_start_for_recordings_that_cannot_follow_each_other_is_refused(
    settings: Settings, store: MemoryStore, changes: dict[str, object], message: str
) -> None:
    fill(store, [make_entity(1, **changes), make_entity(2, **changes)])
    before = rows(store)

    with pytest.raises(UsageError, match=message):
        correct(settings, store, StartAt(MORNING))
    assert rows(store) == before

    source = make_entity(1).source_id
    assert correct(settings, store, StartAt(MORNING), Filter(source_ids=(source,))) == 1


def test_times_are_read_again_as_an_ingest_reads_them(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    clip = make_clip(media / "gate.mp4", metadata={"creation_time": "2026-02-01T10:00:00Z"})
    photo = make_photo(media / "porch.jpg")
    archive = media / "more.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(zipfile.ZipInfo("in/red.png", (2024, 5, 6, 7, 8, 10)), _png(media))
    os.utime(photo, (1_700_000_000, 1_700_000_000))
    take_in(clip, photo, archive)
    as_ingested = rows(store)
    assert {e.captured_from for e in as_ingested.values()} == {"container", "file"}
    correct(settings, store, HOUR)

    left = plan_correction(settings, store, "main", ReadTime(), Filter())
    assert not left.rows
    assert {reason for _, reason in left.kept} == {"has a time that somebody gave"}
    assert correct(settings, store, ReadTime(given_too=True)) == len(as_ingested)

    assert rows(store) == as_ingested


def test_a_corrected_file_time_is_read_again(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    photo = make_photo(media / "porch.jpg")
    os.utime(photo, (1_700_000_000, 1_700_000_000))
    take_in(photo)
    os.utime(photo, (1_600_000_000, 1_600_000_000))

    assert correct(settings, store, ReadTime(), sources=[str(media)]) == 1

    [entity] = rows(store).values()
    assert (entity.captured_at, entity.captured_from) == (1_600_000_000_000, "file")


def test_what_cannot_be_read_again_stays_and_says_why(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    gone, changed = make_photo(media / "gone.jpg"), make_photo(media / "changed.jpg", (9, 9, 9))
    moved = make_photo(media / "moved.jpg", (1, 90, 1))
    for path in (gone, changed, moved):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    take_in(media)
    gone.unlink()
    make_photo(changed, (0, 0, 200))
    take_in(moved.rename(media / "elsewhere.jpg"))  # so that the ledger knows where it is now

    planned = plan_correction(settings, store, "main", ReadTime(), Filter())

    assert dict(planned.kept) == {
        str(gone): "is not there any more",
        str(changed): "has other content now",
    }
    assert (planned.rows, planned.unchanged) == ([], 1)


def test_cameras_are_found_out_again(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media)
    as_ingested = rows(store)
    correct(settings, store, SetCamera("gate-3"))
    assert {facet.camera for facet in store.facets("main").cameras} == {"gate-3"}

    correct(settings, store, ReadCamera())

    assert rows(store) == as_ingested


@pytest.mark.parametrize(("patterns", "camera"), [((), "door"), (("%*-%camera",), "gate")])
def test_cameras_of_files_ingested_alone_are_found_out_as_then(
    settings: Settings,
    store: MemoryStore,
    take_in: TakeIn,
    media: Path,
    patterns: tuple[str, ...],
    camera: str,
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media)
    alone = make_photo(media / ("north-gate.jpg" if patterns else "door.jpg"), (0, 0, 200))
    take_in(alone, name_patterns=patterns, alone=True)
    as_ingested = rows(store)
    assert sorted(entity.camera for entity in as_ingested.values()) == sorted(["media", camera])
    correct(settings, store, SetCamera("gate-3"))

    correct(settings, store, ReadCamera())

    assert rows(store) == as_ingested


def test_sources_are_chosen_by_path(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    (media / "a").mkdir()
    (media / "ab").mkdir()
    for name, colour in (("a/1.png", 10), ("a/2.png", 80), ("ab/3.png", 160)):
        make_photo(media / name, (colour, 0, 0))
    take_in(media)

    assert correct(settings, store, SetCamera("x"), sources=[str(media / "a")]) == 2
    assert correct(settings, store, SetCamera("y"), sources=[str(media / "ab" / "3.png")]) == 1
    with pytest.raises(UsageError, match=r"no recording at .*nowhere"):
        correct(settings, store, SetCamera("z"), sources=[str(media / "nowhere")])


@pytest.mark.parametrize("name", [" ", "x" * 257, "bell\a"])
def test_impossible_cameras_are_refused(settings: Settings, store: MemoryStore, name: str) -> None:
    fill(store, [make_entity(1)])
    with pytest.raises(UsageError):
        correct(settings, store, SetCamera(name))


def test_a_shift_out_of_all_calendars_is_refused(settings: Settings, store: MemoryStore) -> None:
    fill(store, [make_entity(1, captured_at=ms_from_datetime(datetime(9950, 1, 1, tzinfo=UTC)))])
    with pytest.raises(UsageError, match="years 1 to 9999"):
        correct(settings, store, Shift(timedelta(days=36_500)))


# Stopped midway


class FailingStore(MemoryStore):
    """Fails at the given writes, before or after they took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[int, str] = {}
        self.writes = count()

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        failure = self.failures.get(next(self.writes), "")
        if failure != "before":
            super().upsert(name, entities, embeddings)
        if failure:
            raise StoreError("Milvus went away.")


@hypothesis_settings(max_examples=12, deadline=None)
@given(st.dictionaries(st.integers(0, 6), st.sampled_from(["before", "after"])))
def test_nothing_is_shifted_twice_wherever_it_stops(
    tmp_path_factory: pytest.TempPathFactory, failures: dict[int, str]
) -> None:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    store = FailingStore()
    fill(store, [make_entity(number) for number in range(1300)])
    before = rows(store)
    store.failures, store.writes = failures, count()

    asked = asked_of(HOUR, Filter())
    for _ in range(len(failures) + 2):
        pending = pending_correction(settings, "main")
        assert pending is None or is_resumed_by(pending, asked)
        try:
            if pending is None:
                correct(settings, store, HOUR)
            else:
                resume_correction(settings, store, "main")
            break
        except StoreError:
            continue

    after = rows(store)
    assert {id: e.captured_at - HOUR_MS for id, e in after.items()} == {
        id: e.captured_at for id, e in before.items()
    }
    assert pending_correction(settings, "main") is None


def test_another_correction_waits_for_one_that_was_stopped(
    settings: Settings, lite_store: MilvusStore
) -> None:
    fill(lite_store, [make_entity(number) for number in range(600)])

    def stop(written: int, total: int) -> None:
        raise KeyboardInterrupt

    planned = plan_correction(settings, lite_store, "main", HOUR, Filter())
    with pytest.raises(KeyboardInterrupt):
        apply_correction(settings, lite_store, planned, stop)
    pending = pending_correction(settings, "main")
    assert pending is not None and (pending.done, pending.total) == (500, 600)
    with pytest.raises(UsageError, match="stopped after 500 of 600"):
        correct(settings, lite_store, SetCamera("x"))
    with pytest.raises(UsageError, match="stopped after 500 of 600"):
        apply_correction(settings, lite_store, planned)
    gone = next(e.id for e in rows(lite_store).values() if e.captured_at < HOUR_MS)
    lite_store.delete("main", Filter(ids=(gone,)))
    rename_library(settings, lite_store, "main", "street")

    assert resume_correction(settings, lite_store, "street") == 600

    after = rows(lite_store, "street").values()
    assert len(after) == 599
    assert all(HOUR_MS <= e.captured_at < HOUR_MS + 600_000 for e in after)
    with pytest.raises(UsageError, match="No correction of the library street"):
        resume_correction(settings, lite_store, "street")


def test_a_dropped_library_leaves_no_correction_behind(
    settings: Settings, store: MemoryStore
) -> None:
    fill(store, [make_entity(1)])
    with Journal(settings) as journal:
        journal.begin("main", {}, [])
    drop_library(settings, store, "main")
    assert pending_correction(settings, "main") is None


def test_two_corrections_at_once_are_refused(settings: Settings, store: MemoryStore) -> None:
    fill(store, [make_entity(1)])
    with Journal(settings) as journal, journal.locked(), pytest.raises(StoreBusy):
        correct(settings, store, HOUR)


# Retention


def test_says_which_recordings_a_retention_rule_will_remove(
    settings: Settings, store: MemoryStore
) -> None:
    ruled = settings.model_copy(update={"retain": {"main": timedelta(days=30)}})
    now = datetime.fromtimestamp(0, UTC) + timedelta(days=31)
    fill(store, [make_entity(1), make_entity(2, captured_at=2 * 86_400_000)])

    planned = plan_correction(ruled, store, "main", Shift(timedelta(days=-1, seconds=-1)), Filter())

    assert [count for _, count in outlived(ruled, planned, now)] == [1]


def test_stills_of_live_keyframes_that_have_another_camera_outlive_the_first(
    settings: Settings, store: MemoryStore
) -> None:
    day_ms = 86_400_000
    kept, pruned = live("gate", day_ms), live("gate", day_ms + 1000)
    pictures = []
    for entity in (kept, pruned):
        still = still_path(settings.stills_dir, "gate", entity.captured_at)
        still.parent.mkdir(parents=True, exist_ok=True)
        still.write_bytes(b"jpeg")
        pictures.append(replace(entity, uri=str(still)))
    fill(store, pictures)
    correct(settings, store, SetCamera("yard"), Filter(ids=(kept.id,)))

    now = datetime.fromtimestamp(0, UTC) + timedelta(days=90)
    prune(settings, store, Rule("main", timedelta(days=30), "gate"), now)

    [left] = rows(store).values()
    assert (left.camera, Path(left.uri).exists()) == ("yard", True)
    assert not Path(pictures[1].uri).exists()


def _png(folder: Path) -> bytes:
    path = make_photo(folder / "made.png", (0, 200, 0))
    data = path.read_bytes()
    path.unlink()
    return data


# Access


def test_nobody_corrects_what_they_may_not_see(settings: Settings, store: MemoryStore) -> None:
    fill(store, [make_entity(0), make_entity(1)])
    access = Access("otto", "operator", ("cam-1",))
    guarded = GuardedStore(store, access, AuditLog(settings.audit_path))

    with pytest.raises(NotAllowed):
        correct(settings, guarded, SetCamera("cam-0"))
    assert pending_correction(settings, "main") is None
    assert correct(settings, guarded, HOUR) == 1

    assert sorted(e.captured_at for e in rows(store).values()) == [0, HOUR_MS + 1000]
