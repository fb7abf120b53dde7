"""kill -9 at random moments of `sightline index compare`, with and without --apply.

Afterwards no scratch collection stays, no row is lost, and the library answers: on a server it is
searched all the while. One kill each time; twenty with SIGHTLINE_SOAK=1 (``make soak``).
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from pymilvus import MilvusClient

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Flat
from search_core.settings import MilvusSettings, Settings
from search_core.store.endpoint import Endpoint, resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

KILLS = 20 if os.environ.get("SIGHTLINE_SOAK") else 1
ROOT = Path(__file__).parents[2]
LIBRARY, ROWS, DIM = "main", 2000, 64
VECTORS = clip_like_vectors(ROWS, DIM)
#: Turn about, so that there is always another index to apply; all of them find everything.
TURNS = (
    ("HNSW", "ef=256", "--apply"),
    ("FLAT", "k=10", "--apply"),
    ("IVF_FLAT", "nprobe=16", "--apply", "--in-place"),
    ("HNSW", "ef=256", "--apply", "--in-place"),
    ("IVF_SQ8", "nprobe=1,16"),
)


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    uri = request.getfixturevalue("milvus_server_uri") if request.param == "server" else None
    made = Settings(data_dir=tmp_path / "data", milvus=MilvusSettings(uri=uri))
    made.data_dir.mkdir()
    with closing(MilvusStore(resolve_endpoint(made))) as store:
        identity = EncoderIdentity("made-up", "", "0" * 32, DIM, "fp32")
        store.ensure_library(LIBRARY, identity, index=Flat())
        store.upsert(LIBRARY, [make_entity(number) for number in range(ROWS)], VECTORS)
        store.settle(LIBRARY)
    yield made
    with closing(MilvusStore(resolve_endpoint(made))) as store:
        store.drop_library(LIBRARY)


def test_killed_comparisons(settings: Settings) -> None:
    endpoint = resolve_endpoint(settings)
    whole_s, killed, turns = run_until(settings, TURNS[-1], None), 0, itertools.cycle(TURNS)
    while killed < KILLS:  # one that ended before its moment came is not counted
        with searched_all_the_while(endpoint):
            # Python itself takes the first part of it to start.
            after_s = random.uniform(0.3, 1.0) * whole_s
            took_s = run_until(settings, next(turns), after_s)
            killed += took_s == 0.0
            whole_s = took_s or whole_s
        with closing(MilvusStore(endpoint)) as store:
            assert_answers(store)
            store.remove_leftovers()
            info = store.library(LIBRARY)
            assert info.successor == ""
            assert_answers(store)
            assert_all_rows(store)
        assert all_collections(endpoint) == [info.collection]


def run_until(settings: Settings, turn: tuple[str, ...], after_s: float | None) -> float:
    """Run a comparison and kill it; return the seconds it took, 0 when it was killed."""
    index_type, sweep, *options = turn
    extra = {"SIGHTLINE_MILVUS_URI": settings.milvus.uri} if settings.milvus.uri else {}
    kept = {name: value for name, value in os.environ.items() if "SIGHTLINE" not in name}
    began_s = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sightline.cli.main", "--data-dir", str(settings.data_dir)),
            *("index", "compare", "--types", index_type, "--queries", "40", "--repeats", "3"),
            *("--no-text", "--target-recall", "0.9", "--filter", "10%", "--json"),
            *(() if index_type == "FLAT" else ("--sweep", sweep)),
            *options,
        ],
        cwd=ROOT,
        env={**kept, **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return 0.0
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began_s


@contextmanager
def searched_all_the_while(endpoint: Endpoint) -> Iterator[None]:
    """Search the library on a server until the block ends; fail when an answer is not right."""
    if "://" not in endpoint.uri:
        yield  # Milvus Lite is the command's own while it runs
        return
    ended = threading.Event()
    failed: list[BaseException] = []

    def search() -> None:
        try:
            with closing(MilvusStore(endpoint)) as store:
                while not ended.is_set():
                    assert_answers(store)
        except BaseException as error:
            failed.append(error)

    searcher = threading.Thread(target=search)
    searcher.start()
    try:
        yield
    finally:
        ended.set()
        searcher.join()
    assert not failed, failed


def all_collections(endpoint: Endpoint) -> list[str]:
    if "://" not in endpoint.uri:  # a client would hold the file
        return [folder.name for folder in (Path(endpoint.uri) / "collections").iterdir()]
    with closing(MilvusClient(endpoint.uri)) as client:
        return list(client.list_collections())


def assert_answers(store: MilvusStore) -> None:
    found = store.search(LIBRARY, VECTORS[:3], k=1)
    assert [hits[0].entity.id for hits in found] == [make_entity(at).id for at in range(3)]


def assert_all_rows(store: MilvusStore) -> None:
    found = [
        (entity, vector)
        for page in store.vectors(LIBRARY)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    ]
    assert len(found) == ROWS
    by_id = {entity.id: (entity, vector) for entity, vector in found}
    for number in range(ROWS):
        entity, vector = by_id[make_entity(number).id]
        assert entity == make_entity(number)
        np.testing.assert_allclose(vector, VECTORS[number], atol=1e-6)
