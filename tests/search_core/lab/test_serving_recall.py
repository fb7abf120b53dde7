from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import LibraryNotFound, UsageError
from search_core.indexes import Hnsw, SearchParams
from search_core.lab.serving_recall import live_recall
from search_core.schema.filters import Filter
from search_core.search.query_log import QueryLog, RecordedQuery
from search_core.store.library import NO_FILTER, Match
from search_core.store.memory.store import MemoryStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 2_300
VECTORS = clip_like_vectors(ROWS + 60, 16)
ODD = Filter(tags=("odd",))


class Forgetful(MemoryStore):
    """A store whose index never finds rows of one camera."""

    lost = ""

    def search(
        self,
        name: str,
        vectors: Embeddings,
        *,
        k: int,
        where: Filter = NO_FILTER,
        params: SearchParams | None = None,
    ) -> list[list[Match]]:
        """Return the nearest of what it finds."""
        found = super().search(name, vectors, k=ROWS, where=where)
        kept = [[hit for hit in hits if hit.entity.camera != self.lost] for hits in found]
        return [hits[:k] for hits in kept]


@pytest.fixture(scope="module")
def filled(identity: EncoderIdentity) -> Forgetful:
    store = Forgetful()
    store.ensure_library("main", identity, index=Hnsw())
    store.upsert("main", [make_entity(i) for i in range(ROWS)], VECTORS[:ROWS])
    return store


@pytest.fixture
def store(filled: Forgetful) -> Forgetful:
    filled.lost = ""
    return filled


@pytest.fixture
def log(tmp_path: Path) -> QueryLog:
    return QueryLog(tmp_path / "searches.sqlite")


def record(log: QueryLog, identity: EncoderIdentity, count: int, where: Filter = NO_FILTER) -> None:
    for number in range(count):
        vector = VECTORS[ROWS + number]
        log.record("main", identity, RecordedQuery("text", "x", vector, where, 50))


def test_an_exact_index_finds_all(store: Forgetful) -> None:
    found = live_recall(store, "main", queries=40)
    assert found.ann_recall_at_k == found.recall_high == 1.0
    assert 0.95 < found.recall_low < 1.0
    assert (found.query_source, found.queries, found.rows) == ("stored", 40, ROWS)


def test_what_is_lost_is_told(store: Forgetful, log: QueryLog, identity: EncoderIdentity) -> None:
    record(log, identity, 50)
    store.lost = "cam-1"
    found = live_recall(store, "main", log, queries=50)
    assert (found.query_source, found.queries, found.filtered) == ("recorded", 50, 0)
    kept = [row for row in range(ROWS) if row % 3 != 1]
    expected = [
        np.isin(np.argsort(-(VECTORS[:ROWS] @ VECTORS[ROWS + number]))[:10], kept).mean()
        for number in range(50)
    ]
    assert found.ann_recall_at_k == pytest.approx(float(np.mean(expected)), abs=0.004)
    assert found.recall_low < found.ann_recall_at_k < found.recall_high


def test_recorded_searches_are_repeated_with_their_filters(
    store: Forgetful, log: QueryLog, identity: EncoderIdentity
) -> None:
    record(log, identity, 30, ODD)
    record(log, identity, 30, Filter(ids=(make_entity(5).id,)))
    found = live_recall(store, "main", log, queries=60)
    assert (found.filtered, found.raised, found.exact) == (60, 30, 30)
    assert found.ann_recall_at_k == 1.0


def test_a_search_made_often_counts_once_and_few_are_too_few(
    store: Forgetful, log: QueryLog, identity: EncoderIdentity
) -> None:
    for _ in range(10):
        record(log, identity, 5)
    assert live_recall(store, "main", log, queries=30).query_source == "stored"
    record(log, identity, 25)
    found = live_recall(store, "main", log, queries=30)
    assert (found.query_source, found.queries) == ("recorded", 25)


def test_neighbours_at_the_same_distance_count(identity: EncoderIdentity) -> None:
    store = MemoryStore()
    store.ensure_library("main", identity)
    store.upsert("main", [make_entity(i) for i in range(50)], np.repeat(VECTORS[:1], 50, axis=0))
    assert live_recall(store, "main", queries=20, k=3).ann_recall_at_k == 1.0


def test_progress_reaches_the_end(store: Forgetful) -> None:
    heard: list[float] = []
    live_recall(store, "main", queries=3, on_progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert len(heard) == 3


def test_too_little_to_measure_is_refused(identity: EncoderIdentity) -> None:
    store = MemoryStore()
    store.ensure_library("main", identity)
    with pytest.raises(UsageError, match="too little"):
        live_recall(store, "main")
    with pytest.raises(LibraryNotFound):
        live_recall(store, "other")


def test_as_json_it_is_plain_values(store: Forgetful) -> None:
    record = live_recall(store, "main", queries=5).to_dict()
    assert record["index"]["index_type"] == "HNSW"
    assert record["search"] == {"ef": 64}
    assert (record["rows"], record["queries"], record["ann_recall_at_k"]) == (ROWS, 5, 1.0)
