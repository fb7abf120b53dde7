from __future__ import annotations

from dataclasses import replace

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreError
from search_core.schema.filters import Filter
from search_core.search.filtered_search import FRESH_S, Selectivities, Selectivity
from search_core.store.library import NO_FILTER
from search_core.store.memory.store import MemoryStore
from tests.conftest import clip_like_vectors, make_entity

CAM_0 = Filter(cameras=("cam-0",))


class CountingStore(MemoryStore):
    """A store that remembers how often it counted, at seconds of its own per count."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = 0
        self.now = 0.0
        self.takes_s = 0.0

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        assert not fresh, "a fresh count waits for the server to catch up"
        self.counts += 1
        self.now += self.takes_s
        return super().count(name, where)


@pytest.fixture
def store(identity: EncoderIdentity) -> CountingStore:
    store = CountingStore()
    store.ensure_library("main", identity)
    fill(store, 30)
    return store


def fill(store: MemoryStore, rows: int) -> None:
    store.upsert("main", [make_entity(i) for i in range(rows)], clip_like_vectors(rows, 16))


@pytest.fixture
def selectivities(store: CountingStore) -> Selectivities:
    return Selectivities(store, clock=lambda: store.now)


def test_counts_what_passes(store: CountingStore, selectivities: Selectivities) -> None:
    found = selectivities.of(store.library("main"), CAM_0)
    assert found == Selectivity(rows=30, passing=10)
    assert found.share == pytest.approx(1 / 3)


def test_a_count_is_believed_for_some_seconds(
    store: CountingStore, selectivities: Selectivities
) -> None:
    library = store.library("main")
    for _ in range(5):
        selectivities.of(library, CAM_0)
    assert store.counts == 2
    fill(store, 60)
    store.now += FRESH_S
    assert selectivities.of(library, CAM_0) == Selectivity(60, 20)
    assert store.counts == 4


def test_counting_that_takes_long_is_done_seldom(
    store: CountingStore, selectivities: Selectivities
) -> None:
    library = store.library("main")
    store.takes_s = 0.6
    selectivities.of(library, CAM_0)
    store.now += 50
    selectivities.of(library, CAM_0)
    assert store.counts == 2
    store.now += 20
    selectivities.of(library, CAM_0)
    assert store.counts == 4


def test_what_is_expected_is_counted_once(
    store: CountingStore, selectivities: Selectivities
) -> None:
    library = store.library("main")
    selectivities.expect(library, CAM_0)
    selectivities.expect(library, CAM_0)
    assert selectivities.of(library, CAM_0) == Selectivity(rows=30, passing=10)
    assert store.counts == 2


def test_a_count_that_failed_is_made_again(
    store: CountingStore, selectivities: Selectivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = store.library("main")

    def fail(*arguments: object, **options: object) -> int:
        raise StoreError("Milvus does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "count", fail)
        with pytest.raises(StoreError):
            selectivities.of(library, CAM_0)
    assert selectivities.of(library, CAM_0).passing == 10


def test_another_library_of_the_same_name_is_counted_anew(
    store: CountingStore, selectivities: Selectivities, identity: EncoderIdentity
) -> None:
    library = store.library("main")
    selectivities.of(library, CAM_0)
    selectivities.of(replace(library, collection="rebuilt"), CAM_0)
    assert store.counts == 4


def test_many_filters_do_not_fill_the_memory(
    store: CountingStore, selectivities: Selectivities
) -> None:
    library = store.library("main")
    for number in range(600):
        selectivities.of(library, Filter(cameras=(f"camera {number}",)))
    assert len(selectivities._counts) <= 256


def test_an_empty_library_restricts_nothing() -> None:
    assert Selectivity(0, 0).share == 1.0
    assert Selectivity(10, 12).share == 1.0
