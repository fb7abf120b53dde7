"""A session with one Milvus: the connection, what it was told of the libraries, reads and writes.

Every call goes to the collection that serves the library. Where Milvus answers that it cannot be
searched yet, because it is loaded, recovers or is rebuilt in place, the call waits and is made
again, up to the endpoint's ``timeout_s``.

What Milvus said of a library (its collection, encoder, index and fields) is remembered, so that a
search need not ask first. What keeps that right:

- This process's own changes of any collection (``catalog.changes.number``) end it at once.
- The embedded Milvus has one process, so that nothing else changes it: there it is remembered until
  then. Of a Milvus that others use too it is believed for REMEMBERED_S seconds, and only for
  searches and single embeddings, which promise no more than a session's consistency. Counts, lists
  and vectors, which promise to see every write, and every write itself, look first.
- Another process's rebuild or re-embedding makes a new collection and moves the alias. A search
  that remembers the old collection is answered from it: encoder, index and rows belong together,
  as of the moment before the switch. (By the alias it would be answered from the new one with the
  old one's parameters, and after a re-embedding with a query of another encoder.) The old
  collection stays for longer than it is remembered (replacement.LAST_SEARCHES_S), so that nobody
  searches what is being dropped.
- Where Milvus raises anything at all, the library is looked at again, and asked again where it is
  another by then: dropped, switched, or with another index in the same collection.
- A write is acknowledged only after a look that came after it: see :meth:`MilvusSession.write`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import StoreBusy, StoreError, StoreUnavailable
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import MediaEntity
from search_core.store.endpoint import Endpoint, is_locked, write_lock
from search_core.store.library import LibraryInfo
from search_core.store.lite.inspection import Health
from search_core.store.lite.layout import remove_flushed_logs
from search_core.store.milvus.catalog import LibraryCatalog
from search_core.store.milvus.errors import (
    is_access,
    is_missing,
    is_not_ready,
    milvus_errors,
    reason_of,
    to_error,
)
from search_core.store.milvus.schema import storable_rows, to_rows

#: How long what a Milvus that others use too said of a library is believed, in seconds.
REMEMBERED_S = 2.0
#: A library switched more often than this while one call runs cannot be read or written.
_SWITCHES = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
#: Milvus Lite's server allows a ping every five minutes (gRPC's default); pymilvus sends one every
#: ten seconds, for which the server would close the connection in the middle of long requests.
_LITE_OPTIONS = {"grpc.keepalive_time_ms": 360_000, "grpc.keepalive_permit_without_calls": 0}
_RECONNECT_S = 5.0
_UPSERT_ROWS = 1000
_T = TypeVar("_T")
#: How many sessions of this process share an embedded Milvus, by its folder.
_sharers: Counter[Path] = Counter()
_sharing = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Known:
    """A library as it was after the change of this number, believed until ``until_s``."""

    info: LibraryInfo
    changes: int
    until_s: float


class MilvusSession:
    """A client, the Milvus it is connected to, and the catalog of its libraries.

    Safe to share between threads. ``clock`` returns seconds.
    """

    def __init__(
        self,
        client: MilvusClient,
        endpoint: Endpoint,
        catalog: LibraryCatalog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.endpoint = endpoint
        self.catalog = catalog
        self._clock = clock
        self._is_alone = "://" not in endpoint.uri
        self._known: dict[str, _Known] = {}
        self._is_closed = False

    @classmethod
    def open(cls, endpoint: Endpoint, health: Health | None = None) -> Self:
        """Connect, and return the session; raises as :func:`connect` does."""
        if "://" in endpoint.uri:
            client = connect(endpoint)
        else:
            with _sharing:
                client = connect(endpoint)
                _sharers[Path(endpoint.uri).absolute()] += 1
        return cls(client, endpoint, LibraryCatalog(client, endpoint, health))

    def close(self) -> None:
        """Close the connection; again does nothing.

        The last session of this process releases the embedded Milvus and its lock.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self.client.close()
        if self._is_alone:
            with _sharing:
                place = Path(self.endpoint.uri).absolute()
                _sharers[place] -= 1
                if not _sharers[place]:
                    from milvus_lite.server_manager import server_manager_instance

                    server_manager_instance.release_server(self.endpoint.uri)

    def server(self) -> ServerInfo:
        """Return which Milvus answers: its version, and whether it is Milvus Lite."""
        with milvus_errors("asking for its version"):
            return self.catalog.server()

    def library(self, name: str, *, fresh: bool = False) -> LibraryInfo:
        """Return a library, loaded and ready to search, as it was up to REMEMBERED_S ago.

        ``fresh``: as it is now. Raises LibraryNotFound, and StoreBusy while it is rebuilt in place.
        """
        try:
            return self._library(name, fresh)
        except (MilvusException, grpc.RpcError) as error:
            raise to_error(error, "opening the library", name) from error

    def remembered(self, name: str, *, fresh: bool = False) -> LibraryInfo | None:
        """Return a library from memory, None where that may be wrong.

        ``fresh``: where it may be as it was up to REMEMBERED_S ago.
        """
        known = self._known.get(name)
        if known is None or known.changes != self.catalog.changes.number:
            return None
        is_believed = self._is_alone or (not fresh and self._clock() < known.until_s)
        return known.info if is_believed else None

    def read(
        self, name: str, doing: str, ask: Callable[[LibraryInfo], _T], *, fresh: bool = False
    ) -> _T:
        """Ask the collection that serves; again where a rebuild has just put another in its place.

        ``fresh`` looks which collection that is, instead of remembering. Waits while it is loaded,
        recovers or is rebuilt in place. Raises LibraryNotFound, EncoderMismatch where what was
        remembered is of another encoder, and StoreUnavailable past the endpoint's ``timeout_s``.
        """
        waiting = _Waiting(self.endpoint, name, doing)
        may_be_old = not fresh
        switches = 0
        try:
            while True:
                info = self._library(name, fresh)
                try:
                    return ask(info)
                except MilvusException as error:
                    fresh = True
                    now = self._found_now(info)
                    if now is not None and now != info and switches < _SWITCHES:
                        switches += 1
                        if may_be_old:  # as what is asked by may be, of the encoder before
                            now.require_encoder(info.encoder)
                    elif is_not_ready(error) or is_missing(error):
                        # Missing to a node that has just let it go; else the next look says so.
                        waiting.pause(error)
                    else:
                        raise
        except (MilvusException, grpc.RpcError) as error:
            raise to_error(error, doing, name) from error

    def read_through(
        self, name: str, doing: str, ask: Callable[[LibraryInfo], Iterator[_T]]
    ) -> Iterator[_T]:
        """Yield what the collection that serves now gives, piece by piece.

        Raises StoreError where a rebuild takes that collection away meanwhile.
        """
        waiting = _Waiting(self.endpoint, name, doing)
        has_begun = False
        with milvus_errors(doing, name):
            while True:
                info = self._library(name, fresh=True)
                try:
                    for piece in ask(info):
                        has_begun = True
                        yield piece
                    return
                except MilvusException as error:
                    now = self._found_now(info)
                    if now is not None and now.collection != info.collection:
                        raise StoreError(
                            "The library {name} was rebuilt while it was being read.",
                            "Try again.",
                            name=name,
                        ) from None
                    if has_begun or not is_not_ready(error):
                        raise
                    waiting.pause(error)

    def write(
        self,
        name: str,
        doing: str,
        write: Callable[[str], object],
        identity: EncoderIdentity | None = None,
    ) -> None:
        """Write to the collection that serves, then to the one a rebuild fills beside it.

        Done when a look *after* the writes finds no collection that was not written: so a rebuild
        that starts, switches or ends meanwhile misses nothing (replacement.py says why).
        The look *before* them keeps rows out of a collection that has become another library's.

        ``identity`` is the encoder of what is written: raises EncoderMismatch where the library's
        is another by now, StoreBusy where it is about to be (replacement.py). Writing is
        idempotent, so where Milvus is not ready it is done again; StoreUnavailable past the
        endpoint's ``timeout_s``.
        """
        waiting = _Waiting(self.endpoint, name, doing)
        written: set[str] = set()
        try:
            with write_lock(self.endpoint):
                info = self._library(name, fresh=True)
                for _ in range(_SWITCHES + 1):
                    self._require_writable(info, identity)
                    for collection in info.collections:
                        if collection not in written:
                            self._write_one(collection, write, waiting)
                            written.add(collection)
                    info = self._look(name)
                    if written.issuperset(info.collections):
                        self._require_writable(info, identity)
                        return
                raise StoreBusy(
                    "The library {name} is rebuilt again and again.", "Try again.", name=name
                )
        except (MilvusException, grpc.RpcError) as error:
            raise to_error(error, doing, name) from error

    def upsert(
        self, collection: str, entities: Sequence[MediaEntity], embeddings: Embeddings
    ) -> None:
        """Write entities and their embeddings (n, dim) to one collection, some at a time.

        One from before regions were stored takes keyframes alone.
        """
        fields = self.catalog.fields(collection)
        entities, embeddings = storable_rows(entities, embeddings, fields)
        self.catalog.note_rows(
            collection,
            regions=any(entity.is_region for entity in entities),
            lettering=any(entity.lettering_text for entity in entities),
        )
        for start in range(0, len(entities), _UPSERT_ROWS):
            part = slice(start, start + _UPSERT_ROWS)
            pairs = zip(entities[part], embeddings[part], strict=True)
            self.client.upsert(collection, to_rows(pairs, fields))

    # Within

    def _library(self, name: str, fresh: bool) -> LibraryInfo:
        return self.remembered(name, fresh=fresh) or self._look(name)

    def _look(self, name: str) -> LibraryInfo:
        """Return a library as it is now, and remember it."""
        changes, asked_s = self.catalog.changes.number, self._clock()
        self._known.pop(name, None)
        info = self.catalog.open(name)
        self._known[name] = _Known(info, changes, asked_s + REMEMBERED_S)
        return info

    def _found_now(self, info: LibraryInfo) -> LibraryInfo | None:
        """Return what a library that has failed to answer is now; all known of it is forgotten."""
        self.catalog.forget(info.collection)
        return self.catalog.find(info.name)

    def _require_writable(self, info: LibraryInfo, identity: EncoderIdentity | None) -> None:
        if info.heir and self.catalog.is_worked_on(info.heir):
            raise StoreBusy(
                "The library {name} is being switched to another encoder.",
                "Try again in a minute, with that encoder.",
                name=info.name,
            )
        if identity is not None:
            info.require_encoder(identity)

    def _write_one(
        self, collection: str, write: Callable[[str], object], waiting: _Waiting
    ) -> None:
        """Write to one collection; one that does not exist any more needs no writing.

        Dropped since it was looked up, it is no longer the library's; where it is the successor,
        its rebuild was given up. Milvus's word for it is not enough: a node that has just released
        a collection calls it missing too, and what is not written then is lost.
        """
        while True:
            try:
                write(collection)
                return
            except MilvusException as error:
                if is_missing(error) and self.catalog.describe(collection) is None:
                    return
                if not is_missing(error) and not is_not_ready(error):
                    raise
                waiting.pause(error)
                self.catalog.forget(collection)
                self.catalog.load(collection)


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


def connect(endpoint: Endpoint) -> MilvusClient:
    """Return a client of this Milvus, waiting for a server up to the endpoint's ``timeout_s``.

    Raises StoreUnavailable; StoreBusy where another process holds the embedded Milvus; at once
    StoreAccessDenied where a server refuses the user.
    """
    # Milvus logs a traceback for every refused call; Sightline's errors say it in a sentence.
    for name in ("pymilvus", "milvus_lite", "grpc._server"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    embedded = "://" not in endpoint.uri
    if embedded:
        Path(endpoint.uri).parent.mkdir(parents=True, exist_ok=True)
        remove_flushed_logs(Path(endpoint.uri))
    until_s = time.monotonic() + endpoint.timeout_s
    while True:
        try:
            return MilvusClient(
                endpoint.uri,
                token=endpoint.token,
                # A call that finds the connection lost waits this long for another, too.
                timeout=min(_RECONNECT_S, endpoint.timeout_s),
                grpc_options=_LITE_OPTIONS if endpoint.embedded else {},
            )
        except (MilvusException, OSError) as error:
            if embedded and is_locked(Path(endpoint.uri)):
                raise StoreBusy(
                    "Another Sightline command is using {uri}.",
                    "Wait for it to end, or run `sightline serve`, which several commands can "
                    "share.",
                    uri=endpoint.uri,
                ) from None
            if is_access(error):
                raise to_error(error, f"connecting to {endpoint.uri}") from error
            if embedded or time.monotonic() >= until_s:
                raise StoreUnavailable(
                    "Milvus at {uri} cannot be reached: {reason}.",
                    "Check SIGHTLINE_MILVUS_URI, or unset it to use the embedded Milvus Lite.",
                    uri=endpoint.uri,
                    reason=reason_of(error)[:200],
                ) from error
