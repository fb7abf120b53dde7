"""Front and rear cameras in one file: each video track is a camera of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.curation.corrections import (
    Change,
    ReadCamera,
    ReadTime,
    SetCamera,
    StartAt,
    apply_correction,
    plan_correction,
)
from ingest.curation.known_sources import correct_known, find_known
from ingest.curation.reembedding import reembed
from ingest.curation.verification import verify
from ingest.media.decoding import frame_at
from ingest.rows.deletion import delete_entities
from search_core.schema.entity import FrameRef
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.media.reading import grey_of, read, with_tracks
from tests.support.made_media import FinerEncoder, make_clip

pytestmark = pytest.mark.usefixtures("like_a_decoding_process")

FRONT, REAR = 40, 200


@pytest.fixture
def dashcam(media: Path) -> Path:
    front = make_clip(media / "front.mp4", seconds=4, level=lambda second: FRONT)
    rear = make_clip(media / "rear.mp4", seconds=4, level=lambda second: REAR)
    path = with_tracks(media / "drive.mp4", [front, rear])
    front.unlink()
    rear.unlink()
    return path


def test_the_frames_of_all_tracks_come(dashcam: Path) -> None:
    found = read(dashcam)
    assert [(f.track, f.pts_ms) for f in found.frames] == [
        (track, 1000 * second) for track in (0, 2) for second in range(4)
    ]
    assert found.greys == [FRONT] * 4 + [REAR] * 4
    assert found.info.tracks == 2 and found.warning == ""


def test_one_track_can_be_read_alone(dashcam: Path) -> None:
    assert read(dashcam, track=0).greys == [FRONT] * 4
    rear = read(dashcam, track=2)
    assert rear.greys == [REAR] * 4 and {frame.track for frame in rear.frames} == {2}
    assert grey_of(frame_at(dashcam, 2000, track=2)) == REAR
    assert grey_of(frame_at(dashcam, 2000)) == FRONT


def test_each_track_becomes_a_camera(
    take_in: TakeIn, dashcam: Path, store: MemoryStore, settings: Settings
) -> None:
    (outcome,) = take_in(dashcam, keyframes="iframe").outcomes
    assert (outcome.status, outcome.keyframes) == ("done", 8)
    entities = store.entities("main", limit=100)
    cameras = {entity.camera: entity.track for entity in entities}
    assert cameras == {"media": 0, "media track 2": 2}
    assert len({entity.id for entity in entities}) == len({e.thumbnail for e in entities}) == 8
    assert all((settings.data_dir / entity.thumbnail).is_file() for entity in entities)
    assert {entity.source_id for entity in entities} == {entities[0].source_id}


def test_a_deleted_track_is_not_missing(
    dashcam: Path, media: Path, take_in: TakeIn, settings: Settings, store: MemoryStore
) -> None:
    take_in(media)
    delete_entities(settings, store, "main", Filter(cameras=("media track 2",)))
    assert list(verify(settings, store, ["main"])) == []


def test_what_looks_alike_on_two_tracks_is_kept_of_both(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    clips = [make_clip(media / f"{n}.mp4", seconds=8, level=lambda second: 90) for n in range(2)]
    path = with_tracks(media / "both.mp4", clips)
    take_in(path)
    assert {entity.camera for entity in store.entities("main", limit=9)} == {
        "media",
        "media track 2",
    }


def test_a_given_camera_names_the_tracks_too(
    take_in: TakeIn, dashcam: Path, store: MemoryStore
) -> None:
    take_in(dashcam, keyframes="iframe", camera="car")
    assert {e.camera for e in store.entities("main", limit=99)} == {"car", "car track 2"}


def test_corrections_keep_the_tracks_apart(
    take_in: TakeIn, dashcam: Path, store: MemoryStore, settings: Settings
) -> None:
    def cameras() -> set[tuple[str, int]]:
        return {(entity.camera, entity.track) for entity in store.entities("main", limit=99)}

    def correct(change: Change, *cameras: str) -> int:
        planned = plan_correction(settings, store, "main", change, Filter(cameras=cameras))
        return apply_correction(settings, store, planned)

    take_in(dashcam, keyframes="iframe", camera="car")
    assert correct(SetCamera("van")) == 8
    assert cameras() == {("van", 0), ("van track 2", 2)}
    assert correct(SetCamera("rear"), "van track 2") == 4
    assert cameras() == {("van", 0), ("rear", 2)}
    assert correct(ReadCamera()) == 8
    named = {camera for camera, track in cameras() if not track}
    assert cameras() == {(camera, 0) for camera in named} | {(f"{c} track 2", 2) for c in named}
    assert correct(StartAt(datetime(2026, 3, 1, 8, tzinfo=UTC))) == 8
    assert correct(ReadTime(given_too=True)) == 8
    assert cameras() == {(camera, 0) for camera in named} | {(f"{c} track 2", 2) for c in named}


def test_a_camera_given_again_names_the_tracks_too(
    take_in: TakeIn, dashcam: Path, store: MemoryStore, settings: Settings
) -> None:
    take_in(dashcam, keyframes="iframe", camera="car")
    for camera, differing in (("car", 0), ("van", 8)):
        report = take_in(dashcam, keyframes="iframe", camera=camera)
        known = find_known(store, "main", report, camera, ())
        assert len(known.ids) == differing
        correct_known(settings, store, known, report)
    assert {e.camera for e in store.entities("main", limit=99)} == {"van", "van track 2"}


def test_another_encoder_sees_each_tracks_own_frames(
    take_in: TakeIn, dashcam: Path, store: MemoryStore, settings: Settings
) -> None:
    take_in(dashcam, keyframes="iframe")
    report = reembed(settings, store, "main", FinerEncoder())
    assert (report.keyframes, report.thumbnails, report.left_out) == (8, 0, [])
    levels = {
        (entity.track, int(store.embedding("main", entity.id)[:16].argmax()))
        for entity in store.entities("main", limit=99)
    }
    assert len({level for track, level in levels if track}) == 1
    assert {track for track, _ in levels} == {0, 2} and len(levels) == 2


def test_a_track_is_part_of_an_id_and_the_main_one_is_not() -> None:
    assert FrameRef("ab", 1000).primary_key == "ab-0000001000"
    assert FrameRef("ab", 1000, 2).primary_key == "ab-v2-0000001000"
