"""Having Milvus build an index, and waiting for it no longer than a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.errors import StoreError, TrialTimeout
from search_core.index_specs import IndexSpec
from search_core.store.milvus.schema import INDEX_NAME, index_params

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
#: How often an index is dropped that a search loads again meanwhile.
_DROPS = 5


def build_index(
    client: MilvusClient,
    collection: str,
    index: IndexSpec,
    metric: str,
    *,
    embedded: bool,
    deadline: float | None = None,
) -> None:
    """Build an index over the flushed rows of a collection that has none.

    ``deadline`` is a moment of time.monotonic(); past it TrialTimeout is raised, and Milvus may go
    on building. Milvus Lite builds when the collection is loaded. Raises StoreError where Milvus
    says that it failed.
    """
    wanted = index_params(client, index, metric, embedded=embedded)
    # pymilvus's own waiting has no end: it ignores a time limit that is not a whole number.
    client.create_index(collection, wanted, sync=False, timeout=seconds_left(deadline))
    if not embedded:
        wait_for_index(client, collection, index, deadline=deadline)


def wait_for_index(
    client: MilvusClient,
    collection: str,
    index: IndexSpec,
    *,
    deadline: float | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> None:
    """Return when a server has indexed all flushed rows of a collection; see build_index."""
    pause_s = _FIRST_PAUSE_S
    while True:
        state = client.describe_index(collection, INDEX_NAME, timeout=seconds_left(deadline))
        if state["state"] == "Finished":
            return
        if state["state"] == "Failed":
            reason = state.get("index_state_fail_reason") or "Milvus does not say why"
            raise StoreError(f"Milvus could not build {index.index_type}: {reason}.")
        on_progress(_share(state))
        time.sleep(min(pause_s, seconds_left(deadline) or pause_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def remove_index(client: MilvusClient, collection: str) -> None:
    """Remove the index of a collection, where it has one."""
    # A search that has found it loaded a moment ago may load it once more.
    for attempt in range(_DROPS):
        client.release_collection(collection)
        try:
            for name in client.list_indexes(collection):
                client.drop_index(collection, name)
        except MilvusException:
            if attempt + 1 == _DROPS:
                raise
        else:
            return


def seconds_left(deadline: float | None) -> float | None:
    """Return how long it is until a moment of time.monotonic(); raises TrialTimeout past it."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TrialTimeout(
            "Milvus did not build the index within the time limit.",
            "Allow more time, or leave this index type out.",
        )
    return left


def _share(state: dict[str, Any]) -> float:
    return float(state.get("indexed_rows", 0)) / max(1.0, float(state.get("total_rows", 0)))
