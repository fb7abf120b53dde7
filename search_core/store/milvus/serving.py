"""Reading and writing a library while it may be rebuilt: whatever serves it, at every moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pymilvus.exceptions import MilvusException

from search_core.encoders.base import EncoderIdentity
from search_core.endpoint import Endpoint
from search_core.errors import StoreBusy, StoreError
from search_core.library import LibraryInfo
from search_core.store.milvus.catalog import LibraryRegistry, is_unloaded
from search_core.store.milvus.connection import write_lock
from search_core.store.milvus.errors import milvus_errors
from search_core.store.milvus.properties import is_missing

#: A library switched more often than this while one call runs is not to be read or written.
_SWITCHES = 5
_T = TypeVar("_T")


def read_library(
    registry: LibraryRegistry, name: str, doing: str, ask: Callable[[LibraryInfo], _T]
) -> _T:
    """Ask the collection that serves; again where a rebuild has just put another in its place.

    While it is rebuilt in place, waits.
    """
    with milvus_errors(doing, name):
        info = registry.open(name)
        for _ in range(_SWITCHES):
            try:
                return ask(info)
            except MilvusException as error:
                if not _was_switched(registry, info) and not is_unloaded(error):
                    raise
                info = registry.open(name)
        return ask(info)


def read_through(
    registry: LibraryRegistry,
    name: str,
    doing: str,
    ask: Callable[[LibraryInfo], Iterator[_T]],
) -> Iterator[_T]:
    """Yield what the collection that serves now gives, piece by piece.

    Raises StoreError where a rebuild takes that collection away meanwhile.
    """
    with milvus_errors(doing, name):
        info = registry.open(name)
        try:
            yield from ask(info)
        except MilvusException:
            if not _was_switched(registry, info):
                raise
            raise StoreError(
                f"The library {name} was rebuilt while it was being read.", "Try again."
            ) from None


def write_library(
    registry: LibraryRegistry,
    endpoint: Endpoint,
    name: str,
    doing: str,
    write: Callable[[str], object],
    identity: EncoderIdentity | None = None,
) -> None:
    """Write to the collection that serves, then to the one a rebuild fills beside it.

    Done when both are the ones that they were before, so that a rebuild that starts, switches or
    ends meanwhile misses nothing; rebuild.py says why that is enough. ``identity`` is the encoder
    of what is written: raises EncoderMismatch where the library's is another by now, StoreBusy
    where it is about to be (replacement.py).
    """
    with milvus_errors(doing, name), write_lock(endpoint):
        written: set[str] = set()
        for _ in range(_SWITCHES):
            info = registry.open(name)
            if info.heir and registry.is_worked_on(info.heir):
                raise StoreBusy(
                    f"The library {name} is being switched to another encoder.",
                    "Try again in a minute, with that encoder.",
                )
            if identity is not None:
                info.require_encoder(identity)
            wanted = [c for c in info.collections if c not in written]
            if not wanted:
                return
            for collection in wanted:
                try:
                    write(collection)
                except MilvusException as error:
                    # Dropped since; where it is the successor, its rebuild was given up.
                    if not is_missing(error):
                        raise
                written.add(collection)


def _was_switched(registry: LibraryRegistry, info: LibraryInfo) -> bool:
    """Whether a library is served by another collection now; if not, this one is looked at anew."""
    registry.forget(info.collection)
    now = registry.find(info.name)
    return now is not None and now.collection != info.collection
