"""From files to answers through the real parts: decoding, ingest, Milvus (both kinds), search."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from ingest.media.decoding import frame_at, open_media
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.rows.deletion import delete_entities, drop_library
from search_core.errors import LibraryNotFound
from search_core.indexes import Flat, Hnsw, IndexSpec, IvfFlat, IvfSq8
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.settings import MediaSettings, Settings
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.colour_encoder import COLOURS, ColourEncoder
from tests.support.made_media import make_clip

LIBRARY = f"integration_{secrets.token_hex(3)}"
STARTED = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MilvusStore]:
    if request.param == "lite":
        folder = tmp_path_factory.mktemp("lite")
        endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
    else:
        endpoint = Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
    milvus = MilvusStore(endpoint)
    yield milvus
    milvus.close()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        media=MediaSettings(workers=1, thumbnail_px=64, read="off"),
    )


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of each colour, a grey clip of six seconds, and a file that is no media."""
    folder = tmp_path_factory.mktemp("media")
    for name, colour in COLOURS.items():
        Image.new("RGB", (80, 60), colour).save(folder / f"{name}.png")
    make_clip(folder / "clip.mp4", seconds=6.0)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return folder


def take_in(media: Path, settings: Settings, store: MilvusStore) -> tuple[int, int, int, int]:
    report = ingest(
        [str(media)],
        IngestOptions(camera="gate"),
        settings=settings,
        store=store,
        encoder=ColourEncoder(),
        library=LIBRARY,
    )
    return report.done, report.skipped, report.failed, report.keyframes


def test_a_session(media: Path, settings: Settings, store: MilvusStore) -> None:
    with closing(open_media(media / "clip.mp4", max_pixels=10**6)) as clip_media:
        ended_s = STARTED.timestamp() + clip_media.info.duration_ms / 1000
    os.utime(media / "clip.mp4", (ended_s, ended_s))  # recorders write the file last at its end
    done, skipped, failed, keyframes = take_in(media, settings, store)
    assert (done, skipped, failed) == (len(COLOURS) + 1, 0, 1)
    assert store.count(LIBRARY) == keyframes
    assert take_in(media, settings, store) == (0, len(COLOURS) + 1, 1, 0)
    assert store.count(LIBRARY) == keyframes

    engine = SearchEngine(ColourEncoder(), store, LIBRARY)
    assert Path(engine.answer(Query(text="purple"), k=1).hits[0].entity.uri).name == "purple.png"

    indexes: list[IndexSpec] = [Flat(), IvfFlat(nlist=2), IvfSq8(nlist=2), Hnsw(m=8)]
    for index in indexes:
        store.rebuild(LIBRARY, index, in_place=True)
        hits = engine.answer(Query(text="orange"), k=3).hits
        assert Path(hits[0].entity.uri).name == "orange.png"

    moment = frame_at(media / "clip.mp4", 3000, max_pixels=10**6)
    hits = engine.answer(Query(image=moment), k=3, where=Filter(media_type="frame")).hits
    assert hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert (settings.data_dir / hits[0].entity.thumbnail).is_file()
    second = [hit for hit in hits if hit.entity.pts_ms == 3000]
    assert second[0].entity.captured_at_iso == "2026-03-01T08:00:03.000Z"

    clip = hits[0].entity.source_id
    frames = store.count(LIBRARY, Filter(source_ids=(clip,)))
    removed = delete_entities(settings, store, LIBRARY, Filter(source_ids=(clip,)))
    assert removed == (frames, 1)
    assert not (settings.data_dir / hits[0].entity.thumbnail).exists()
    assert take_in(media, settings, store)[0] == 1
    assert store.count(LIBRARY) == keyframes

    drop_library(settings, store, LIBRARY)
    with pytest.raises(LibraryNotFound):
        store.library(LIBRARY)
    assert take_in(media, settings, store)[0] == len(COLOURS) + 1
    drop_library(settings, store, LIBRARY)
