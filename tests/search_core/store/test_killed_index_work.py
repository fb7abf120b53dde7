"""kill -9 during trials and rebuilds: nothing stays, no row is lost, the library answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pymilvus import MilvusClient

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Flat
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.search_core.store.killed_index_work import DIM, LIBRARY
from tests.support.waiting import free_port

SCRIPT = Path(__file__).with_name("killed_index_work.py")
ROWS = 300
VECTORS = clip_like_vectors(ROWS, DIM)
#: A round of a trial and a rebuild is some 50 calls to Milvus; `make soak` draws from two rounds.
SOAK = bool(os.environ.get("SIGHTLINE_SOAK"))
#: While the trial is indexed, in the middle of the copy, and at the switch.
MOMENTS = np.random.default_rng().integers(1, 100, 20).tolist() if SOAK else [14, 33, 47]


@pytest.fixture(params=["lite", "served", pytest.param("server", marks=pytest.mark.server)])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Endpoint]:
    """Milvus Lite in the killed process, Milvus Lite that `sightline serve` runs, and a server."""
    lock = tmp_path / "write.lock"
    if request.param == "lite":
        yield Endpoint(str(tmp_path / "milvus.db"), write_lock=lock)
    elif request.param == "served":
        port = free_port()
        arguments = ["--data-dir", str(tmp_path / "milvus.db"), "--port", str(port)]
        with subprocess.Popen([sys.executable, "-m", "milvus_lite", "server", *arguments]) as lite:
            await_listener(port)
            yield Endpoint(f"http://127.0.0.1:{port}", write_lock=lock)
            lite.kill()
    else:
        yield Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)


def test_killed_again_and_again(
    endpoint: Endpoint, tmp_path: Path, identity: EncoderIdentity
) -> None:
    with closing(MilvusStore(endpoint)) as store:
        store.ensure_library(LIBRARY, identity, index=Flat())
        store.upsert(LIBRARY, [make_entity(i) for i in range(ROWS)], VECTORS)
        store.settle(LIBRARY)
    print("killed after calls", MOMENTS)
    for moment in MOMENTS:
        kill_at(moment, endpoint, tmp_path)
        with closing(MilvusStore(endpoint)) as store:
            answers(store)
            store.remove_leftovers()
            info = store.library(LIBRARY)
            assert info.successor == "", moment
            assert all_collections(endpoint) == [info.collection], moment
            answers(store)
            assert_nothing_lost(store, tmp_path)
    with closing(MilvusStore(endpoint)) as store:
        store.drop_library(LIBRARY)


def kill_at(moment: int, endpoint: Endpoint, folder: Path) -> None:
    """Let the work run until it kills itself; the library is searched all the while."""
    child = subprocess.Popen(
        [
            *(sys.executable, str(SCRIPT), str(folder)),
            *(endpoint.uri, str(moment), *(["embedded"] if endpoint.embedded else [])),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    ended = threading.Event()
    failed: list[BaseException] = []

    def search() -> None:
        try:
            with closing(MilvusStore(endpoint)) as store:
                while not ended.is_set():
                    answers(store)
        except BaseException as error:
            failed.append(error)

    # A Milvus in the child is the child's alone, and dies with it.
    searcher = threading.Thread(target=search) if "://" in endpoint.uri else None
    if searcher:
        searcher.start()
    try:
        _, said = child.communicate(timeout=300)
    finally:
        child.kill()
        ended.set()
        if searcher:
            searcher.join()
    assert child.returncode == -signal.SIGKILL, said
    assert not failed, failed


def await_listener(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            threading.Event().wait(0.1)
        else:
            return
    raise TimeoutError("Milvus Lite does not listen")


def answers(store: MilvusStore) -> None:
    found = store.search(LIBRARY, VECTORS[:3], k=1)
    assert [hits[0].entity.id for hits in found] == [make_entity(i).id for i in range(3)]


def all_collections(endpoint: Endpoint) -> list[str]:
    names = sorted(MilvusClient(endpoint.uri).list_collections())
    if "://" not in endpoint.uri:
        folders = (Path(endpoint.uri) / "collections").iterdir()
        assert sorted(folder.name for folder in folders) == names
    return names


def assert_nothing_lost(store: MilvusStore, folder: Path) -> None:
    found = {
        entity.id: (entity, vector)
        for page in store.vectors(LIBRARY)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    }
    for number in range(ROWS):
        entity, vector = found.pop(make_entity(number).id)
        assert entity == make_entity(number)
        np.testing.assert_allclose(vector, VECTORS[number], atol=1e-6)
    acknowledged = {
        make_entity(int(line)).id for line in (folder / "acknowledged").read_text().split()
    }
    assert acknowledged <= found.keys()
    # At most one write of each killed process was not acknowledged.
    assert len(found) <= len(acknowledged) + len(MOMENTS)
