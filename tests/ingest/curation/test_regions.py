"""Regions given to a library that was taken in without them, or with others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ingest.curation.regions import give_regions
from ingest.engines.base import LocalEngine
from ingest.jobs.client import Jobs
from ingest.jobs.requests import ReembedRequest
from ingest.media.regions.tiles import TILES
from search_core.errors import EncoderMismatch, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import EVERY_ROW, Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus import schema
from search_core.store.milvus.store import MilvusStore
from search_core.system.cancellation import Interrupted
from tests.ingest.conftest import TakeIn, Work
from tests.support.made_media import FinerEncoder, HistogramEncoder, make_clip, make_photo
from tests.support.onnx_files import red_and_blue_detector

Rows = dict[str, tuple[MediaEntity, list[float]]]


def rows(store: Store, library: str = "main") -> Rows:
    return {
        entity.id: (entity, vector.round(4).tolist())
        for page in store.vectors(library, where=EVERY_ROW)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    }


def slides_in(second: float) -> np.ndarray:
    """A red thing that slides in from the left after three seconds."""
    picture = np.full((180, 320, 3), 90, np.uint8)
    if second >= 3.0:
        left = round(40 * (second - 3.0))
        picture[70:120, left : left + 50] = (220, 30, 30)
    return picture


@pytest.fixture
def footage(media: Path) -> Path:
    """Two photographs, and a clip in which something moves."""
    make_photo(media / "a.jpg")
    make_photo(media / "b.jpg", (30, 200, 60))
    make_clip(media / "walk.mp4", seconds=8.0, picture=slides_in)
    return media


@pytest.mark.parametrize("kind", ["auto", "tiles", "motion", "detector"])
def test_it_is_as_if_ingested_with_these_regions(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn, kind: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    if kind == "detector":
        pytest.importorskip("onnxruntime")
        file = tmp_path / "colours.onnx"
        file.write_bytes(red_and_blue_detector())
        kind = f"detector:{file}"
    take_in(footage, library="wanted", regions=kind)
    take_in(footage, library="main", tags=("kept",))
    told: list[tuple[int, int, str]] = []

    report = give_regions(
        settings, store, "main", HistogramEncoder(), kind,
        on_progress=lambda *progress: told.append(progress),
    )  # fmt: skip

    wanted = rows(store, "wanted")
    given = rows(store)
    assert given.keys() == wanted.keys()
    for key, (entity, vector) in given.items():
        other, expected = wanted[key]
        assert (entity.kind, entity.box, entity.keyframe_id) == (
            *(other.kind, other.box),
            other.keyframe_id,
        )
        assert entity.tags == ("kept",)
        np.testing.assert_allclose(vector, expected, atol=0.02)
    regions = sum(entity.is_region for entity, _ in given.values())
    keyframes = store.count("main")
    assert (report.keyframes, report.regions) == (keyframes, regions) and regions
    assert (report.without_source, report.had_them, report.reasons) == (0, 0, {})
    assert told[-1] == (keyframes, keyframes, told[-1][2])
    assert take_in(footage, library="main", regions=kind).skipped == 3


def test_another_kind_takes_the_place_of_the_first_and_off_removes_it(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    take_in(footage, regions="tiles")
    before = {key: row for key, row in rows(store).items() if not row[0].is_region}

    assert give_regions(settings, store, "main", HistogramEncoder(), "tiles").had_them == len(
        before
    )
    give_regions(settings, store, "main", HistogramEncoder(), "motion")
    assert {entity.kind for entity, _ in rows(store).values()} == {"frame", "motion"}

    report = give_regions(settings, store, "main", HistogramEncoder(), "off")
    assert rows(store) == before and report.regions == 0
    assert take_in(footage).skipped == 3


def test_keyframes_without_a_source_keep_what_they_have_and_are_told(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    take_in(footage)
    (footage / "a.jpg").unlink()

    report = give_regions(settings, store, "main", HistogramEncoder(), "tiles")

    assert report.without_source == 1 and "without a source" in str(report.summary)
    assert report.reasons == {str(footage / "a.jpg"): "is not there any more"}
    assert report.keyframes == store.count("main") - 1
    make_photo(footage / "a.jpg")
    again = give_regions(settings, store, "main", HistogramEncoder(), "tiles")
    assert (again.keyframes, again.regions, again.without_source) == (1, len(TILES), 0)


def test_ended_midway_it_goes_on_with_the_sources_that_are_left(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    take_in(footage)
    looks = 0

    def stop() -> None:
        nonlocal looks
        looks += 1
        if store.library("main").has_regions:
            raise Interrupted

    with pytest.raises(Interrupted):
        give_regions(
            settings, store, "main", HistogramEncoder(), "tiles", check=stop,
            engine=LocalEngine(1),
        )  # fmt: skip
    assert any(entity.is_region for entity, _ in rows(store).values())
    report = give_regions(settings, store, "main", HistogramEncoder(), "tiles")
    assert report.had_them and report.keyframes + report.had_them == store.count("main")
    assert take_in(footage, regions="tiles").skipped == 3


def test_what_was_deleted_meanwhile_gets_none(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    take_in(footage)
    [gone] = [entity for entity in store.entities("main") if entity.uri.endswith("b.jpg")]

    def delete() -> None:
        store.delete("main", Filter(ids=(gone.id,)))

    give_regions(settings, store, "main", HistogramEncoder(), "tiles", check=delete)
    assert gone.id not in {entity.keyframe_id for entity, _ in rows(store).values()}


def test_another_encoder_and_an_unknown_kind_are_refused(
    footage: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    take_in(footage / "a.jpg")
    with pytest.raises(EncoderMismatch):
        give_regions(settings, store, "main", FinerEncoder(), "tiles")
    with pytest.raises(UsageError, match="Unknown kind"):
        give_regions(settings, store, "main", HistogramEncoder(), "circles")


def test_a_worker_does_it(
    footage: Path, store: MemoryStore, take_in: TakeIn, jobs: Jobs, work: Work, settings: Settings
) -> None:
    take_in(footage)
    job_id = jobs.submit(
        ReembedRequest("main", settings.model, settings.pretrained, regions="tiles")
    )
    work()
    job = jobs.get(job_id)
    assert job is not None and job.state == "done"
    assert store.count("main", EVERY_ROW) > 3 * len(TILES)


def test_a_library_from_before_regions_gets_them_in_a_new_collection(
    lite_store: MilvusStore, settings: Settings, media: Path, take_in: TakeIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_photo(media / "a.jpg")
    added = ("kind", "frame_id")
    with monkeypatch.context() as before:
        lengths = {n: most for n, most in schema.VARCHAR_LENGTHS.items() if n not in added}
        before.setattr(schema, "VARCHAR_LENGTHS", lengths)
        before.setattr(schema, "_ARRAY_FIELDS", ("tags",))
        lite_store.ensure_library("main", HistogramEncoder().identity)
    take_in(media, store=lite_store)
    give_regions(settings, lite_store, "main", HistogramEncoder(), "tiles")
    assert lite_store.count("main") == 1
    assert lite_store.count("main", EVERY_ROW) == 1 + len(TILES)


def test_stills_of_a_live_camera_get_tiles_and_no_motion(
    settings: Settings, store: MemoryStore, media: Path, identity: Any
) -> None:
    encoder = HistogramEncoder()
    store.ensure_library("main", encoder.identity)
    still = media / "still.jpg"
    Image.new("RGB", (320, 180), (40, 90, 200)).save(still)
    live = MediaEntity(
        id="live-0000000001", source_id="live", media_type="frame", uri=os.fspath(still),
        camera="gate", captured_at=1, captured_from="live", pts_ms=1, duration_ms=0, width=320,
        height=180, thumbnail="", ingested_at=1,
    )  # fmt: skip
    store.upsert("main", [live], np.eye(1, encoder.identity.dim, dtype=np.float32))
    moving = give_regions(settings, store, "main", encoder, "motion")
    assert (moving.keyframes, moving.without_source) == (0, 1)
    tiles = give_regions(settings, store, "main", encoder, "tiles")
    assert (tiles.keyframes, tiles.regions) == (1, len(TILES))
