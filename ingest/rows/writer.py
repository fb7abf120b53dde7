"""The writer: a thread that upserts to Milvus while the next batch is decoded and embedded.

It is the one place that calls a source done: after Milvus has acknowledged all of its rows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.ledger import Ledger
from ingest.report import SourceOutcome
from ingest.rows.retry import Outages
from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity
from search_core.store.library import Store
from search_core.system.cancellation import Interrupted

_BATCHES_IN_FLIGHT = 8
_MOST_ROWS = 1000
_LOOK_EVERY_S = 0.1


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
