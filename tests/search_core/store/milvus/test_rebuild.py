"""A library's index replaced by alias: what is written, searched and interrupted meanwhile."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from pymilvus import MilvusClient

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import IndexNotOffered, IndexParameterError, StoreBusy
from search_core.indexes import Flat, Hnsw, IvfFlat, IvfRabitq, IvfSq8, SearchParams
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 200
DIM = 16
VECTORS = clip_like_vectors(2 * ROWS, DIM)
Contents = dict[str, tuple[MediaEntity, Embeddings]]


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MilvusStore]:
    if request.param == "lite":
        folder = tmp_path_factory.mktemp("lite")
        endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
    else:
        uri = request.getfixturevalue("milvus_server_uri")
        endpoint = Endpoint(uri, embedded=False)
    milvus = MilvusStore(endpoint)
    yield milvus
    milvus.close()


@pytest.fixture
def lite_only(store: MilvusStore) -> None:
    """For what does not depend on the Milvus; a server takes its time for everything."""
    if not store.endpoint.embedded:
        pytest.skip("the same on a server")


@pytest.fixture
def library(store: MilvusStore, identity: EncoderIdentity) -> Iterator[str]:
    """A library of ROWS entities; vector i belongs to make_entity(i)."""
    name = f"lib_{secrets.token_hex(4)}"
    store.ensure_library(name, identity, index=Flat())
    store.upsert(name, [make_entity(i) for i in range(ROWS)], VECTORS[:ROWS])
    store.settle(name)
    yield name
    store.drop_library(name)
    assert collections(store, name) == []


def collections(store: MilvusStore, library: str) -> list[str]:
    """Return all collections of a library, serving or not."""
    client = MilvusClient(store.endpoint.uri)
    return [name for name in client.list_collections() if name.startswith(f"{library}_")]


def contents(store: MilvusStore, library: str) -> Contents:
    pages = list(store.vectors(library))
    rows = [
        (entity, vector)
        for page in pages
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    ]
    found = {entity.id: (entity, vector) for entity, vector in rows}
    assert len(found) == len(rows)
    return found


def assert_same(found: Contents, expected: Contents) -> None:
    assert found.keys() == expected.keys()
    for key, (entity, vector) in expected.items():
        assert found[key][0] == entity
        np.testing.assert_allclose(found[key][1], vector, atol=1e-6)


def test_a_rebuild_changes_the_index_and_nothing_else(store: MilvusStore, library: str) -> None:
    before = contents(store, library)
    old = store.library(library)
    told: list[tuple[str, float]] = []

    info = store.rebuild(
        library,
        IvfFlat(nlist=4),
        SearchParams(nprobe=4),
        lambda doing, share: told.append((doing, share)),
    )

    assert info == store.library(library)
    assert (info.index, info.search) == (IvfFlat(nlist=4), SearchParams(nprobe=4))
    assert info.collection != old.collection
    assert collections(store, library) == [info.collection]
    assert_same(contents(store, library), before)
    found = store.search(library, VECTORS[:5], k=1)
    assert [hits[0].entity.id for hits in found] == [make_entity(i).id for i in range(5)]
    assert list(dict.fromkeys(doing for doing, _ in told)) == [
        "copying", "building", "comparing", "switching", "done",
    ]  # fmt: skip
    assert all(0.0 <= share <= 1.0 for _, share in told)


@pytest.mark.usefixtures("lite_only")
def test_new_search_parameters_alone_build_nothing(store: MilvusStore, library: str) -> None:
    store.rebuild(library, Hnsw())
    collection = store.library(library).collection
    store.rebuild(library, Hnsw(), SearchParams(ef=99))
    assert store.library(library).collection == collection
    assert store.library(library).search == SearchParams(ef=99)


def test_another_process_follows_the_switch(store: MilvusStore, library: str) -> None:
    other = MilvusStore(store.endpoint) if "://" in store.endpoint.uri else store
    other.search(library, VECTORS[:1], k=1)  # it knows the collection that serves now
    store.rebuild(library, IvfSq8(nlist=4), SearchParams(nprobe=4))
    [hits] = other.search(library, VECTORS[3:4], k=1)
    assert hits[0].entity.id == make_entity(3).id
    other.upsert(library, [make_entity(700)], VECTORS[300:301])
    assert store.count(library) == ROWS + 1


def test_writers_and_searches_go_on_while_it_is_rebuilt(store: MilvusStore, library: str) -> None:
    expected = contents(store, library)
    stop = threading.Event()
    failed: list[BaseException] = []
    rounds = {"written": 0, "searched": 0}

    def repeat(what: str, work: Callable[[int], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not stop.is_set():
                    work(rounds[what])
                    rounds[what] += 1
            except BaseException as error:
                failed.append(error)

        return run

    def write(turn: int) -> None:
        rng = np.random.default_rng(turn)
        numbers = rng.choice(2 * ROWS, 20, replace=False).tolist()
        fresh = [make_entity(n, caption=f"turn {turn}") for n in numbers[:15]]
        store.upsert(library, fresh, VECTORS[numbers[5:]])
        expected.update(
            (entity.id, (entity, VECTORS[number]))
            for entity, number in zip(fresh, numbers[5:], strict=True)
        )
        sources = tuple(make_entity(n).source_id for n in numbers[15:])
        store.delete(library, Filter(source_ids=sources))
        for number in numbers[15:]:
            expected.pop(make_entity(number).id, None)

    store.upsert(library, [make_entity(1000)], VECTORS[:1] * -1)  # nobody writes this one
    expected[make_entity(1000).id] = (make_entity(1000), VECTORS[0] * -1)

    def search(turn: int) -> None:
        [hits] = store.search(library, VECTORS[:1] * -1, k=1)
        assert hits[0].entity.id == make_entity(1000).id

    threads = [
        threading.Thread(target=repeat("written", write)),
        threading.Thread(target=repeat("searched", search)),
    ]
    for thread in threads:
        thread.start()
    try:
        for spec in (IvfFlat(nlist=2), Flat(), IvfSq8(nlist=2)):
            store.rebuild(library, spec, SearchParams(nprobe=2 if spec.sweep else None))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    assert min(rounds.values()) > 0
    assert_same(contents(store, library), expected)


@pytest.mark.usefixtures("lite_only")
@pytest.mark.parametrize("moment", ["copying", "building", "comparing", "switching"])
def test_ended_midway_the_library_is_as_it_was(
    store: MilvusStore, library: str, moment: str
) -> None:
    before = store.library(library)

    def interrupt(doing: str, share: float) -> None:
        if doing == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.rebuild(library, Hnsw(), on_progress=interrupt)
    assert store.library(library) == before
    assert collections(store, library) == [before.collection]
    [hits] = store.search(library, VECTORS[:1], k=1)
    assert hits[0].entity.id == make_entity(0).id
    assert store.rebuild(library, Hnsw()).index == Hnsw()


def test_one_rebuild_of_a_library_at_a_time(store: MilvusStore, library: str) -> None:
    refused: list[str] = []

    def again(doing: str, share: float) -> None:
        if doing == "copying" and not refused:
            for change in (store.rebuild, partial(store.rebuild, in_place=True)):
                with pytest.raises(StoreBusy) as caught:
                    change(library, Flat())
                refused.append(str(caught.value))

    store.rebuild(library, IvfFlat(nlist=2), in_place=True)
    assert store.rebuild(library, Hnsw(), on_progress=again).index == Hnsw()
    assert len(refused) == 2


@pytest.mark.usefixtures("lite_only")
def test_what_cannot_be_built_is_refused_first(store: MilvusStore, library: str) -> None:
    before = store.library(library)
    for change in (store.rebuild, partial(store.rebuild, in_place=True)):
        with pytest.raises(IndexNotOffered):
            change(library, IvfRabitq())
        with pytest.raises(IndexParameterError):
            change(library, IvfFlat(nlist=2), SearchParams(nprobe=3))
    assert store.library(library) == before


def test_searches_wait_for_a_rebuild_in_place(store: MilvusStore, library: str) -> None:
    reader = store if store.endpoint.embedded else MilvusStore(store.endpoint)
    wanted = [make_entity(i).id for i in range(3)]
    ended = threading.Event()
    answers: list[list[str]] = []
    failed: list[BaseException] = []

    def search() -> None:
        try:
            while not ended.is_set():
                found = reader.search(library, VECTORS[:3], k=1)
                answers.append([hits[0].entity.id for hits in found])
        except BaseException as error:
            failed.append(error)

    searcher = threading.Thread(target=search)
    searcher.start()
    try:
        for index in (Hnsw(), Flat(), IvfFlat(nlist=2), Flat()):
            store.rebuild(library, index, SearchParams(nprobe=2), in_place=True)
    finally:
        ended.set()
        searcher.join()
    assert not failed, failed
    assert answers and all(answer == wanted for answer in answers)
