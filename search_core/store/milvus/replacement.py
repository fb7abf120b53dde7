"""A library's replacement in Milvus: a collection built beside the one that serves, or in place.

Beside it (:class:`MilvusReplacement`), the library is searched and written to throughout. Nothing
is lost or comes back while writers go on, without a lock between machines. It is filled

- by copying, for another index of the same vectors. The collection is named as the library's
  *successor*: from then on writers write to the serving collection first and to the successor
  second, and then look again where the library is; what they did not reach yet they write again
  (session.py). So a write that was acknowledged is in both. The copy reads a page, writes it to the
  successor, and reads it once more from the serving collection. What changed in between is copied
  again, what went is removed, and looked at again. A writer that comes later writes to the
  successor later, and that is what stays. Before the switch the ids of both are held against each
  other: a writer that was killed between its two writes leaves no difference.
- by its caller, for vectors of another encoder. Writers know the old encoder only, so that what
  they write cannot go to both collections. Instead what the new one lacks is looked for again and
  again, the last time while no write is acknowledged: writers look at the library before and after
  they write, and are refused where it is noted there that its *heir* is about to take over. After
  the switch its encoder is another, and they are refused for that. A process that is killed leaves
  the collection half filled; the next one that does the same work goes on there.

The alias moves in one step. Before it the old collection serves, after it the new one; whatever is
then without an alias is a leftover, removed here or, after a kill, at the next start.

In place (:func:`replace_in_place`) searches wait; it is for where a second copy does not fit. What
the library was is noted on its collection with the first step and removed with the last. A build
that fails or is interrupted puts the old index back at once; after a kill, whoever opens the
library next does (catalog.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import numpy as np
from pymilvus.exceptions import MilvusException

from search_core.encoders.base import Embeddings
from search_core.errors import SightlineError, StoreBusy, StoreError
from search_core.messages import Message, joined
from search_core.schema.entity import (
    EMBEDDING_FIELD,
    KIND_FIELD,
    SCALAR_FIELDS,
    STORED_FIELDS,
    MediaEntity,
)
from search_core.schema.lettering import LETTERING_TEXT_FIELD
from search_core.store.endpoint import write_lock
from search_core.store.library import LibraryInfo, Replacement
from search_core.store.milvus import queries
from search_core.store.milvus.catalog import new_collection_name
from search_core.store.milvus.errors import milvus_errors
from search_core.store.milvus.schema import (
    flush,
    last_of_each,
    remove_index,
    wait_for_index,
    whole_row,
)
from search_core.store.milvus.session import REMEMBERED_S, MilvusSession
from search_core.system.cancellation import Interrupted

Row = dict[str, Any]
Tell = Callable[[str, float], None]
_ROWS = 1000
_ID_ROWS = 2000
#: A row that changes each time it is looked at is left to its writers after this many times.
_LOOKS = 10
#: Other machines take what was owned a day ago for left behind.
_OWN_EVERY_S = 3600.0
#: A server answers a search that its collection's drop overtakes with nothing, and no error (Milvus
#: 2.3.5, measured). Searches sent by what is remembered of the library before the switch have this
#: long until the drop; Milvus Lite raises, and the search is sent again (session.py).
LAST_SEARCHES_S = REMEMBERED_S + 2.0
#: A build in place may take so long; searches wait for it, so that it should not.
IN_PLACE_TIMEOUT_S = 3600.0


class MilvusReplacement(Replacement):
    """A second collection of the library ``old``, to make it what ``wanted`` is; ``new`` is that.

    ``work`` names what another process may go on with; "" where nobody may, as with a copy.
    """

    def __init__(
        self, session: MilvusSession, old: LibraryInfo, wanted: LibraryInfo, work: str = ""
    ) -> None:
        self._session = session
        self._client = session.client
        self._catalog = session.catalog
        self._endpoint = session.endpoint
        self._old = old
        self.new = replace(
            wanted,
            collection=new_collection_name(old.name),
            successor="",
            heir="",
            fields=STORED_FIELDS,
        )
        self._work = work
        self._owned_s = 0.0
        self._is_successor = self._is_built = self._is_over = self._is_kept = False

    def __enter__(self) -> Self:
        try:
            with milvus_errors("making a collection", self._old.name):
                self._begin()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        error = raised[1]
        self._is_kept = isinstance(error, Interrupted) and error.is_put_off
        if not self._is_over:
            self._clean_up()

    def copy(self, on_progress: Tell = lambda doing, share: None) -> None:
        """Fill it with the library's rows, while writers write to both, and index it."""
        with milvus_errors("building the index", self._old.name):
            self._become_successor()
            self._copy_all(on_progress)
            on_progress("building", 0.0)
            self.build(lambda share: on_progress("building", share))
            # Both hold the same ids, those of the old one: what a killed writer left is no more.
            on_progress("comparing", 0.0)
            for lost in self._only_in(self._old, self.new):
                self._mirror(self._look(lost))
            on_progress("comparing", 0.5)
            for extra in self._only_in(self.new, self._old):
                self._mirror(dict.fromkeys(extra))
            on_progress("switching", 0.0)

    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that the new collection lacks, or has as they were, by their ids."""
        with milvus_errors("reading entities", self._old.name):
            if self._is_built:
                for extra in self._only_in(self.new, self._old):
                    with write_lock(self._endpoint):
                        self._delete(extra)
            try:
                for page in self._pages(self._old, self._old.fields, _ROWS):
                    if lacking := self._lacking(page):
                        yield queries.to_entities(lacking)
            except MilvusException:
                self._require_unchanged()
                raise

    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write entities with their new embeddings (n, dim) to the new collection."""
        with milvus_errors("storing vectors", self._old.name):
            with write_lock(self._endpoint):
                self._session.upsert(self.new.collection, *last_of_each(entities, embeddings))
            if time.monotonic() - self._owned_s > _OWN_EVERY_S:
                self._own()

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Index and load the new collection."""
        with milvus_errors("building the index", self._old.name):
            with write_lock(self._endpoint):
                flush(self._client, self.new.collection, self._endpoint.timeout_s)
                self._catalog.make_ready(self.new)
            if not self._endpoint.embedded:
                wait_for_index(
                    self._client, self.new.collection, self.new.index, on_progress=on_progress
                )
        self._is_built = True

    def close_writing(self) -> None:
        """Let no more writes to the library be acknowledged."""
        with milvus_errors("closing the library", self._old.name), write_lock(self._endpoint):
            self._require_unchanged()
            self._catalog.set_heir(self._old.collection, self.new.collection)

    def switch(self) -> None:
        """Make the new collection the library's, in one step; raises StoreBusy."""
        with milvus_errors("switching the library", self._old.name):
            with write_lock(self._endpoint):
                self._require_unchanged()
                self._catalog.own(self._old.collection)  # without its alias it is a leftover
                self._catalog.switch(self.new.name, self.new.collection)
            if not self._endpoint.embedded:
                time.sleep(LAST_SEARCHES_S)
            with suppress(MilvusException), write_lock(self._endpoint):
                self._catalog.drop(self._old.collection)
        self._is_over = True

    # Begun and ended

    def _begin(self) -> None:
        """Make the collection, or go on with the one that somebody else began."""
        with write_lock(self._endpoint):
            left = self._catalog.unfinished(self.new, self._work) if self._work else None
            if left is None:
                self._require_unchanged()
                self._catalog.create_collection(self.new, self._work)
                self._owned_s = time.monotonic()
                return
            self.new = replace(self.new, collection=left, fields=self._catalog.fields(left))
            self._is_kept = True  # where it cannot be gone on with now
            if self._require_unchanged().heir:  # writers wait for a switch that did not come
                self._catalog.set_heir(self._old.collection, "")
            self._own()
        self.build()  # what is not indexed is not read
        self.kept = queries.count_rows(self._client, left, "")
        self._is_kept = False

    def _own(self) -> None:
        self._catalog.own(self.new.collection)
        self._owned_s = time.monotonic()

    def _clean_up(self) -> None:
        """Leave the library with one collection; what cannot be undone now is a leftover."""
        with suppress(Exception), write_lock(self._endpoint):
            now = self._catalog.find(self._old.name)
            if now and now.collection == self.new.collection:
                self._catalog.drop(self._old.collection)
                return
            if now and now.successor == self.new.collection:
                self._catalog.set_successor(now.collection, "")
            if now and now.heir == self.new.collection:
                self._catalog.set_heir(now.collection, "")
            if not self._is_kept and self._catalog.is_own(self.new.collection):
                self._catalog.drop(self.new.collection)

    def _require_unchanged(self) -> LibraryInfo:
        now = self._catalog.find(self._old.name)
        successor = self.new.collection if self._is_successor else ""
        if (
            now is None
            or (now.collection, now.successor) != (self._old.collection, successor)
            or now.heir not in ("", self.new.collection)
        ):
            raise _busy(self._old)
        return now

    # Copying

    def _become_successor(self) -> None:
        with write_lock(self._endpoint):
            self._require_unchanged()
            if not self._endpoint.embedded:  # where it is not loaded, writers cannot delete
                self._catalog.make_ready(self.new)
            self._catalog.set_successor(self._old.collection, self.new.collection)
            self._is_successor = True

    def _copy_all(self, on_progress: Tell) -> None:
        total = max(1, queries.count_rows(self._client, self._old.collection, ""))
        done = 0
        on_progress("copying", 0.0)
        for page in self._pages(self._old, self._whole, queries.page_rows(self._old.encoder.dim)):
            self._mirror({str(row["id"]): row for row in page})
            done += len(page)
            on_progress("copying", min(1.0, done / total))

    def _mirror(self, seen: Mapping[str, Row | None]) -> None:
        """Make the new collection hold what was seen in the old one under these ids, or since."""
        for _ in range(_LOOKS):
            if not seen:
                return
            with write_lock(self._endpoint):
                if rows := [whole_row(row) for row in seen.values() if row is not None]:
                    self._catalog.note_rows(
                        self.new.collection,
                        regions=any(row[KIND_FIELD] != "frame" for row in rows),
                        lettering=any(row[LETTERING_TEXT_FIELD] for row in rows),
                    )
                    self._client.upsert(self.new.collection, rows)
                self._delete([key for key, row in seen.items() if row is None])
                now = self._look(list(seen))
            seen = {key: now[key] for key, row in seen.items() if not _same(row, now[key])}

    def _look(self, ids: Sequence[str]) -> dict[str, Row | None]:
        rows = queries.rows_of(self._client, self._old.collection, ids, self._whole)
        found = {str(row["id"]): row for row in rows}
        return {key: found.get(key) for key in ids}

    # Within

    @property
    def _whole(self) -> list[str]:
        return [*self._old.fields, EMBEDDING_FIELD]

    def _pages(self, of: LibraryInfo, fields: Sequence[str], rows: int) -> Iterator[list[Row]]:
        return queries.pages(
            self._client, of.collection, queries.EVERYTHING, fields, rows=rows, consistency="Strong"
        )

    def _lacking(self, page: Sequence[Row]) -> list[Row]:
        if not self._is_built:
            return list(page)  # nothing is there yet, and a collection without index is not read
        ids = [str(row["id"]) for row in page]
        found = queries.rows_of(self._client, self.new.collection, ids, self.new.fields)
        there = {str(row["id"]): queries.to_entity(row) for row in found}
        return [row for row in page if there.get(str(row["id"])) != queries.to_entity(row)]

    def _only_in(self, one: LibraryInfo, other: LibraryInfo) -> Iterator[list[str]]:
        """Yield the ids that one collection has and the other lacks, some at a time."""
        for page in self._pages(one, ["id"], _ID_ROWS):
            ids = [str(row["id"]) for row in page]
            found = queries.rows_of(self._client, other.collection, ids, ["id"])
            there = {str(row["id"]) for row in found}
            yield [key for key in ids if key not in there]

    def _delete(self, ids: Sequence[str]) -> None:
        if ids:
            self._client.delete(self.new.collection, filter=queries.ids_expression(ids))


def _same(one: Row | None, other: Row | None) -> bool:
    if one is None or other is None:
        return one is other
    scalars = all(one[name] == other[name] for name in SCALAR_FIELDS if name in one)
    return scalars and np.array_equal(one[EMBEDDING_FIELD], other[EMBEDDING_FIELD])


def replace_in_place(session: MilvusSession, info: LibraryInfo, changed: LibraryInfo) -> None:
    """Replace a library's index, or only its default search parameters, where it is.

    Searches wait meanwhile. Raises StoreBusy while it is rebuilt, and StoreError where Milvus does
    not build the new index within IN_PLACE_TIMEOUT_S: the library then has its old one again.
    """
    catalog = session.catalog
    with milvus_errors("building the index", info.name), write_lock(session.endpoint):
        if any(catalog.is_worked_on(name) for name in info.collections):
            raise _busy(info)
        if changed.index == info.index:
            catalog.write_info(changed)
            return
        catalog.note_before(info)
        deadline = time.monotonic() + IN_PLACE_TIMEOUT_S
        try:
            remove_index(session.client, info.collection)
            catalog.forget(info.collection)
            catalog.write_info(changed)
            catalog.make_ready(changed, deadline)
        except BaseException as error:
            is_back = True
            try:
                catalog.put_back(info)
            except (MilvusException, SightlineError):
                is_back = False
                with suppress(MilvusException):  # so that whoever opens it next does not wait
                    catalog.disown(info.collection)
            if not isinstance(error, MilvusException | SightlineError):
                raise  # Ctrl-C
            is_late = time.monotonic() >= deadline
            raise _not_built(info, changed, error, is_late, is_back) from error
        catalog.forget_before(info.collection)


def _busy(info: LibraryInfo) -> StoreBusy:
    return StoreBusy(
        "The library {name} is being rebuilt by another command.",
        "Wait for it to end, then try again.",
        name=info.name,
    )


def _not_built(
    info: LibraryInfo,
    changed: LibraryInfo,
    error: MilvusException | SightlineError,
    is_late: bool,
    is_back: bool,
) -> StoreError:
    index, before = changed.index.index_type, info.index.index_type
    reason = error.message.strip().splitlines()[0][:300].rstrip(".") if error.message else "unknown"
    said = Message("{index} could not be built: {reason}.", index=index, reason=reason)
    if is_late:
        said = Message(
            "{index} was not built within {seconds:.0f} s.", index=index, seconds=IN_PLACE_TIMEOUT_S
        )
    back = Message("The library {name} has its index {index} again.", name=info.name, index=before)
    later = Message("Its next search builds {index} again.", index=before)
    return StoreError(joined(said, back if is_back else later, separator=" "))
