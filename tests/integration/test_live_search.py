"""A live keyframe is found by others as soon as Milvus has acknowledged it, on both kinds of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.events import LiveKeyframe
from ingest.cameras.live_writer import LiveWriter
from ingest.cameras.status_log import Diary
from search_core.encoders.base import Embeddings
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import HistogramEncoder
from tests.support.waiting import wait_until

LIBRARY = "live_search"
GATE = Camera("gate", SecretStr("rtsp://cam/x"), LIBRARY)
NOON_MS = 1_790_000_000_000


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def stores(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[MilvusStore, MilvusStore]]:
    """Two connections to one Milvus; the embedded one has a single user."""
    if request.param == "server":
        endpoint = Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
        with closing(MilvusStore(endpoint)) as ours, closing(MilvusStore(endpoint)) as theirs:
            yield ours, theirs
            ours.drop_library(LIBRARY)
        return
    endpoint = Endpoint(str(tmp_path / "milvus.db"), write_lock=tmp_path / "write.lock")
    with closing(MilvusStore(endpoint)) as store:
        yield store, store


def test_nothing_has_to_be_flushed(tmp_path: Path, stores: tuple[MilvusStore, MilvusStore]) -> None:
    ours, theirs = stores
    settings, encoder = Settings(data_dir=tmp_path), HistogramEncoder()
    ours.ensure_library(LIBRARY, encoder.identity)
    theirs.library(LIBRARY)  # loaded, as a dashboard has it
    with Diary(settings.ledger_path) as diary:
        diary.begin(GATE, NOON_MS)
        writer = LiveWriter(settings, ours, encoder, diary, "recipe")
        for second in range(5):
            pixels = encoder.preprocess(Image.new("RGB", (64, 36), (second * 50, 30, 60)))
            keyframe = LiveKeyframe(NOON_MS + second * 1000, 64, 36, pixels, "t.jpg", "/s.jpg")
            writer.put(GATE, keyframe)
            writer.embed(0.0)
            writer.write(0.0)
            vector = encoder.encode_pixels([pixels])
            wait_until(partial(is_found, theirs, vector, keyframe), "the keyframe to be found")


def is_found(store: MilvusStore, vector: Embeddings, keyframe: LiveKeyframe) -> bool:
    [matches] = store.search(LIBRARY, vector, k=5, where=Filter(cameras=("gate",)))
    return any(match.entity.captured_at == keyframe.captured_ms for match in matches)
