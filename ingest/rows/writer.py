"""The writer: a thread that upserts to Milvus while the next batch is decoded and embedded.

It is the one place that calls a source done: after Milvus has acknowledged all of its rows. A
Milvus that is away is waited for, and said to be, for as long as it makes sense (``Outages``). The
writer of a bulk ingest gathers rows until a file of them is worth its while; while Milvus takes
files in, further rows are gathered, and a source is done once all files with rows of it are in.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ingest.ledger import Ledger
from ingest.report import SourceOutcome
from search_core.encoders.base import Embeddings
from search_core.errors import StoreUnavailable
from search_core.messages import Message
from search_core.schema.entity import MediaEntity
from search_core.store.library import Store
from search_core.system.cancellation import Interrupted

#: How long Milvus is waited for: a server's restart takes seconds, its upgrade minutes.
PATIENCE_S = 600.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_LOOK_EVERY_S = 0.1

_T = TypeVar("_T")


class Outages:
    """Does what needs Milvus again while Milvus is away; for use by several threads.

    ``tell`` is told once that ``address`` is waited for, and with an empty text that it is over, by
    the thread that waits. When ``should_stop`` returns True, or :meth:`give_up` was called, nobody
    waits.
    """

    def __init__(
        self,
        address: str = "",
        should_stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda text: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._milvus = f"Milvus at {address}" if address else "Milvus"
        self._should_stop = should_stop
        self._tell = tell
        self._patience_s = patience_s
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """End all waiting."""
        self._given_up.set()

    def outlast(self, call: Callable[[], _T]) -> _T:
        """Return what ``call`` returns, once Milvus can be reached.

        Raises Interrupted when it is to stop meanwhile, StoreUnavailable when patience ends, and
        at once whatever else ``call`` raises.
        """
        began_s: float | None = None
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                now_s = time.monotonic()
                if began_s is None:
                    began_s = now_s
                    self._tell(
                        Message("{milvus} does not answer; waiting for it.", milvus=self._milvus)
                    )
                if self._is_to_stop():
                    raise Interrupted from error
                left_s = began_s + self._patience_s - now_s
                if left_s <= 0:
                    raise StoreUnavailable(
                        "{milvus} did not answer for {seconds:.0f} seconds: {reason}",
                        "When it does, run the same command again: it goes on from there.",
                        milvus=self._milvus,
                        seconds=self._patience_s,
                        reason=error.message,
                    ) from error
                self._wait(min(wait_s, left_s))
                wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)
            else:
                if began_s is not None:
                    self._tell("")
                return result

    def _wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._is_to_stop() and (left_s := until_s - time.monotonic()) > 0:
            self._given_up.wait(min(left_s, _LOOK_EVERY_S))

    def _is_to_stop(self) -> bool:
        return self._given_up.is_set() or self._should_stop()


_BATCHES_IN_FLIGHT = 8
_MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """Entities and their embeddings (n, dim)."""

    entities: list[MediaEntity]
    embeddings: Embeddings


@dataclass(frozen=True, slots=True)
class Ending:
    """A source has no more rows to come: its outcome, true once its rows are written.

    ``unused`` are the thumbnails of keyframes that were left out after they were decoded.
    ``refused`` says that none of its rows may stay.
    """

    source_id: str
    outcome: SourceOutcome
    unused: Sequence[Path] = ()
    refused: bool = False


class Writer:
    """Writes rows and endings in the order they are given; a context manager around its thread.

    While Milvus is away it waits, as ``outages`` says. Leaving it waits until all is written; when
    it is left by an exception, what is in hand is written unless Milvus is away. What went wrong
    while writing is raised by the next call, Interrupted when waiting for Milvus was given up:
    then what was not written stays pending. ``options`` gives those that the ledger keeps with a
    source, by its uri; ``withdraw`` removes the rows of a source that was refused.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        library: str,
        recipe: str,
        outages: Outages | None = None,
        *,
        options: Callable[[str], str] = lambda uri: "",
        withdraw: Callable[[str], None] = lambda source_id: None,
    ) -> None:
        self._options = options
        self._withdraw = withdraw
        self._store = store
        self._ledger = ledger
        self._library = library
        self._recipe = recipe
        self._outages = outages or Outages()
        self._items: queue.Queue[Rows | Ending | None] = queue.Queue(_BATCHES_IN_FLIGHT)
        self._settled: list[SourceOutcome] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write_all, name="writer", daemon=True)
        self.seconds = 0.0
        self.rows = 0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        if kind is not None:
            self._outages.give_up()
        while self._thread.is_alive():
            try:
                self._items.put(None, timeout=_LOOK_EVERY_S)
                break
            except queue.Full:
                continue
        self._thread.join()
        if kind is None:
            self._raise_error()

    def put(self, item: Rows | Ending) -> None:
        """Hand over rows or an ending; waits while the writer is far behind."""
        while True:
            self._raise_error()
            try:
                self._items.put(item, timeout=_LOOK_EVERY_S)
                return
            except queue.Full:
                continue

    def settled(self, start: int) -> list[SourceOutcome]:
        """Return the outcomes that have become true, without the first ``start`` of them."""
        if not isinstance(self._error, Interrupted):
            self._raise_error()
        return self._settled[start:]

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write_all(self) -> None:
        try:
            while self._write(self._gathered()):
                pass
        except BaseException as error:
            self._error = error

    def _gathered(self) -> list[Rows | Ending | None]:
        """Wait for an item, and take what else is there up to one upsert's worth of rows."""
        items = [self._items.get()]
        rows = 0
        while items[-1] is not None and rows < _MOST_ROWS:
            rows += len(items[-1].entities) if isinstance(items[-1], Rows) else 0
            try:
                items.append(self._items.get_nowait())
            except queue.Empty:
                break
        return items

    def _write(self, items: list[Rows | Ending | None]) -> bool:
        """Write the rows of all items at once, then their endings; False after the last."""
        began_s = time.monotonic()
        batches = [item for item in items if isinstance(item, Rows)]
        if batches:
            entities = [entity for batch in batches for entity in batch.entities]
            embeddings = np.concatenate([batch.embeddings for batch in batches])
            self._outages.outlast(lambda: self._store.upsert(self._library, entities, embeddings))
            self.rows += len(entities)
        for item in items:
            if isinstance(item, Ending):
                self._record(item)
        self.seconds += time.monotonic() - began_s
        return items[-1] is not None

    def _record(self, ending: Ending) -> None:
        outcome = ending.outcome
        if ending.refused:
            self._withdraw(ending.source_id)
            outcome = replace(outcome, keyframes=0)
        self._ledger.record(
            self._library,
            ending.source_id,
            self._recipe,
            outcome.uri,
            outcome.status,
            stage=outcome.stage,
            reason=outcome.reason,
            warning=outcome.warning,
            keyframes=outcome.keyframes,
            left_out=outcome.left_out,
            options=self._options(outcome.uri),
        )
        # Taken in another way, the same moments may be shown.
        if ending.unused and not self._ledger.is_elsewhere(
            self._library, ending.source_id, self._recipe
        ):
            for thumbnail in ending.unused:
                thumbnail.unlink(missing_ok=True)
        self._settled.append(outcome)


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
