"""Trials, rebuilds and writes on a library until this process kills itself:
FOLDER URI CALLS [embedded].

It is killed a little after CALLS calls to Milvus, those of the writing thread not counted. Ids are
appended to FOLDER/acknowledged once Milvus has acknowledged them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from search_core.indexes import Flat, Hnsw, IvfFlat, IvfSq8, SearchParams
from search_core.store.endpoint import Endpoint
from search_core.store.library import Store
from search_core.store.milvus.session import connect
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

LIBRARY = "main"
FIRST_WRITTEN = 10_000
DIM = 16


class KillingClient:
    """A client of Milvus that ends this process at a given call, or just after it."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._left = calls
        self._worker = threading.current_thread()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._client, name)
        if not callable(function) or threading.current_thread() is not self._worker:
            return function

        def counted(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                # Some milliseconds later it is within a call, or within what Milvus makes of it.
                after_s = np.random.default_rng().uniform(0.0, 0.02)
                threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return function(*arguments, **options)

        return counted


def write(store: Store, folder: Path) -> None:
    vectors = clip_like_vectors(500, DIM, seed=9)
    with (folder / "acknowledged").open("a") as file:
        for number in count(FIRST_WRITTEN):
            entity = make_entity(number)
            store.upsert(LIBRARY, [entity], vectors[number % 500][None, :])
            file.write(f"{number}\n")
            file.flush()


def compare(store: Store) -> None:
    vectors = clip_like_vectors(300, DIM, seed=8)
    numbers = np.arange(300)
    with store.open_trial(DIM, metric="COSINE") as trial:
        trial.insert(numbers, vectors, [make_entity(number) for number in numbers.tolist()])
        trial.settle()
        for spec in (Hnsw(), IvfSq8(nlist=4)):
            trial.build(spec)
            trial.search(vectors[:2], k=5, params=spec.search_params(SearchParams(), 5))


def main() -> None:
    folder, uri, calls, *embedded = sys.argv[1:]
    pytest.MonkeyPatch().setattr(
        "search_core.store.milvus.session.connect",
        lambda endpoint: KillingClient(connect(endpoint), int(calls)),
    )
    lock = Path(folder) / "write.lock" if embedded else None
    endpoint = Endpoint(uri, embedded=bool(embedded), write_lock=lock)
    store = MilvusStore(endpoint)
    threading.Thread(target=write, args=(store, Path(folder)), daemon=True).start()
    while True:
        for spec in (Hnsw(), Flat(), IvfFlat(nlist=2)):
            compare(store)
            store.rebuild(LIBRARY, spec)


if __name__ == "__main__":
    main()
