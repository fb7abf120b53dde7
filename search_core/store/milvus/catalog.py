"""Which collection serves which library, what is remembered of it, and who works on it.

A library is an alias of a collection, which remembers what the library is (properties.py).
A collection with an owner and without an alias is somebody's work in progress, or what is left of
it. So that nothing is lost at a kill, an alias is always the last thing made and the first removed.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import replace

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.errors import LibraryNotFound, StoreBusy, StoreUnavailable, UsageError
from search_core.store.endpoint import Endpoint, write_lock
from search_core.store.library import LibraryInfo, check_library_name
from search_core.store.lite.inspection import Health
from search_core.store.milvus.properties import (
    BEFORE_PROPERTY,
    PROPERTY,
    WORK_PROPERTY,
    CollectionNotes,
    info_in,
    owned,
    owner_in,
    properties_of,
)
from search_core.store.milvus.schema import (
    build_index,
    collection_schema,
    remove_index,
    scalar_fields,
    seconds_left,
)

_LOOK_EVERY_S = 0.1
#: Loading reads every index file from the object store: minutes for millions of rows.
LOAD_TIMEOUT_S = 900.0


class LibraryCatalog(CollectionNotes):
    """The libraries of one Milvus; safe to share between threads."""

    def __init__(
        self, client: MilvusClient, endpoint: Endpoint, health: Health | None = None
    ) -> None:
        super().__init__(client, endpoint, health or Health(None))
        self._ready: set[str] = set()  # collections known to be indexed and loaded
        self._fields: dict[str, tuple[str, ...]] = {}
        self._undoing = threading.Lock()

    def names(self) -> list[str]:
        """Return the aliases of this Milvus, libraries or not; raises StoreDamaged."""
        self.health.require("")
        return [str(name) for name in self._client.list_aliases().get("aliases", [])]

    def all(self) -> list[LibraryInfo]:
        """Return all libraries by name; raises StoreDamaged where one cannot be opened."""
        self.health.require_all()
        found = [self.find(name) for name in self.names()]
        return sorted((info for info in found if info), key=lambda info: info.name)

    def find(self, name: str) -> LibraryInfo | None:
        """Return a library as it is now, None where there is none."""
        info = self.info(name)
        if info:
            self._fields[info.collection] = info.fields
        # A collection answers to its own name as well, which is not a library.
        return info if info and info.name == name and info.collection != name else None

    def open(self, name: str) -> LibraryInfo:
        """Return a library, loaded and ready to search; waits while its index is rebuilt in place.

        Where that was killed midway, the old index is built again. Raises LibraryNotFound, and
        StoreBusy when the rebuild takes long.
        """
        info = self._known(name)
        while info.collection not in self._ready:
            self._await_rebuilt(info)
            if not self._is_indexed(info.collection) and self.is_worked_on(info.collection):
                continue  # a rebuild has begun just now
            try:
                self._undo_killed_rebuild(info.collection)
                info = self._known(name)
                self.make_ready(info)
            except MilvusException:
                if not self.is_worked_on(info.collection):
                    raise
        return info

    def _known(self, name: str) -> LibraryInfo:
        info = self.find(check_library_name(name))
        if info is None:
            known = ", ".join(item.name for item in self.all()) or "none yet"
            raise LibraryNotFound(
                "There is no library {name} here; there is: {known}.",
                "`sightline ingest PATH --library {name}` creates it.",
                name=name,
                known=known,
            )
        return info

    def create(self, info: LibraryInfo) -> None:
        """Make a new library; it exists when all of it does.

        One of that name that another process made meanwhile stays, and is the library.
        """
        with write_lock(self.endpoint):
            self.create_collection(info)
            self.make_ready(info)
            self._drop_stray(info.name)
            try:
                with self._changing():
                    self._client.create_alias(info.collection, info.name)
            except MilvusException:
                if self.find(info.name) is None:
                    raise
                self.drop(info.collection)
            else:
                self.disown(info.collection)

    def rename(self, info: LibraryInfo, name: str) -> None:
        """Give a library another name: its own record says which of its aliases counts.

        So it always has one of the two names, wherever this ends. Raises UsageError for a name that
        is taken, StoreBusy while the library is rebuilt.
        """
        with write_lock(self.endpoint):
            if self.find(check_library_name(name)) is not None:
                raise UsageError(
                    "There is a library {name} already.", "Choose another name.", name=name
                )
            if len(info.collections) > 1 or info.heir or self.is_worked_on(info.collection):
                raise StoreBusy(
                    "The library {name} is being rebuilt.",
                    "Try again when that is done.",
                    name=info.name,
                )
            self._drop_stray(name)
            self.own(info.collection)  # so that nobody takes its second alias for a stray one
            try:
                with self._changing():
                    self._client.create_alias(info.collection, name)
                    self.write_info(replace(info, name=name))
                    self._client.drop_alias(info.name)
            finally:
                self.disown(info.collection)

    def remove_stray_aliases(self) -> None:
        """Remove the aliases that renamings which ended midway left beside those that count."""
        for name in self.names():
            self._drop_stray(name)

    def _drop_stray(self, name: str) -> None:
        """Remove an alias of a library's collection that is none of a library.

        Nobody may be renaming it: while somebody does, two aliases are meant.
        """
        info = self.info(name)
        if info is None or info.name == name or info.collection == name:
            return
        if name in self.names() and not self.is_worked_on(info.collection):
            with self._changing():
                self._client.drop_alias(name)

    def remove(self, info: LibraryInfo) -> None:
        """Remove a library with all its entities."""
        with write_lock(self.endpoint):
            self.remove_stray_aliases()
            self.own(info.collection)
            with self._changing():
                self._client.drop_alias(info.name)
                self.drop(info.collection)

    def make_ready(self, info: LibraryInfo, deadline: float | None = None) -> None:
        """Build the index where it is missing (a build may have been interrupted) and load.

        ``deadline`` is a moment of time.monotonic(): raises TrialTimeout past it.
        """
        if info.collection in self._ready:
            return
        if not self._is_indexed(info.collection):
            embedded = self.endpoint.embedded
            build_index(
                self._client,
                info.collection,
                info.index,
                info.metric,
                embedded=embedded,
                deadline=deadline,
            )
        self.load(info.collection, deadline)
        self._ready.add(info.collection)

    def load(self, collection: str, deadline: float | None = None) -> None:
        """Load an indexed collection, and return when it can be searched.

        Waits up to ``deadline``, a moment of time.monotonic(), else for LOAD_TIMEOUT_S: raises
        StoreUnavailable where it takes longer.
        """
        until_s = deadline if deadline is not None else time.monotonic() + LOAD_TIMEOUT_S
        try:
            self._client.load_collection(collection, timeout=seconds_left(until_s))
        except MilvusException as error:
            self.health.explain()
            if deadline is None and time.monotonic() >= until_s:
                raise StoreUnavailable(
                    "Milvus has not loaded the collection {collection} within {seconds:.0f} s.",
                    "It may be short of memory, or of query nodes; its log says. Try again later.",
                    collection=collection,
                    seconds=LOAD_TIMEOUT_S,
                ) from error
            raise

    def fields(self, collection: str) -> tuple[str, ...]:
        """Return which fields of an entity a collection has; asked once, for they stay."""
        if collection not in self._fields:
            described = self._client.describe_collection(collection)
            self._fields[collection] = scalar_fields(described)
        return self._fields[collection]

    def forget(self, collection: str) -> None:
        """Look again, at its next use, what a collection is and whether it is ready."""
        self._ready.discard(collection)
        self._changed()

    def create_collection(self, info: LibraryInfo, work: str = "") -> None:
        """Make the empty, unindexed collection of a library, owned by this process.

        ``work`` names that of which another process may go on with it.
        """
        self._client.create_collection(
            info.collection,
            schema=collection_schema(self._client, info.encoder.dim),
            consistency_level="Session",
            # With the first breath: a collection never exists without its owner.
            properties={PROPERTY: json.dumps(info.to_dict()), WORK_PROPERTY: work, **owned()},
        )

    def unfinished(self, like: LibraryInfo, work: str) -> str | None:
        """Return a collection that was begun for the same as ``like`` is, None where there is none.

        Whoever began it has ended, or did the same ``work``, which is this process's now.
        """
        for collection in map(str, self._client.list_collections()):
            described = self.describe(collection) if collection.startswith(like.name) else None
            info = info_in(described) if described else None
            began = properties_of(described).get(WORK_PROPERTY) if described else None
            if not began or not info or replace(info, collection=like.collection) != like:
                continue
            owner = self._owner(collection)
            if began == work or (owner is not None and owner.is_gone()):
                return collection
        return None

    def _undo_killed_rebuild(self, collection: str) -> None:
        """Put the index back that a process which has ended was replacing in place."""
        with self._undoing:  # one thread of this process
            described = self.describe(collection)
            before = properties_of(described).get(BEFORE_PROPERTY) if described else None
            if described is None or not before:
                return
            # As described then: asked for again, a rebuild may have ended and the next begun.
            owner = owner_in(described)
            if owner is not None and not owner.is_gone():
                return
            # Milvus Lite calls loaded what has no index.
            if self._is_indexed(collection) and self._is_loaded(collection):
                self.forget_before(collection)
                return
            self.own(collection)
            try:
                self.put_back(LibraryInfo.from_dict(collection, json.loads(before)))
            except BaseException:
                self.disown(collection)
                raise

    def put_back(self, before: LibraryInfo) -> None:
        """Make a library what it was before a rebuild in place that did not end.

        Its collection must be this process's. Raises as Milvus does.
        """
        remove_index(self._client, before.collection)
        self.forget(before.collection)
        self.write_info(before)
        self.make_ready(before)
        self.forget_before(before.collection)

    def _await_rebuilt(self, info: LibraryInfo) -> None:
        """Wait while a process rebuilds a collection in place.

        Raises StoreBusy when it takes longer than a call to Milvus may.
        """
        deadline = time.monotonic() + self.endpoint.timeout_s
        while self.is_worked_on(info.collection) and not self._is_loaded(info.collection):
            if time.monotonic() > deadline:
                raise StoreBusy(
                    "The index of the library {name} is being rebuilt in place.",
                    "Try again when that is done.",
                    name=info.name,
                )
            time.sleep(_LOOK_EVERY_S)

    def _is_indexed(self, collection: str) -> bool:
        return bool(self._client.list_indexes(collection))

    def _is_loaded(self, collection: str) -> bool:
        state = self._client.get_load_state(collection).get("state")
        return getattr(state, "name", "") == "Loaded"

    def switch(self, name: str, collection: str) -> None:
        """Make another collection the one that serves a library, in one step."""
        with self._changing():
            self._client.alter_alias(collection, name)
        self.disown(collection)

    def drop(self, collection: str) -> None:
        """Remove a collection that belongs to no library; one that does not exist is fine.

        Aliases that a killed process left on it go first: since 2.4.23 and 2.5.5 Milvus does not
        drop a collection that has one.
        """
        self.forget(collection)
        with self._changing():
            try:
                self._client.drop_collection(collection)
            except MilvusException:
                described = self.describe(collection)
                left = self._client.list_aliases(collection).get("aliases", []) if described else []
                if not left and not self.endpoint.embedded:
                    raise
                for alias in left:
                    self._client.drop_alias(alias)
                # Milvus Lite fails where a killed process is still flushing files; once more
                # succeeds.
                self._client.drop_collection(collection)


def new_collection_name(library: str) -> str:
    """Return a name for another collection of a library."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    return f"{library}_{stamp}_{secrets.token_hex(2)}"
