"""A library's new index: built in a second collection beside the serving one, or in place.

How nothing is lost or comes back while writers go on, without a lock between machines:

- From when the collection is named as the library's *successor*, writers write to the serving
  collection first and to the successor second, and then look again where the library is; what they
  did not reach yet they write again (session.py). So a write that was acknowledged is in both.
- The copy reads a page, writes it to the successor, and reads it once more from the serving
  collection. What changed in between is copied again, what went is removed, and looked at again. A
  writer that comes later writes to the successor later, and that is what stays.
- Before the switch the ids of both are held against each other: a writer that was killed between
  its two writes leaves no difference.

The alias moves in one step. Before it the old collection serves, after it the new one; whatever is
then without an alias is a leftover, removed here or, after a kill, at the next start.

In place (:func:`rebuild_in_place`) searches wait. What the library was is noted on its collection
with the first step and removed with the last. A build that fails or is interrupted puts the old
index back at once; after a kill, whoever opens the library next does (catalog.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from pymilvus.exceptions import MilvusException

from search_core.errors import SightlineError, StoreBusy, StoreError
from search_core.indexes import IndexSpec, SearchParams
from search_core.indexes.milvus_version import ServerInfo
from search_core.messages import Message, joined
from search_core.schema.entity import EMBEDDING_FIELD, SCALAR_FIELDS
from search_core.schema.filters import quoted
from search_core.store.endpoint import write_lock
from search_core.store.library import LibraryInfo
from search_core.store.milvus.catalog import LibraryCatalog, new_collection_name
from search_core.store.milvus.index_build import flush, remove_index, wait_for_index
from search_core.store.milvus.queries import EVERYTHING, count_rows, page_rows, pages, rows_of
from search_core.store.milvus.schema import whole_row
from search_core.store.milvus.session import REMEMBERED_S, MilvusSession

Row = dict[str, Any]
_ID_ROWS = 2000
#: A row that changes each time it is looked at is left to its writers after this many times.
_LOOKS = 10
#: A server answers a search that its collection's drop overtakes with nothing, and no error (Milvus
#: 2.3.5, measured). Searches sent by what is remembered of the library before the switch have this
#: long until the drop; Milvus Lite raises, and the search is sent again (session.py).
LAST_SEARCHES_S = REMEMBERED_S + 2.0
#: A build in place may take so long; searches wait for it, so that it should not.
IN_PLACE_TIMEOUT_S = 3600.0


class Rebuild:
    """One rebuild of one library; :meth:`run` does all of it."""

    def __init__(
        self,
        session: MilvusSession,
        on_progress: Callable[[str, float], None],
    ) -> None:
        self._session = session
        self._on_progress = on_progress

    def run(self, info: LibraryInfo, changed: LibraryInfo) -> LibraryInfo:
        """Make ``info`` what ``changed`` is, and return it; raises StoreBusy, and as Milvus does.

        Whatever happens before the switch leaves the library as it was.
        """
        new = replace(
            changed,
            collection=new_collection_name(info.name),
            successor="",
            fields=SCALAR_FIELDS,
        )
        try:
            self._begin(info, new)
            self._copy_all(info, new)
            self._build(new)
            self._reconcile(info, new)
            self._switch(info, new)
        except BaseException:
            with suppress(Exception):  # what cannot be undone now is a leftover
                self._give_up(info, new)
            raise
        self._on_progress("done", 1.0)
        return new

    def _begin(self, old: LibraryInfo, new: LibraryInfo) -> None:
        with write_lock(self._session.endpoint):
            self._require_unchanged(old, "")
            self._session.catalog.create_collection(new)
            if not self._session.endpoint.embedded:  # where it is not loaded, writers cannot delete
                self._session.catalog.make_ready(new)
            self._session.catalog.set_successor(old.collection, new.collection)

    def _copy_all(self, old: LibraryInfo, new: LibraryInfo) -> None:
        total = max(1, count_rows(self._session.client, old.collection, ""))
        done = 0
        self._on_progress("copying", 0.0)
        for page in pages(
            self._session.client,
            old.collection,
            EVERYTHING,
            _fields(old),
            rows=page_rows(old.encoder.dim),
            consistency="Strong",
        ):
            seen = {str(row["id"]): row for row in page}
            self._mirror(old, new, seen)
            done += len(page)
            self._on_progress("copying", min(1.0, done / total))

    def _mirror(self, old: LibraryInfo, new: LibraryInfo, seen: Mapping[str, Row | None]) -> None:
        """Make ``new`` hold what was seen in ``old`` under these ids, and what came meanwhile."""
        for _ in range(_LOOKS):
            if not seen:
                return
            with write_lock(self._session.endpoint):
                if rows := [whole_row(row) for row in seen.values() if row is not None]:
                    self._session.client.upsert(new.collection, rows)
                self._delete(new.collection, [key for key, row in seen.items() if row is None])
                now = self._look(old, list(seen))
            seen = {key: now[key] for key, row in seen.items() if not _same(row, now[key])}

    def _look(self, library: LibraryInfo, ids: Sequence[str]) -> dict[str, Row | None]:
        rows = rows_of(self._session.client, library.collection, ids, _fields(library))
        found = {str(row["id"]): row for row in rows}
        return {key: found.get(key) for key in ids}

    def _build(self, new: LibraryInfo) -> None:
        self._on_progress("building", 0.0)
        with write_lock(self._session.endpoint):
            flush(self._session.client, new.collection, self._session.endpoint.timeout_s)
            if (
                self._session.endpoint.embedded
            ):  # it indexes later what is written after an index is made
                self._session.catalog.make_ready(new)
        if not self._session.endpoint.embedded:
            wait_for_index(
                self._session.client,
                new.collection,
                new.index,
                on_progress=lambda share: self._on_progress("building", share),
            )

    def _reconcile(self, old: LibraryInfo, new: LibraryInfo) -> None:
        """Make both collections hold the same ids: those of the old one."""
        self._on_progress("comparing", 0.0)
        for ids in self._ids(old.collection):
            lost = self._missing(new.collection, ids)
            self._mirror(old, new, self._look(old, lost))
        self._on_progress("comparing", 0.5)
        for ids in self._ids(new.collection):
            extra = self._missing(old.collection, ids)
            self._mirror(old, new, dict.fromkeys(extra))

    def _switch(self, old: LibraryInfo, new: LibraryInfo) -> None:
        self._on_progress("switching", 0.0)
        with write_lock(self._session.endpoint):
            self._require_unchanged(old, new.collection)
            self._session.catalog.own(old.collection)  # without its alias it is a leftover
            self._session.catalog.switch(new.name, new.collection)
        if not self._session.endpoint.embedded:
            time.sleep(LAST_SEARCHES_S)
        with suppress(MilvusException), write_lock(self._session.endpoint):
            self._session.catalog.drop(old.collection)

    def _give_up(self, old: LibraryInfo, new: LibraryInfo) -> None:
        with write_lock(self._session.endpoint):
            now = self._session.catalog.find(old.name)
            if now and now.collection == new.collection:
                self._session.catalog.drop(old.collection)
                return
            if now and now.successor == new.collection:
                self._session.catalog.set_successor(now.collection, "")
            self._session.catalog.drop(new.collection)

    def _require_unchanged(self, old: LibraryInfo, successor: str) -> None:
        now = self._session.catalog.find(old.name)
        unchanged = now and (now.collection, now.successor) == (old.collection, successor)
        if not unchanged or (now and now.heir):
            raise busy(old)

    def _ids(self, collection: str) -> Iterator[list[str]]:
        for page in pages(
            self._session.client,
            collection,
            EVERYTHING,
            ["id"],
            rows=_ID_ROWS,
            consistency="Strong",
        ):
            yield [str(row["id"]) for row in page]

    def _missing(self, collection: str, ids: Sequence[str]) -> list[str]:
        there = {str(row["id"]) for row in rows_of(self._session.client, collection, ids, ["id"])}
        return [key for key in ids if key not in there]

    def _delete(self, collection: str, ids: Sequence[str]) -> None:
        if ids:
            self._session.client.delete(
                collection, filter=f"id in [{', '.join(quoted(key) for key in ids)}]"
            )


def changed_index(
    info: LibraryInfo, index: IndexSpec, search: SearchParams | None, server: ServerInfo
) -> LibraryInfo:
    """Return a library with another index; raises UsageErrors where this Milvus cannot build it."""
    changed = replace(info, index=index, search=search or SearchParams())
    index.require_offered(server)
    index.require_dim(info.encoder.dim)
    index.metric_for(info.metric)
    index.search_params(changed.search, 1)
    return changed


def _same(one: Row | None, other: Row | None) -> bool:
    if one is None or other is None:
        return one is other
    scalars = all(one[name] == other[name] for name in SCALAR_FIELDS if name in one)
    return scalars and np.array_equal(one[EMBEDDING_FIELD], other[EMBEDDING_FIELD])


def _fields(library: LibraryInfo) -> list[str]:
    return [*library.fields, EMBEDDING_FIELD]


def rebuild_in_place(
    session: MilvusSession,
    info: LibraryInfo,
    changed: LibraryInfo,
    timeout_s: float = IN_PLACE_TIMEOUT_S,
) -> None:
    """Replace a library's index, or only its default search parameters, where it is.

    Searches wait meanwhile. Raises StoreBusy while it is rebuilt, and StoreError where Milvus does
    not build the new index within ``timeout_s`` seconds: the library then has its old one again.
    """
    catalog = session.catalog
    with write_lock(session.endpoint):
        if any(catalog.is_worked_on(name) for name in info.collections):
            raise busy(info)
        if changed.index == info.index:
            catalog.write_info(changed)
            return
        catalog.note_before(info)
        deadline = time.monotonic() + timeout_s
        try:
            remove_index(session.client, info.collection)
            catalog.forget(info.collection)
            catalog.write_info(changed)
            catalog.make_ready(changed, deadline)
        except BaseException as error:
            is_back = _try_to_put_back(catalog, info)
            if not isinstance(error, MilvusException | SightlineError):
                raise  # Ctrl-C
            is_late = time.monotonic() >= deadline
            raise _not_built(info, changed, error, timeout_s, is_late, is_back) from error
        catalog.forget_before(info.collection)


def busy(info: LibraryInfo) -> StoreBusy:
    """Return the error of a library that somebody rebuilds."""
    return StoreBusy(
        "The library {name} is being rebuilt by another command.",
        "Wait for it to end, then try again.",
        name=info.name,
    )


def _try_to_put_back(catalog: LibraryCatalog, info: LibraryInfo) -> bool:
    try:
        catalog.put_back(info)
    except (MilvusException, SightlineError):
        with suppress(MilvusException):  # so that whoever opens it next does not wait for us
            catalog.disown(info.collection)
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
    said = Message(
        "{index} could not be built: {reason}.", index=changed.index.index_type, reason=reason
    )
    if is_late:
        said = Message(
            "{index} was not built within {seconds:.0f} s.",
            index=changed.index.index_type,
            seconds=timeout_s,
        )
    before = info.index.index_type
    back = Message("The library {name} has its index {index} again.", name=info.name, index=before)
    later = Message("Its next search builds {index} again.", index=before)
    return StoreError(joined(said, back if is_back else later, separator=" "))
