"""Replace the index of a library in place and be killed meanwhile: URI WRITE_LOCK CALLS.

This process ends with call number CALLS to Milvus of the replacement; WRITE_LOCK is "" for a
server's Milvus.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[4]))

from search_core.indexes import Hnsw
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.session import connect
from search_core.store.milvus.store import MilvusStore

LIBRARY = "in_place"


class DyingClient:
    """A client of Milvus that ends its process after so many calls that change something."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._client, name)
        if not name.startswith(("alter_", "release_", "drop_", "create_", "load_")):
            return function

        def counted(*arguments: Any, **options: Any) -> Any:
            done = function(*arguments, **options)
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return counted


def main() -> None:
    uri, lock, calls = sys.argv[1:]
    endpoint = Endpoint(uri, embedded=bool(lock), write_lock=Path(lock) if lock else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "search_core.store.milvus.session.connect",
            lambda endpoint: DyingClient(connect(endpoint), int(calls)),
        )
        MilvusStore(endpoint).rebuild(LIBRARY, Hnsw(), in_place=True)


if __name__ == "__main__":
    main()
