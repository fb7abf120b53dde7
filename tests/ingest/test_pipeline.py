"""Ingest as a whole: what ends up in the library, in the report and in the ledger."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from ingest.engines.base import LocalEngine
from ingest.ledger import Ledger
from search_core.encoders.base import Embeddings, Pixels
from search_core.errors import EncoderMismatch, UsageError
from search_core.schema.entity import MediaEntity, ms_from_datetime
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import IngestArguments, TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo


def rows(store: MemoryStore, library: str = "main") -> dict[str, MediaEntity]:
    return {e.id: e for e in store.entities(library, limit=10_000)}


def test_a_video_and_a_photograph_are_taken_in(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    make_clip(media / "gate.mp4", seconds=3)
    make_photo(media / "porch.jpg")
    report = take_in(
        media,
        tags=(
            "night",
            "night",
            " rain ",
        ),
    )
    assert (report.done, report.skipped, report.failed, report.keyframes) == (2, 0, 0, 4)
    entities = sorted(rows(store).values(), key=lambda e: (e.media_type, e.pts_ms))
    assert [(e.media_type, e.pts_ms, e.camera) for e in entities] == [
        ("frame", 0, "media"),
        ("frame", 1000, "media"),
        ("frame", 2000, "media"),
        ("image", 0, "media"),
    ]
    assert {e.tags for e in entities} == {("night", "rain")}
    assert entities[0].uri == str(media / "gate.mp4")
    assert (entities[0].width, entities[0].height, entities[0].duration_ms) == (64, 48, 3000)
    assert (entities[3].width, entities[3].height, entities[3].duration_ms) == (80, 60, 0)
    for entity in entities:
        with Image.open(settings.data_dir / entity.thumbnail) as thumbnail:
            assert thumbnail.format == "JPEG" and max(thumbnail.size) <= 64


def test_embeddings_are_those_of_the_frames(
    take_in: TakeIn, media: Path, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_photo(media / "red.png", (250, 0, 0))
    make_photo(media / "blue.png", (0, 0, 250))
    take_in(media)
    for entity in rows(store).values():
        expected = encoder.encode_images([Image.open(entity.uri)])[0]
        np.testing.assert_allclose(store.embedding("main", entity.id), expected, atol=1e-6)


def test_the_encoder_does_not_wait_for_a_full_batch(
    take_in: TakeIn,
    media: Path,
    encoder: HistogramEncoder,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(70):
        make_photo(media / f"{number}.png", (number, 0, 0))
    sizes: list[int] = []
    encode = encoder.encode_pixels

    def counted(pixels: Sequence[Pixels]) -> Embeddings:
        sizes.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(encoder, "encode_pixels", counted)
    assert take_in(media).keyframes == sum(sizes) == 70
    assert sizes[0] <= 4 < max(sizes) <= settings.encoder.batch_size


def test_again_does_nothing_and_says_so(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    make_clip(media / "a.mp4")
    make_photo(media / "b.jpg")
    take_in(media)
    before = rows(store)
    report = take_in(media)
    assert (report.done, report.skipped, report.failed, report.keyframes) == (0, 2, 0, 0)
    assert {o.reason for o in report.outcomes} == {"already in the library"}
    assert rows(store) == before


def test_a_renamed_file_is_known_and_a_changed_one_is_not(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    take_in(media)
    (media / "a.png").rename(media / "b.png")
    assert take_in(media).skipped == 1
    make_photo(media / "b.png", (1, 2, 3))
    assert take_in(media).done == 1
    assert store.count("main") == 2


def test_a_new_recipe_takes_sources_in_again(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_clip(media / "a.mp4", seconds=4)
    assert take_in(media, keyframes="iframe").keyframes == 4
    assert take_in(media, keyframes="interval:2").keyframes == 2
    assert store.count("main") == 4  # the same moments have the same keys


def test_near_duplicates_are_left_out_and_counted(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    make_clip(media / "a.mp4", times=[0.0, 0.2, 0.4, 1.0, 1.2], gop=1)  # two shades of grey
    report = take_in(media, keyframes="iframe+distinct")
    assert (report.keyframes, report.left_out, report.to_json()["left_out"]) == (2, 3, 3)
    assert sorted(e.pts_ms for e in rows(store).values()) == [0, 1000]
    # Frames told apart by their pixels, but not by this encoder.
    report = take_in(media, keyframes="iframe+distinct:0.5", library="other")
    assert (report.keyframes, report.left_out, store.count("other")) == (1, 4, 1)
    for name in ("main", "other"):  # one's near-duplicate is the other's keyframe
        assert all((settings.data_dir / e.thumbnail).exists() for e in rows(store, name).values())


def test_a_near_duplicates_thumbnail_goes_and_the_keyframe_before_stands_for_it(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    make_clip(media / "a.mp4", times=[0.0, 0.2, 0.4, 1.0, 1.2], gop=1)
    assert take_in(media, keyframes="iframe+distinct:0.5").left_out == 4
    [kept] = rows(store).values()
    assert (kept.pts_ms, kept.span_ms) == (0, kept.duration_ms)
    assert [path.name for path in settings.thumbnails_dir.rglob("*.jpg")] == ["0.jpg"]
    with Ledger(settings.ledger_path) as ledger:
        assert [row.left_out for row in ledger.outcomes()] == [4] and ledger.left_out("main") == 4


def test_a_keyframe_knows_how_long_it_stands_for_what_is_shown(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_clip(media / "a.mp4", seconds=6)
    make_photo(media / "b.png")
    take_in(media, keyframes="interval:2")
    spans = sorted((e.media_type, e.pts_ms, e.span_ms) for e in rows(store).values())
    frames = [("frame", start, 2000) for start in (0, 2000, 4000)]
    assert spans == [*frames, ("image", 0, 0)]


def test_two_libraries_are_apart(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    make_photo(media / "a.png")
    take_in(media)
    assert take_in(media, library="other").done == 1
    assert (store.count("main"), store.count("other")) == (1, 1)


def test_the_same_content_twice_is_taken_once(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    (media / "b.png").write_bytes((media / "a.png").read_bytes())
    report = take_in(media)
    assert (report.done, report.skipped, store.count("main")) == (1, 1, 1)


def test_when_it_was_taken_is_given_or_read_or_the_files(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    created = {"creation_time": "2021-03-04T05:06:07Z"}
    make_clip(media / "container.mp4", seconds=2, metadata=created)
    make_clip(media / "plain.mp4", seconds=1, fps=4)
    os.utime(media / "plain.mp4", (1_600_000_000, 1_600_000_000))
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2022:01:02 03:04:05", 0x9011: "+02:00"})
    make_photo(media / "exif.jpg", exif=exif)
    take_in(media)
    seen = {(Path(e.uri).name, e.pts_ms): e for e in rows(store).values()}
    container = ms_from_datetime(datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC))
    assert seen["container.mp4", 1000].captured_at == container + 1000
    assert seen["container.mp4", 1000].captured_from == "container"
    assert seen["plain.mp4", 0].captured_at == 1_599_999_999_000  # written when it ended
    assert seen["plain.mp4", 0].captured_from == "file"
    taken = ms_from_datetime(datetime(2022, 1, 2, 1, 4, 5, tzinfo=UTC))
    assert (seen["exif.jpg", 0].captured_at, seen["exif.jpg", 0].captured_from) == (taken, "exif")


def test_cameras_are_those_of_names_and_folders(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    for number, name in enumerate(
        (
            "yard/clip-1.mp4",
            "yard/clip-2.mp4",
            "yard/2026-03-01/08-15.mp4",
            "ch3_20260301081500.mp4",
        )
    ):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        make_clip(media / name, seconds=1 + number / 5)
    with zipfile.ZipFile(media / "gate.zip", "w") as out:
        out.write(make_clip(media / "part.mp4", seconds=2), "2026-03-02/part.mp4")
    (media / "part.mp4").unlink()
    assert take_in(media, keyframes="interval:1").done == 5  # which folds nothing
    cameras = {PurePath(entity.uri).name: entity.camera for entity in rows(store).values()}
    assert cameras == {
        "clip-1.mp4": "yard",
        "clip-2.mp4": "yard",
        "08-15.mp4": "yard",
        "ch3_20260301081500.mp4": "ch3",
        next(name for name in cameras if name.endswith("part.mp4")): "gate",
    }


def test_own_name_patterns_name_cameras(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    make_clip(media / "a.gate.mp4", seconds=1)
    take_in(media, name_patterns=("%*.%camera",))
    assert {entity.camera for entity in rows(store).values()} == {"gate"}


def test_a_given_start_and_camera_win(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    make_clip(media / "a.mp4", seconds=2, metadata={"creation_time": "2021-03-04T05:06:07Z"})
    start = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    take_in(media, started_at=start, camera="front door")
    last = max(rows(store).values(), key=lambda e: e.pts_ms)
    assert last.captured_at == ms_from_datetime(start + timedelta(seconds=1))
    assert (last.captured_from, last.camera) == ("given", "front door")


def test_a_zip_is_unpacked_where_it_can_be_played_from(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings, tmp_path: Path
) -> None:
    make_clip(tmp_path / "clip.mp4", seconds=2)
    make_photo(tmp_path / "photo.png")
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.write(tmp_path / "clip.mp4", "day/clip.mp4")
        out.write(tmp_path / "photo.png", "photo.png")
        out.writestr("notes.txt", "notes")
        out.writestr("../../evil.png", (tmp_path / "photo.png").read_bytes())
        out.writestr("broken.png", b"\x89PNG\r\n\x1a\n")
    report = take_in(media)
    assert (report.done, report.skipped, report.failed) == (2, 1, 2)
    uris = {Path(e.uri) for e in rows(store).values()}
    assert {uri.name for uri in uris} == {"clip.mp4", "photo.png"}
    assert all(uri.is_file() and uri.is_relative_to(settings.uploads_dir) for uri in uris)
    kept = {path.name for path in settings.uploads_dir.rglob("*") if path.is_file()}
    assert kept == {"clip.mp4", "photo.png"}
    assert not list(tmp_path.parent.rglob("evil.png"))
    again = take_in(media)
    assert (again.done, again.skipped, again.failed) == (0, 3, 2)


def test_a_zip_of_what_is_known_leaves_nothing_behind(
    take_in: TakeIn, media: Path, settings: Settings, tmp_path: Path
) -> None:
    make_photo(tmp_path / "photo.png")
    take_in(tmp_path / "photo.png")
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.write(tmp_path / "photo.png", "photo.png")
    assert take_in(media).skipped == 1
    assert not [path for path in settings.uploads_dir.rglob("*") if path.is_file()]


def test_another_encoder_is_refused_before_anything_is_read(take_in: TakeIn, media: Path) -> None:
    make_photo(media / "a.png")
    take_in(media)
    with pytest.raises(EncoderMismatch):
        take_in(media, encoder=HistogramEncoder("b" * 32))


@pytest.mark.parametrize("options", [{"keyframes": "all"}, {"tags": ["x" * 200]}])
def test_options_that_cannot_be_are_usage_errors(
    take_in: TakeIn, media: Path, options: IngestArguments
) -> None:
    with pytest.raises(UsageError):
        take_in(media, **options)


def test_a_library_that_was_made_anew_is_filled_again(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    take_in(media)
    store.drop_library("main")
    assert take_in(media).done == 1


def test_several_workers_give_the_same_rows(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    for number in range(4):
        make_clip(media / f"{number}.mp4", seconds=3 + number)
    take_in(media, engine=LocalEngine(1))
    take_in(media, library="other", engine=LocalEngine(3))
    one, other = rows(store), rows(store, "other")
    assert one.keys() == other.keys()
    assert all(replace(other[k], ingested_at=0) == replace(one[k], ingested_at=0) for k in one)
