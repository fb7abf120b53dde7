"""A library's index replaced where it is: searches wait, and the old one is kept in mind.

What the library was is noted on its collection with the first step and removed with the last. A
build that fails, or that is interrupted, puts the old index back at once; where the process is
killed outright, whoever opens the library next does (registry.py).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.connection import write_lock
from search_core.endpoint import Endpoint
from search_core.errors import SightlineError, StoreBusy, StoreError
from search_core.library import LibraryInfo

if TYPE_CHECKING:
    from search_core.registry import LibraryRegistry

#: A build in place may take so long; searches wait for it, so that it should not.
IN_PLACE_TIMEOUT_S = 3600.0
#: How often an index is dropped that a search loads again meanwhile.
_DROPS = 5


def rebuild_in_place(
    client: MilvusClient,
    registry: LibraryRegistry,
    endpoint: Endpoint,
    info: LibraryInfo,
    changed: LibraryInfo,
    timeout_s: float = IN_PLACE_TIMEOUT_S,
) -> None:
    """Replace a library's index, or only its default search parameters, where it is.

    Searches wait meanwhile. Raises StoreBusy while it is rebuilt, and StoreError where Milvus does
    not build the new index within ``timeout_s`` seconds: the library then has its old one again.
    """
    with write_lock(endpoint):
        if any(registry.is_worked_on(name) for name in info.collections):
            raise busy(info)
        if changed.index == info.index:
            registry.write_info(changed)
            return
        registry.note_before(info)
        deadline = time.monotonic() + timeout_s
        try:
            remove_index(client, info.collection)
            registry.forget(info.collection)
            registry.write_info(changed)
            registry.make_ready(changed, deadline)
        except BaseException as error:
            is_back = _try_to_put_back(client, registry, info)
            if not isinstance(error, MilvusException | SightlineError):
                raise  # Ctrl-C
            is_late = time.monotonic() >= deadline
            raise _not_built(info, changed, error, timeout_s, is_late, is_back) from error
        registry.forget_before(info.collection)


def put_back(client: MilvusClient, registry: LibraryRegistry, before: LibraryInfo) -> None:
    """Make a library what it was before a rebuild in place that did not end; raises as Milvus does.

    Its collection must be this process's.
    """
    remove_index(client, before.collection)
    registry.forget(before.collection)
    registry.write_info(before)
    registry.make_ready(before)
    registry.forget_before(before.collection)


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


def busy(info: LibraryInfo) -> StoreBusy:
    """Return the error of a library that somebody rebuilds."""
    return StoreBusy(
        f"The library {info.name} is being rebuilt by another command.",
        "Wait for it to end, then try again.",
    )


def _try_to_put_back(client: MilvusClient, registry: LibraryRegistry, info: LibraryInfo) -> bool:
    try:
        put_back(client, registry, info)
    except (MilvusException, SightlineError):
        with suppress(MilvusException):  # so that whoever opens it next does not wait for us
            registry.disown(info.collection)
        return False
    return True


def _not_built(
    info: LibraryInfo,
    changed: LibraryInfo,
    error: MilvusException | SightlineError,
    timeout_s: float,
    is_late: bool,
    is_back: bool,
) -> StoreError:
    reason = error.message.strip().splitlines()[0][:300].rstrip(".") if error.message else "unknown"
    said = f"{changed.index.index_type} could not be built: {reason}."
    if is_late:
        said = f"{changed.index.index_type} was not built within {timeout_s:.0f} s."
    back = f"The library {info.name} has its index {info.index.index_type} again."
    later = f"Its next search builds {info.index.index_type} again."
    return StoreError(f"{said} {back if is_back else later}")
