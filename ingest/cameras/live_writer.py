"""Live keyframes to rows: embedded and written in small batches, soon, and never lost in silence.

What cannot be written while Milvus is away waits, up to a bound, and what is beyond it is counted
as dropped. Cameras never wait for any of this.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.cameras.camera import Camera
from ingest.cameras.events import LiveKeyframe
from ingest.cameras.status_log import Diary
from ingest.cameras.stills import frame_ref
from ingest.rows.embedding import Row
from search_core.encoders.base import Encoder
from search_core.errors import EncoderMismatch, LibraryNotFound, StoreError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.machine import now_ms

#: A batch waits for more this long after its first keyframe.
FLUSH_S = 0.25
#: Keyframes of pixels, and rows of embeddings, that may wait (150 kB and 3 kB each).
MOST_PIXELS_WAITING = 512
MOST_ROWS_WAITING = 20_000
_RETRY_FIRST_S, _RETRY_LONGEST_S = 0.5, 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A keyframe of a camera, with its regions, ready to be written."""

    camera: Camera
    row: Row

    @property
    def entity(self) -> MediaEntity:
        return self.row.entity


Tell = Callable[[Camera, MediaEntity], None]


class LiveWriter:
    """Takes keyframes from any thread; one thread calls :meth:`embed`, and one :meth:`write`.

    ``recipe`` is the ledger's word for how they were made; ``tell`` receives each row Milvus has
    acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        encoder: Encoder,
        diary: Diary,
        recipe: str,
        tell: Tell = lambda camera, entity: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._encoder = encoder
        self._diary = diary
        self._recipe = recipe
        self._tell = tell
        self._keyframes: queue.Queue[tuple[Camera, LiveKeyframe]] = queue.Queue(MOST_PIXELS_WAITING)
        self._rows: deque[_Kept] = deque()
        self._some_rows = threading.Condition()
        self._retry_s = 0.0
        self._wrote: set[str] = set()

    def put(self, camera: Camera, keyframe: LiveKeyframe) -> None:
        """Hand over a keyframe; it is dropped when too many wait."""
        try:
            self._keyframes.put_nowait((camera, keyframe))
        except queue.Full:
            self._drop(camera, keyframe.still, keyframe.thumbnail)

    def embed(self, wait_s: float) -> None:
        """Wait up to ``wait_s`` for keyframes and embed those that come together."""
        batch = self._gathered(wait_s)
        if not batch:
            return
        pictures = [each for _, keyframe in batch for each in (keyframe.pixels, *keyframe.crops)]
        embeddings = self._encoder.encode_pixels(pictures)
        rows, first = [], 0
        for camera, keyframe in batch:
            last = first + 1 + len(keyframe.crops)
            made = Row(_entity(camera, keyframe), embeddings[first:last], keyframe.regions)
            rows.append(_Kept(camera, made))
            first = last
        with self._some_rows:
            self._rows.extend(rows)
            too_many = len(self._rows) - MOST_ROWS_WAITING
            oldest = [self._rows.popleft() for _ in range(too_many)]
            self._some_rows.notify()
        for row in oldest:
            self._drop(row.camera, row.entity.uri, row.entity.thumbnail)

    def write(self, wait_s: float) -> float:
        """Wait up to ``wait_s`` for rows and write them; return how long to wait after a failure.

        Raises EncoderMismatch when the library came to hold another encoder's vectors.
        """
        with self._some_rows:
            self._some_rows.wait_for(lambda: bool(self._rows), wait_s)
            rows = list(self._rows)
            self._rows.clear()
        while rows:
            library = rows[0].camera.library
            mine = [row for row in rows if row.camera.library == library]
            try:
                self._upsert(library, mine)
            except EncoderMismatch:
                raise
            except StoreError as error:
                with self._some_rows:
                    self._rows.extendleft(reversed(rows))
                self._retry_s = min(_RETRY_LONGEST_S, self._retry_s * 2 or _RETRY_FIRST_S)
                _log.warning("%s %d keyframes wait.", error.message, len(rows))
                return self._retry_s
            self._wrote.add(library)
            self._account(library, mine)
            rows = [row for row in rows if row.camera.library != library]
            self._retry_s = 0.0
        return 0.0

    def finish(self) -> None:
        """Write what waits, as far as Milvus takes it; what it does not take is dropped.

        Only then is Milvus told to settle: until then its log keeps the rows, and a flush would
        keep keyframes waiting for seconds.
        """
        while not self._keyframes.empty():
            self.embed(0.0)
        self.write(0.0)
        for row in self._rows:
            self._drop(row.camera, row.entity.uri, row.entity.thumbnail)
        self._rows.clear()
        for library in sorted(self._wrote):
            try:
                self._store.settle(library)
            except StoreError as error:
                _log.warning("%s", error.message)

    def _gathered(self, wait_s: float) -> list[tuple[Camera, LiveKeyframe]]:
        batch: list[tuple[Camera, LiveKeyframe]] = []
        left_s = wait_s
        with suppress(queue.Empty):
            while _pictures(batch) < self._settings.encoder.batch_size:
                batch.append(self._keyframes.get(timeout=left_s))
                if len(batch) == 1:
                    until_s = time.monotonic() + (FLUSH_S if wait_s else 0.0)
                left_s = max(0.0, until_s - time.monotonic())
        return batch

    def _upsert(self, library: str, rows: list[_Kept]) -> None:
        entities = [entity for one in rows for entity in one.row.entities]
        embeddings = np.concatenate([one.row.embeddings for one in rows])
        try:
            self._store.upsert(library, entities, embeddings)
        except LibraryNotFound:  # it was dropped while its cameras were watched
            self._store.ensure_library(library, self._encoder.identity)
            self._store.upsert(library, entities, embeddings)

    def _account(self, library: str, rows: list[_Kept]) -> None:
        at_ms = now_ms()
        days = Counter((row.camera.name, row.entity.source_id) for row in rows)
        folders = {row.entity.source_id: str(Path(row.entity.uri).parent) for row in rows}
        for (name, source_id), added in days.items():
            self._diary.add_keyframes(
                name, library, source_id, self._recipe, folders[source_id], added, at_ms
            )
        for row in rows:
            self._tell(row.camera, row.entity)

    def _drop(self, camera: Camera, still: str, thumbnail: str) -> None:
        """Count a keyframe that could not be kept, and remove its pictures."""
        self._diary.add_dropped(camera.name, 1)
        Path(still).unlink(missing_ok=True)
        (self._settings.data_dir / thumbnail).unlink(missing_ok=True)


def _pictures(batch: list[tuple[Camera, LiveKeyframe]]) -> int:
    return sum(1 + len(keyframe.crops) for _, keyframe in batch)


def _entity(camera: Camera, keyframe: LiveKeyframe) -> MediaEntity:
    """Return a live keyframe as it is stored: what can be opened of it is its still."""
    ref = frame_ref(camera.name, keyframe.captured_ms)
    return MediaEntity(
        id=ref.primary_key,
        source_id=ref.source_id,
        media_type="frame",
        uri=keyframe.still,
        camera=camera.name,
        captured_at=keyframe.captured_ms,
        captured_from="live",
        pts_ms=ref.pts_ms,
        duration_ms=0,
        width=keyframe.width,
        height=keyframe.height,
        thumbnail=keyframe.thumbnail,
        ingested_at=now_ms(),
    )
