"""The writer of a bulk ingest: rows are gathered until a file of them is worth its while.

While Milvus takes files in, further rows are gathered; a source is done once all files with rows of
it are taken in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ingest.ledger import Ledger
from ingest.rows.retry import Outages
from ingest.rows.writer import Ending, Rows, Writer
from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity
from search_core.store.library import Store

#: Vectors of one file. A file takes Milvus seconds however small it is, and memory by its size.
FILE_BYTES = 64 << 20
#: Files under way at once: written, taken in, or waiting to be served.
_FILES_IN_FLIGHT = 3

BulkInsert = Callable[[str, Sequence[MediaEntity], Embeddings], None]


@dataclass(slots=True)
class _Portion:
    """Rows of one file, and the endings that are true once these and all rows before are there."""

    rows: list[Rows] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    bytes: int = 0

    def add(self, item: Rows | Ending) -> None:
        """Take in what is next."""
        if isinstance(item, Ending):
            self.endings.append(item)
        elif item.entities:
            self.rows.append(item)
            self.bytes += item.embeddings.nbytes


class BulkWriter(Writer):
    """A Writer that hands rows to ``insert``, many thousands at a time, in threads of its own."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        library: str,
        recipe: str,
        insert: BulkInsert,
        outages: Outages | None = None,
        *,
        options: Callable[[str], str] = lambda uri: "",
        withdraw: Callable[[str], None] = lambda source_id: None,
    ) -> None:
        super().__init__(
            store, ledger, library, recipe, outages, options=options, withdraw=withdraw
        )
        self._insert = insert
        self._portion = _Portion()
        self._under_way: deque[tuple[Future[None], list[Ending]]] = deque()
        self._began_s = 0.0
        self._pool = ThreadPoolExecutor(_FILES_IN_FLIGHT, thread_name_prefix="bulk")

    def __exit__(self, kind: object, *exc_info: object) -> None:
        try:
            super().__exit__(kind, *exc_info)
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _write(self, items: list[Rows | Ending | None]) -> bool:
        """Gather the items, and hand over what makes a file; False after the last."""
        for item in items:
            if item is not None:
                self._portion.add(item)
            if item is None or self._portion.bytes >= FILE_BYTES:
                self._hand_over()
            self._finish(most_left=0 if item is None else _FILES_IN_FLIGHT - 1)
        return items[-1] is not None

    def _hand_over(self) -> None:
        portion, self._portion = self._portion, _Portion()
        if not self._under_way:
            self._began_s = time.monotonic()
        if not portion.rows:
            done: Future[None] = Future()
            done.set_result(None)
            self._under_way.append((done, portion.endings))
            return
        entities = [entity for rows in portion.rows for entity in rows.entities]
        embeddings = np.concatenate([rows.embeddings for rows in portion.rows])
        self.rows += len(entities)
        insert = partial(self._insert, self._library, entities, embeddings)
        future = self._pool.submit(self._outages.outlast, insert)
        self._under_way.append((future, portion.endings))

    def _finish(self, most_left: int) -> None:
        """Record what ended with the oldest files, waiting until no more than these are under way.

        Raises what went wrong.
        """
        while self._under_way and (
            len(self._under_way) > most_left or self._under_way[0][0].done()
        ):
            future, endings = self._under_way.popleft()
            future.result()
            for ending in endings:
                self._record(ending)
            if not self._under_way:
                self.seconds += time.monotonic() - self._began_s
