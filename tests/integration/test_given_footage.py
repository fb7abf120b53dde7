"""Real footage, where the folder of given data stands beside the repository."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from ingest.options import IngestOptions
from ingest.pipeline import ingest
from search_core.encoders.openclip import OpenClipEncoder
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.settings import Settings
from search_core.store.milvus.store import MilvusStore
from tests.conftest import SHARED_DATA

FOOTAGE = sorted((SHARED_DATA / "footage").glob("*")) if SHARED_DATA.is_dir() else []
pytestmark = pytest.mark.skipif(not FOOTAGE, reason="there is no shared/data beside this folder")


def test_a_frame_of_the_footage_finds_its_own_moment_first(
    lite_store: MilvusStore, tmp_path: Path
) -> None:
    encoder = OpenClipEncoder("sightline-demo")
    paths = [str(path) for path in FOOTAGE]
    settings = Settings(data_dir=tmp_path / "data")
    ingest(
        paths,
        IngestOptions(keyframes="iframe"),
        settings=settings,
        store=lite_store,
        encoder=encoder,
        library="main",
    )
    engine = SearchEngine(encoder, lite_store, "main")
    asked = 0
    for path in paths:
        stored = lite_store.entities("main", Filter(media_type="frame"), limit=1000)
        moments = {entity.pts_ms: entity.id for entity in stored if entity.uri == path}
        with av.open(path) as container:
            stream = container.streams.video[0]
            first = stream.start_time or 0
            for frame in container.decode(stream):
                assert frame.pts is not None and stream.time_base is not None
                pts_ms = round(float((frame.pts - first) * stream.time_base) * 1000)
                if pts_ms in moments:
                    [hit] = engine.answer(
                        Query(image=Image.fromarray(frame.to_ndarray(format="rgb24"))), k=1
                    ).hits
                    assert hit.entity.id == moments[pts_ms], (path, pts_ms)
                    asked += 1
    assert asked == lite_store.count("main") > 150
