"""What a session remembers of a library, and what other processes change meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import EncoderMismatch, LibraryNotFound, StoreBusy
from search_core.indexes import Flat, Hnsw, IvfFlat, SearchParams
from search_core.schema.entity import STORED_FIELDS
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.schema import to_rows
from search_core.store.milvus.session import REMEMBERED_S, MilvusSession
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.support.milvus_replay import REPLAYED
from tests.support.milvus_replay.server import ReplayServer, replay

ROWS, DIM = 20, 16
VECTORS = clip_like_vectors(2 * ROWS, DIM)
ENTITIES = [make_entity(number) for number in range(2 * ROWS)]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(params=REPLAYED)
def server(request: pytest.FixtureRequest) -> Iterator[ReplayServer]:
    with replay(request.param) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(
    server: ReplayServer,
    clock: Clock,
    identity: EncoderIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[MilvusStore, MilvusStore]]:
    """Two stores that know nothing of each other's changes; the first has searched the library.

    Its clock stands, so that it believes what it remembers for as long as a test takes. Sessions
    of one process share their changes by address: the other store knows the server by another.
    """
    monkeypatch.setattr("search_core.store.milvus.replacement.LAST_SEARCHES_S", 0.0)
    with ExitStack() as stack:
        ours, theirs = (
            MilvusStore(Endpoint(uri, timeout_s=2.0, embedded=False))
            for uri in (server.uri, server.uri.replace("127.0.0.1", "localhost"))
        )
        stack.callback(ours.close)
        stack.callback(theirs.close)
        assert ours.address != theirs.address
        session = ours.session
        ours.session = MilvusSession(session.client, session.endpoint, session.catalog, clock)
        ours.ensure_library("main", identity, index=Flat())
        ours.upsert("main", ENTITIES[:ROWS], VECTORS[:ROWS])
        assert nearest(ours, 0) == ENTITIES[0].id
        yield ours, theirs


def nearest(store: MilvusStore, number: int) -> str:
    [[match]] = store.search("main", VECTORS[number : number + 1], k=1)
    return match.entity.id


def reembed(store: MilvusStore, encoder: EncoderIdentity) -> None:
    """Give the library another encoder, whose vectors are the old ones' opposites."""
    with store.replacement("main", encoder) as heir:
        for page in heir.pending():
            numbers = [int(entity.source_id.removeprefix("source")) for entity in page]
            heir.put(page, -VECTORS[numbers])
        heir.build()
        heir.close_writing()
        heir.switch()


def described(server: ReplayServer, act: Callable[[], object]) -> int:
    before = len(server.calls)
    act()
    return server.calls[before:].count("DescribeCollection")


def test_a_warm_search_describes_no_collection(
    server: ReplayServer, clock: Clock, stores: tuple[MilvusStore, MilvusStore]
) -> None:
    ours, _ = stores

    def search() -> None:
        ours.library("main")
        nearest(ours, 0)
        ours.embedding("main", ENTITIES[0].id)

    search()
    assert described(server, search) == 0
    clock.now_s += REMEMBERED_S
    assert described(server, search) == 1


def test_own_changes_are_known_at_once(
    stores: tuple[MilvusStore, MilvusStore], identity: EncoderIdentity
) -> None:
    ours, _ = stores
    ours.rebuild("main", IvfFlat(nlist=2), SearchParams(nprobe=2))
    assert ours.library("main").index == IvfFlat(nlist=2)
    ours.rebuild("main", Hnsw(), in_place=True)
    assert ours.library("main").index == Hnsw()
    ours.rename_library("main", "yard")
    with pytest.raises(LibraryNotFound):
        ours.library("main")
    ours.ensure_library("main", identity)
    assert ours.count("main") == 0


def test_a_rebuild_of_another_process_loses_no_row(
    clock: Clock, stores: tuple[MilvusStore, MilvusStore]
) -> None:
    ours, theirs = stores
    theirs.rebuild("main", IvfFlat(nlist=2), SearchParams(nprobe=2))
    assert nearest(ours, 3) == ENTITIES[3].id  # the collection it remembers is gone
    theirs.upsert("main", ENTITIES[ROWS : ROWS + 1], VECTORS[ROWS : ROWS + 1])
    theirs.rebuild("main", Flat())
    ours.upsert("main", ENTITIES[ROWS + 1 : ROWS + 2], VECTORS[ROWS + 1 : ROWS + 2])
    assert ours.count("main") == theirs.count("main") == ROWS + 2
    theirs.rebuild("main", Hnsw())
    assert ours.delete("main", Filter(ids=(ENTITIES[ROWS].id,))) == 1
    assert theirs.count("main") == ROWS + 1
    clock.now_s += REMEMBERED_S
    assert ours.library("main") == theirs.library("main")


def test_while_the_old_collection_is_there_it_answers_as_it_was(
    server: ReplayServer, clock: Clock, stores: tuple[MilvusStore, MilvusStore]
) -> None:
    ours, theirs = stores
    old = server.collections[theirs.library("main").collection]
    theirs.rebuild("main", IvfFlat(nlist=2), SearchParams(nprobe=2))
    theirs.upsert("main", ENTITIES[ROWS : ROWS + 1], VECTORS[ROWS : ROWS + 1])
    server.collections[old.name] = old  # as a rebuild leaves it that is killed after its switch
    assert nearest(ours, 3) == ENTITIES[3].id
    assert ours.count("main") == ROWS + 1  # which promises to see every write
    clock.now_s += REMEMBERED_S
    assert nearest(ours, ROWS) == ENTITIES[ROWS].id


def test_an_index_that_another_process_changes_in_place_is_searched(
    clock: Clock, stores: tuple[MilvusStore, MilvusStore]
) -> None:
    ours, theirs = stores
    for index in (Hnsw(), IvfFlat(nlist=2), Flat()):
        theirs.rebuild("main", index, in_place=True)
        assert nearest(ours, 3) == ENTITIES[3].id
        clock.now_s += REMEMBERED_S
        assert ours.library("main").index == index


def test_a_search_with_the_encoder_before_finds_nothing_wrong(
    clock: Clock, stores: tuple[MilvusStore, MilvusStore], identity: EncoderIdentity
) -> None:
    ours, theirs = stores
    other = replace(identity, digest="f" * 32)
    reembed(theirs, other)
    with pytest.raises(EncoderMismatch):  # the new collection has as many dimensions
        nearest(ours, 3)
    reembed(theirs, identity)
    assert ours.library("main", identity).encoder == identity
    clock.now_s += REMEMBERED_S
    reembed(theirs, other)
    assert ours.library("main", other).encoder == other


def test_a_write_with_the_encoder_before_reaches_no_collection(
    server: ReplayServer, stores: tuple[MilvusStore, MilvusStore], identity: EncoderIdentity
) -> None:
    ours, theirs = stores
    reembed(theirs, replace(identity, digest="f" * 32))
    with pytest.raises(EncoderMismatch):
        ours.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
    with pytest.raises(EncoderMismatch):
        ours.ensure_library("main", identity)
    assert [len(found.rows) for found in server.collections.values()] == [ROWS]


def test_a_write_does_not_follow_a_collection_to_another_name(
    server: ReplayServer, clock: Clock, stores: tuple[MilvusStore, MilvusStore]
) -> None:
    ours, theirs = stores
    theirs.rename_library("main", "yard")
    with pytest.raises(LibraryNotFound):
        ours.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
    with pytest.raises(LibraryNotFound):
        ours.delete("main", Filter(ids=(ENTITIES[0].id,)))
    assert theirs.count("yard") == ROWS
    clock.now_s += REMEMBERED_S
    with pytest.raises(LibraryNotFound):
        nearest(ours, 3)


def test_a_library_that_another_process_drops_is_gone(
    stores: tuple[MilvusStore, MilvusStore], identity: EncoderIdentity
) -> None:
    ours, theirs = stores
    theirs.drop_library("main")
    with pytest.raises(LibraryNotFound):
        nearest(ours, 3)
    ours.ensure_library("main", identity)
    assert nearest_or_none(ours, 3) is None
    theirs.drop_library("main")
    theirs.ensure_library("main", identity)
    theirs.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
    assert nearest(ours, ROWS + 3) == ENTITIES[ROWS + 3].id


def nearest_or_none(store: MilvusStore, number: int) -> str | None:
    [matches] = store.search("main", VECTORS[number : number + 1], k=1)
    return matches[0].entity.id if matches else None


@pytest.mark.parametrize("moment", ["copying", "building", "comparing", "switching"])
def test_no_moment_of_a_rebuild_loses_a_write_of_another_process(
    stores: tuple[MilvusStore, MilvusStore], moment: str
) -> None:
    ours, theirs = stores

    def write(doing: str, share: float) -> None:
        if doing == moment and share == 0.0:
            nearest(ours, 0)
            ours.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
            assert ours.delete("main", Filter(ids=(ENTITIES[0].id,))) == 1

    theirs.rebuild("main", IvfFlat(nlist=2), SearchParams(nprobe=2), write)
    assert theirs.count("main") == ours.count("main") == 2 * ROWS - 1
    assert nearest(theirs, ROWS) == nearest(ours, ROWS) == ENTITIES[ROWS].id


def test_a_write_that_a_whole_rebuild_overtakes_is_not_lost(
    stores: tuple[MilvusStore, MilvusStore],
) -> None:
    ours, theirs = stores
    client, rows = ours.session.client, list(zip(ENTITIES[ROWS:], VECTORS[ROWS:], strict=True))
    written: list[str] = []

    def write(collection: str) -> None:
        if not written:  # the library was looked at, and nothing is written yet
            theirs.rebuild("main", IvfFlat(nlist=2), SearchParams(nprobe=2))
        written.append(collection)
        client.upsert(collection, to_rows(rows, STORED_FIELDS))

    ours.session.write("main", "storing vectors", write)
    assert len(set(written)) == 2
    assert theirs.count("main") == 2 * ROWS


def test_a_write_is_refused_while_another_process_switches_the_encoder(
    stores: tuple[MilvusStore, MilvusStore], identity: EncoderIdentity
) -> None:
    ours, theirs = stores
    with theirs.replacement("main", replace(identity, digest="f" * 32)) as heir:
        heir.close_writing()
        with pytest.raises(StoreBusy):
            ours.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
    ours.upsert("main", ENTITIES[ROWS:], VECTORS[ROWS:])
    assert theirs.count("main") == 2 * ROWS


def test_the_embedded_milvus_is_described_again_only_after_a_change(
    tmp_path: Path, identity: EncoderIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(str(tmp_path / "milvus.db"), write_lock=tmp_path / "write.lock")
    one, two = MilvusStore(endpoint), MilvusStore(endpoint)  # of one process
    one.ensure_library("main", identity)
    one.upsert("main", ENTITIES[:ROWS], VECTORS[:ROWS])
    assert nearest(one, 0) == nearest(two, 0) == ENTITIES[0].id
    looks: list[str] = []
    describe = one.session.catalog.describe

    def counted(name: str) -> dict[str, Any] | None:
        looks.append(name)
        return describe(name)

    monkeypatch.setattr(one.session.catalog, "describe", counted)
    nearest(one, 0)
    assert one.count("main") == ROWS
    assert looks == []
    two.rebuild("main", Hnsw(), in_place=True)
    two.rename_library("main", "yard")
    with pytest.raises(LibraryNotFound):
        nearest(one, 0)
    np.testing.assert_allclose(one.embedding("yard", ENTITIES[1].id), VECTORS[1], atol=1e-6)
    one.close()
    two.close()
