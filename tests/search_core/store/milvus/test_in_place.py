"""An index replaced in place that is not built: the library has its old one again, and answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient

from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreError
from search_core.indexes import Hnsw, IvfFlat, IvfPq, SearchParams
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.properties import BEFORE_PROPERTY, OWNER_PROPERTY, PROPERTY, Owner
from search_core.store.milvus.session import connect
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.search_core.store.milvus.killed_in_place import LIBRARY

SCRIPT = Path(__file__).with_name("killed_in_place.py")
ROWS, DIM = 200, 16
VECTORS = clip_like_vectors(ROWS, DIM)
OLD, OLD_SEARCH = IvfFlat(nlist=4), SearchParams(nprobe=4)
DEAD = replace(Owner.current(), started="long ago")
#: Calls that change something: the note (a server's is written twice), release, drop, the new
#: index's name (twice), its making, loading, the note's removal.
LITE_CALLS, SERVER_CALLS = 7, 10


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def endpoint(
    request: pytest.FixtureRequest, tmp_path: Path, identity: EncoderIdentity
) -> Iterator[Endpoint]:
    """A Milvus with a library of ROWS entities that has the index OLD."""
    if request.param == "lite":
        made = Endpoint(str(tmp_path / "milvus.db"), write_lock=tmp_path / "write.lock")
    else:
        made = Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
    with closing(MilvusStore(made)) as store:
        store.ensure_library(LIBRARY, identity, index=OLD)
        store.rebuild(LIBRARY, OLD, OLD_SEARCH, in_place=True)
        store.upsert(LIBRARY, [make_entity(i) for i in range(ROWS)], VECTORS)
        store.settle(LIBRARY)
    yield made
    with closing(MilvusStore(made)) as store:
        store.drop_library(LIBRARY)


def assert_answers(store: MilvusStore) -> None:
    found = store.search(LIBRARY, VECTORS[:3], k=1)
    assert [hits[0].entity.id for hits in found] == [make_entity(i).id for i in range(3)]


def assert_old(store: MilvusStore) -> None:
    """The library answers with the index it had, in its record and in Milvus, and can change."""
    assert_answers(store)
    info = store.library(LIBRARY)
    assert (info.index, info.search) == (OLD, OLD_SEARCH)
    with closing(MilvusClient(store.endpoint.uri)) as client:
        [name] = client.list_indexes(info.collection)
        assert client.describe_index(info.collection, name)["index_type"] == "IVF_FLAT"


def test_an_index_that_takes_too_long_leaves_the_old_one(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(MilvusStore(endpoint)) as store:
        with monkeypatch.context() as patch:
            patch.setattr("search_core.store.milvus.replacement.IN_PLACE_TIMEOUT_S", 0.0)
            with pytest.raises(StoreError, match="not built within 0 s") as caught:
                store.rebuild(LIBRARY, Hnsw(), in_place=True)
        assert f"{LIBRARY} has its index IVF_FLAT again." in caught.value.message
        assert_old(store)
        store.rebuild(LIBRARY, Hnsw(), in_place=True)
        assert store.library(LIBRARY).index == Hnsw()
        assert_answers(store)


class FailingClient:
    """A client of Milvus whose next ``load_collection`` fails, once it is told to."""

    error: BaseException | None = None

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        error = self.error
        if name == "load_collection" and error is not None:
            self.error = None
            raise error
        return getattr(self._client, name)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreError("Milvus refuses it.")])
def test_a_build_that_fails_or_is_interrupted_leaves_the_old_one(
    endpoint: Endpoint, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[FailingClient] = []

    def failing(endpoint: Endpoint) -> FailingClient:
        clients.append(FailingClient(connect(endpoint)))
        return clients[-1]

    monkeypatch.setattr("search_core.store.milvus.session.connect", failing)
    with closing(MilvusStore(endpoint)) as store:
        assert_answers(store)
        clients[0].error = error
        with pytest.raises(type(error)) as caught:
            store.rebuild(LIBRARY, Hnsw(), in_place=True)
        if isinstance(caught.value, StoreError):
            assert "HNSW could not be built: Milvus refuses it." in caught.value.message
        assert_old(store)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_killed_in_the_middle_the_next_search_is_answered(endpoint: Endpoint, share: float) -> None:
    calls = round(share * (LITE_CALLS if endpoint.embedded else SERVER_CALLS))
    lock = str(endpoint.write_lock or "")
    child = subprocess.run(
        [sys.executable, str(SCRIPT), endpoint.uri, lock, str(calls)], capture_output=True
    )
    assert child.returncode == -9, child.stderr.decode()
    with closing(MilvusStore(endpoint)) as store:
        assert_answers(store)
        info = store.library(LIBRARY)
        assert info.index in (OLD, Hnsw())
        store.rebuild(LIBRARY, Hnsw(m=8), in_place=True)  # nobody is thought to be at it
        assert_answers(store)


def test_an_index_that_cannot_be_built_does_not_stand_in_the_way(endpoint: Endpoint) -> None:
    """As a process leaves it that is killed while Milvus refuses its index."""
    with closing(MilvusStore(endpoint)) as store:
        info = store.library(LIBRARY)
    impossible = replace(info, index=IvfPq(nlist=4, m=3), search=SearchParams(nprobe=1))
    with closing(MilvusClient(endpoint.uri)) as client:
        client.release_collection(info.collection)
        client.drop_index(info.collection, "embedding")
        client.alter_collection_properties(
            info.collection,
            {
                PROPERTY: json.dumps(impossible.to_dict()),
                BEFORE_PROPERTY: json.dumps(info.to_dict()),
                OWNER_PROPERTY: json.dumps(asdict(DEAD)),
            },
        )
    with closing(MilvusStore(endpoint)) as store:
        assert_old(store)
