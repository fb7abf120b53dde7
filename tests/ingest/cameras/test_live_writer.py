"""Live keyframes through the writer by itself: outages, removal, and what verify makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from ingest.cameras import live_writer
from ingest.cameras.camera import Camera
from ingest.cameras.events import LiveKeyframe
from ingest.cameras.live_writer import LiveWriter
from ingest.cameras.status_log import Diary
from ingest.cameras.stills import frame_ref, keep_name, still_path
from ingest.curation.repair import repair
from ingest.curation.verification import verify
from ingest.ledger import Ledger
from ingest.media.regions.base import Region
from ingest.media.thumbnails import write_picture, write_thumbnail
from ingest.rows.deletion import delete_entities, drop_library
from ingest.rows.retention import delete_missing, find_missing
from search_core.encoders.base import Embeddings
from search_core.errors import StoreUnavailable
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import EVERY_ROW
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder

GATE = Camera("Gate 3", SecretStr("rtsp://cam/x"), "main")
NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


class Moody(MemoryStore):
    """A store that is away now and then."""

    away = False

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        if self.away:
            raise StoreUnavailable("Milvus at x cannot be reached.")
        super().upsert(name, entities, embeddings)


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture
def diary(settings: Settings) -> Iterator[Diary]:
    with Diary(settings.ledger_path) as opened:
        opened.begin(GATE, NOON_MS)
        yield opened


@pytest.fixture
def writer(settings: Settings, store: Moody, encoder: HistogramEncoder, diary: Diary) -> LiveWriter:
    keep_name(settings.stills_dir, GATE.name)
    store.ensure_library("main", encoder.identity)
    return LiveWriter(settings, store, encoder, diary, "recipe")


@pytest.fixture
def keyframe(settings: Settings, encoder: HistogramEncoder) -> Callable[[int], LiveKeyframe]:
    def make(second: int) -> LiveKeyframe:
        moment = NOON_MS + second * 1000
        image = Image.new("RGB", (64, 36), (second * 9 % 250, 30, 60))
        still = still_path(settings.stills_dir, GATE.name, moment)
        write_picture(image, still, 1920)
        thumbnail = write_thumbnail(image, frame_ref(GATE.name, moment), settings.data_dir, 64)
        return LiveKeyframe(moment, 64, 36, encoder.preprocess(image), thumbnail, str(still))

    return make


def work(writer: LiveWriter) -> float:
    writer.embed(0.0)
    return writer.write(0.0)


def pictures(settings: Settings) -> int:
    return len(list(settings.data_dir.rglob("*.jpg")))


def test_keyframes_wait_while_milvus_is_away(
    store: Moody, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe]
) -> None:
    store.away = True
    waits = []
    for second in range(3):
        writer.put(GATE, keyframe(second))
        waits.append(work(writer))
    assert store.count("main") == 0 and 0 < waits[0] < waits[1] < waits[2]

    store.away = False
    assert work(writer) == 0

    assert store.count("main") == 3
    assert {entity.captured_at for entity in store.entities("main")} == {
        NOON_MS + second * 1000 for second in range(3)
    }


def test_regions_are_written_with_their_keyframe_which_alone_is_counted(
    settings: Settings,
    store: Moody,
    writer: LiveWriter,
    encoder: HistogramEncoder,
    keyframe: Callable[[int], LiveKeyframe],
) -> None:
    crops = [Image.new("RGB", (20, 20), (number, 200, 90)) for number in (0, 250)]
    regions = tuple(Region("motion", number, (0.1, 0.1, 0.5, 0.5)) for number in range(2))
    pixels = tuple(encoder.preprocess(crop) for crop in crops)
    writer.put(GATE, replace(keyframe(0), regions=regions, crops=pixels))
    writer.put(GATE, keyframe(1))
    work(writer)

    assert store.count("main") == 2
    rows = {row.id: row for row in store.entities("main", EVERY_ROW)}
    stored = [row for row in rows.values() if row.is_region]
    assert [row.box for row in stored] == [(0.1, 0.1, 0.5, 0.5)] * 2
    assert {row.keyframe for row in stored} <= set(store.entities("main"))
    for row, expected in zip(stored, encoder.encode_pixels(pixels), strict=True):
        np.testing.assert_allclose(store.embedding("main", row.id), expected, atol=1e-5)
    with Ledger(settings.ledger_path) as ledger:
        assert [line.keyframes for line in ledger.outcomes("main")] == [2]


def test_what_cannot_wait_any_longer_is_dropped_and_counted(
    settings: Settings,
    store: Moody,
    writer: LiveWriter,
    keyframe: Callable[[int], LiveKeyframe],
    diary: Diary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_writer, "MOST_ROWS_WAITING", 2)
    store.away = True
    for second in range(5):
        writer.put(GATE, keyframe(second))
    work(writer)
    assert diary.cameras()[0].dropped == 3
    assert pictures(settings) == 4  # a still and a thumbnail each

    writer.finish()

    assert diary.cameras()[0].dropped == 5 and pictures(settings) == 0


def test_keyframes_nobody_takes_are_dropped_and_counted(
    settings: Settings, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe], diary: Diary
) -> None:
    one = keyframe(1)
    for _ in range(live_writer.MOST_PIXELS_WAITING):
        writer.put(GATE, one)
    writer.put(GATE, keyframe(2))

    assert diary.cameras()[0].dropped == 1 and pictures(settings) == 2


def test_a_library_that_was_dropped_is_made_again(
    settings: Settings, store: Moody, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe]
) -> None:
    store.drop_library("main")
    writer.put(GATE, keyframe(1))
    work(writer)

    assert store.count("main") == 1


def test_doing_a_moment_twice_changes_nothing(
    store: Moody, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe]
) -> None:
    for _ in range(2):
        writer.put(GATE, keyframe(1))
        work(writer)

    assert store.count("main") == 1


def test_stills_go_with_their_rows_and_with_their_library(
    settings: Settings, store: Moody, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe]
) -> None:
    for second in range(4):
        writer.put(GATE, keyframe(second))
    work(writer)
    first = store.entities("main")[0]

    assert delete_entities(settings, store, "main", Filter(ids=(first.id,))) == (1, 0)
    assert not Path(first.uri).exists() and pictures(settings) == 6
    drop_library(settings, store, "main")
    assert pictures(settings) == 0


def test_verify_looks_at_each_still_by_itself(
    settings: Settings,
    store: Moody,
    writer: LiveWriter,
    keyframe: Callable[[int], LiveKeyframe],
    encoder: HistogramEncoder,
) -> None:
    for number in range(4):
        writer.put(GATE, keyframe(number))
    work(writer)
    assert list(verify(settings, store, ["main"])) == []
    first, second, third, _ = sorted(store.entities("main"), key=lambda e: e.captured_at)
    Path(first.uri).unlink()
    (settings.data_dir / second.thumbnail).unlink()
    store.delete("main", Filter(ids=(third.id,)))

    findings = list(verify(settings, store, ["main"]))
    left = repair(settings, store, findings, lambda _: encoder)

    assert sorted(f.kind for f in findings) == [
        "keyframes_missing", "media_missing", "thumbnail_missing",
    ]  # fmt: skip
    assert [(f.kind, f.subject) for f in left if f.kind == "media_missing"] == [
        ("media_missing", first.uri)
    ]
    assert (settings.data_dir / second.thumbnail).exists()
    with Ledger(settings.ledger_path) as ledger:
        assert [row.keyframes for row in ledger.outcomes("main")] == [4]  # nothing was forgotten
    assert {entity.media_type for entity in store.entities("main")} == {"frame"}
    assert not np.isnan(store.embedding("main", second.id)).any()


def test_a_still_that_was_deleted_is_forgotten_alone(
    settings: Settings, store: Moody, writer: LiveWriter, keyframe: Callable[[int], LiveKeyframe]
) -> None:
    for second in range(3):
        writer.put(GATE, keyframe(second))
    work(writer)
    first, *others = sorted(store.entities("main"), key=lambda e: e.captured_at)
    Path(first.uri).unlink()

    missing = find_missing(settings, store, "main")
    assert (missing.ids, missing.away.total()) == ([first.id], 0)
    assert delete_missing(settings, store, "main", missing.ids) == 1

    assert {entity.id for entity in store.entities("main")} == {one.id for one in others}
    assert all(Path(entity.uri).exists() for entity in others)
    assert list(verify(settings, store, ["main"])) == []
