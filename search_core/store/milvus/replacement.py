"""A library's next collection in Milvus, of another encoder (see succession.py).

Writers know the old encoder only: what they write cannot go to both collections, as it does while
an index is rebuilt (rebuild.py). Instead what the new collection lacks is looked for again and
again, the last time while no write is acknowledged: writers look at the library before and after
they write, and are refused where it is noted there that it is about to be switched. After the
switch its encoder is another, and they are refused for that.

A process that is killed leaves the collection half filled. The next one that does the same looks
for what it lacks, and goes on there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from pymilvus.exceptions import MilvusException

from search_core.encoders.base import Embeddings
from search_core.errors import StoreBusy
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import quoted
from search_core.store.endpoint import write_lock
from search_core.store.library import LibraryInfo
from search_core.store.milvus.errors import milvus_errors
from search_core.store.milvus.index_build import flush, wait_for_index
from search_core.store.milvus.queries import (
    EVERYTHING,
    count_rows,
    pages,
    rows_of,
    to_entities,
    to_entity,
)
from search_core.store.milvus.rebuild import LAST_SEARCHES_S
from search_core.store.milvus.schema import last_of_each, to_row
from search_core.store.milvus.session import MilvusSession

_ROWS = 1000
#: Other machines take what was owned a day ago for left behind.
_OWN_EVERY_S = 3600.0


class MilvusSuccession:
    """``new`` in place of ``old``, two collections of one library."""

    def __init__(
        self,
        session: MilvusSession,
        old: LibraryInfo,
        new: LibraryInfo,
        work: str = "",
    ) -> None:
        self._session = session
        self._old = old
        self._new = new
        self._work = work or secrets.token_hex(8)
        self._owned_s = 0.0
        self._is_built = self._is_over = self._is_put_aside = False
        self.kept = 0

    def __enter__(self) -> Self:
        with milvus_errors("making a collection", self._old.name):
            with write_lock(self._session.endpoint):
                left = self._session.catalog.unfinished(self._new, self._work)
                if left is not None:
                    self._new = replace(self._new, collection=left)
                self._require_unchanged()
                if left is None:
                    self._session.catalog.create_collection(self._new, self._work)
                else:
                    self._go_on_with(left)
            self._owned_s = time.monotonic()
            if left is not None:
                self.build()  # what is not indexed is not read
                self.kept = count_rows(self._session.client, left, "")
        return self

    def _go_on_with(self, left: str) -> None:
        now = self._session.catalog.find(self._old.name)
        if now and now.heir:  # writers wait for a switch that did not come
            self._session.catalog.set_heir(now.collection, "")
        self._session.catalog.own(left)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_over:
            return
        with suppress(Exception), write_lock(self._session.endpoint):  # else it is a leftover
            now = self._session.catalog.find(self._old.name)
            if now and now.heir == self._new.collection:
                self._session.catalog.set_heir(now.collection, "")
            if self._is_put_aside or not self._session.catalog.is_own(self._new.collection):
                return
            if now is None or now.collection != self._new.collection:
                self._session.catalog.drop(self._new.collection)

    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that the new collection lacks, or has as they were, by their ids."""
        with milvus_errors("reading entities", self._old.name):
            if self._is_built:
                self._remove_extra()
            try:
                for page in self._pages(self._old.collection, self._old.fields):
                    if lacking := self._lacking(page):
                        yield to_entities(lacking)
            except MilvusException:
                self._require_unchanged()
                raise

    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write entities with their new embeddings (n, dim) to the new collection."""
        pairs = zip(*last_of_each(entities, embeddings), strict=True)
        rows = [to_row(entity, vector, self._new.fields) for entity, vector in pairs]
        with milvus_errors("storing vectors", self._old.name):
            for start in range(0, len(rows), _ROWS):
                with write_lock(self._session.endpoint):
                    self._session.client.upsert(self._new.collection, rows[start : start + _ROWS])
            if time.monotonic() - self._owned_s > _OWN_EVERY_S:
                self._session.catalog.own(self._new.collection)
                self._owned_s = time.monotonic()

    def put_aside(self) -> None:
        """Let what is there be gone on with later; it is removed where nobody does for a day."""
        self._is_put_aside = True

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Index and load the new collection."""
        with milvus_errors("building the index", self._old.name):
            with write_lock(self._session.endpoint):
                flush(self._session.client, self._new.collection, self._session.endpoint.timeout_s)
                self._session.catalog.make_ready(self._new)
            if not self._session.endpoint.embedded:
                wait_for_index(
                    self._session.client,
                    self._new.collection,
                    self._new.index,
                    on_progress=on_progress,
                )
        self._is_built = True

    def close_writing(self) -> None:
        """Let no more writes to the library be acknowledged."""
        with (
            milvus_errors("closing the library", self._old.name),
            write_lock(self._session.endpoint),
        ):
            self._require_unchanged()
            self._session.catalog.set_heir(self._old.collection, self._new.collection)

    def switch(self) -> None:
        """Make the new collection the library's, in one step; raises StoreBusy."""
        with milvus_errors("switching the library", self._old.name):
            with write_lock(self._session.endpoint):
                self._require_unchanged()
                self._session.catalog.own(
                    self._old.collection
                )  # without its alias it is a leftover
                self._session.catalog.switch(self._new.name, self._new.collection)
            self._is_over = True
            if not self._session.endpoint.embedded:
                time.sleep(LAST_SEARCHES_S)
            with suppress(MilvusException), write_lock(self._session.endpoint):
                self._session.catalog.drop(self._old.collection)

    # Within

    def _pages(self, collection: str, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        return pages(
            self._session.client, collection, EVERYTHING, fields, rows=_ROWS, consistency="Strong"
        )

    def _lacking(self, page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self._is_built:
            return list(page)  # nothing is there yet, and a collection without index is not read
        ids = [str(row["id"]) for row in page]
        found = rows_of(self._session.client, self._new.collection, ids, self._new.fields)
        there = {str(row["id"]): to_entity(row) for row in found}
        return [row for row in page if there.get(str(row["id"])) != to_entity(row)]

    def _remove_extra(self) -> None:
        for page in self._pages(self._new.collection, ["id"]):
            ids = [str(row["id"]) for row in page]
            found = rows_of(self._session.client, self._old.collection, ids, ["id"])
            there = {str(row["id"]) for row in found}
            if extra := [key for key in ids if key not in there]:
                gone = f"id in [{', '.join(map(quoted, extra))}]"
                with write_lock(self._session.endpoint):
                    self._session.client.delete(self._new.collection, filter=gone)

    def _require_unchanged(self) -> None:
        now = self._session.catalog.find(self._old.name)
        if (
            now is None
            or now.collection != self._old.collection
            or now.successor
            or (now.heir not in ("", self._new.collection))
        ):
            raise StoreBusy(
                "The library {name} is being rebuilt by another command.",
                "Wait for it to end, then try again.",
                name=self._old.name,
            )
