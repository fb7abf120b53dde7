from __future__ import annotations

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.schema.facets import CameraFacet, Facets, count_facets
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 1200  # more than one page of Milvus's iterator


@pytest.fixture(params=["memory", "lite", pytest.param("server", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "lite":
        lite: MilvusStore = request.getfixturevalue("lite_store")
        return lite
    return MilvusStore(Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False))


def test_counts_every_entity_by_camera_tag_and_media_type(
    store: Store, identity: EncoderIdentity
) -> None:
    store.ensure_library("facets", identity)
    try:
        assert store.facets("facets") == Facets()
        store.upsert("facets", [make_entity(i) for i in range(ROWS)], clip_like_vectors(ROWS, 16))
        store.settle("facets")

        found = store.facets("facets")

        assert found.count == ROWS
        assert found.cameras[1] == CameraFacet("cam-1", 400, 1_000, 1_198_000)
        assert found.cameras[1].quarter_hours == {0: 300, 900_000: 100}
        assert found.tags == {"all": 600, "even": 600, "odd": 600}
        assert found.media_types == {"frame": ROWS}
        assert len(found.source_ids) == ROWS
        assert (found.first_ms, found.last_ms) == (0, 1_199_000)

        odd = store.facets("facets", Filter(cameras=("cam-1",), tags=("odd",)))
        assert [(camera.camera, camera.count) for camera in odd.cameras] == [("cam-1", 200)]
    finally:
        store.drop_library("facets")


def test_nothing_has_no_times() -> None:
    assert count_facets([]).first_ms is None
    assert count_facets([]).last_ms is None
