"""Reading and writing a library while its collection is rebuilt, loaded, recovered or replaced.

Every call goes to the collection that serves the library at that moment. Where Milvus answers that
it cannot be searched yet, the call waits and is made again, up to the endpoint's ``timeout_s``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from pymilvus.exceptions import MilvusException

from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreBusy, StoreError, StoreUnavailable
from search_core.store.endpoint import Endpoint
from search_core.store.library import LibraryInfo
from search_core.store.milvus.catalog import LibraryRegistry
from search_core.store.milvus.connection import write_lock
from search_core.store.milvus.errors import is_missing, is_not_ready, milvus_errors, reason_of

#: A library switched more often than this while one call runs cannot be read or written.
_SWITCHES = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
_T = TypeVar("_T")


def read_library(
    registry: LibraryRegistry, name: str, doing: str, ask: Callable[[LibraryInfo], _T]
) -> _T:
    """Ask the collection that serves; again where a rebuild has just put another in its place.

    Waits while it is loaded, recovers or is rebuilt in place. Raises LibraryNotFound, and
    StoreUnavailable past the endpoint's ``timeout_s``.
    """
    with milvus_errors(doing, name):
        waiting = _Waiting(registry.endpoint, name, doing)
        switches = 0
        while True:
            info = registry.open(name)
            try:
                return ask(info)
            except MilvusException as error:
                if _was_switched(registry, info) and switches < _SWITCHES:
                    switches += 1
                elif is_not_ready(error) or is_missing(error):
                    # Missing to a node that has just let it go; else open() says so.
                    waiting.pause(error)
                else:
                    raise


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
        waiting = _Waiting(registry.endpoint, name, doing)
        has_begun = False
        while True:
            info = registry.open(name)
            try:
                for piece in ask(info):
                    has_begun = True
                    yield piece
                return
            except MilvusException as error:
                if _was_switched(registry, info):
                    raise StoreError(
                        "The library {name} was rebuilt while it was being read.",
                        "Try again.",
                        name=name,
                    ) from None
                if has_begun or not is_not_ready(error):
                    raise
                waiting.pause(error)


def write_library(
    registry: LibraryRegistry,
    name: str,
    doing: str,
    write: Callable[[str], object],
    identity: EncoderIdentity | None = None,
) -> None:
    """Write to the collection that serves, then to the one a rebuild fills beside it.

    Done when both are the ones that they were before, so that a rebuild that starts, switches or
    ends meanwhile misses nothing; rebuild.py says why that is enough. ``identity`` is the encoder
    of what is written: raises EncoderMismatch where the library's is another by now, StoreBusy
    where it is about to be (replacement.py). Writing is idempotent, so where Milvus is not ready
    it is done again; StoreUnavailable past the endpoint's ``timeout_s``.
    """
    with milvus_errors(doing, name), write_lock(registry.endpoint):
        waiting = _Waiting(registry.endpoint, name, doing)
        written: set[str] = set()
        switches = 0
        while True:
            info = registry.open(name)
            if info.heir and registry.is_worked_on(info.heir):
                raise StoreBusy(
                    "The library {name} is being switched to another encoder.",
                    "Try again in a minute, with that encoder.",
                    name=name,
                )
            if identity is not None:
                info.require_encoder(identity)
            wanted = [c for c in info.collections if c not in written]
            if not wanted:
                return
            if (switches := switches + 1) > _SWITCHES:
                raise StoreBusy(
                    "The library {name} is rebuilt again and again.", "Try again.", name=name
                )
            for collection in wanted:
                _write_one(registry, collection, write, waiting)
                written.add(collection)


def _write_one(
    registry: LibraryRegistry,
    collection: str,
    write: Callable[[str], object],
    waiting: _Waiting,
) -> None:
    """Write to one collection; one that does not exist any more needs no writing.

    Dropped since it was looked up, it is no longer the library's; where it is the successor, its
    rebuild was given up. Milvus's word for it is not enough: a node that has just released a
    collection calls it missing too, and what is not written then is lost.
    """
    while True:
        try:
            write(collection)
            return
        except MilvusException as error:
            if is_missing(error) and registry.describe(collection) is None:
                return
            if not is_missing(error) and not is_not_ready(error):
                raise
            waiting.pause(error)
            registry.forget(collection)
            registry.load(collection)


class _Waiting:
    """Pauses between calls that Milvus is not ready for, until a deadline."""

    def __init__(self, endpoint: Endpoint, name: str, doing: str) -> None:
        self._name = name
        self._doing = doing
        self._timeout_s = endpoint.timeout_s
        self._until_s: float | None = None
        self._pause_s = _FIRST_WAIT_S

    def pause(self, error: MilvusException) -> None:
        """Wait a little longer than before; raises StoreUnavailable past the deadline."""
        now_s = time.monotonic()
        if self._until_s is None:
            self._until_s = now_s + self._timeout_s
        if now_s >= self._until_s:
            raise StoreUnavailable(
                "The library {name} is not ready yet ({doing}), after {seconds:g} s: {reason}.",
                "Milvus is loading or recovering it; try again in a moment.",
                name=self._name,
                doing=self._doing,
                seconds=self._timeout_s,
                reason=reason_of(error),
            ) from error
        time.sleep(self._pause_s)
        self._pause_s = min(_LONGEST_WAIT_S, 2 * self._pause_s)


def _was_switched(registry: LibraryRegistry, info: LibraryInfo) -> bool:
    """Whether a library is served by another collection now; if not, this one is looked at anew."""
    registry.forget(info.collection)
    now = registry.find(info.name)
    return now is not None and now.collection != info.collection
