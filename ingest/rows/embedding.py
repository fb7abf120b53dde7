"""From decoded keyframes to rows: embedded in batches, near-duplicates left out, then written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.engines.base import Decoded, DecodeTask, Embedded, Keyframe, Opened, camera_of_track
from ingest.media.capture_time.choice import CaptureTime
from ingest.report import SourceOutcome
from ingest.rows.consecutive import Gate, Row, Segments
from ingest.rows.existing import Existing
from ingest.rows.writer import Ending, Rows, Writer
from search_core.encoders.base import Embeddings, Encoder
from search_core.messages import joined
from search_core.schema.entity import FrameRef, MediaEntity
from search_core.system.clock import now_ms

#: The first batch holds so many, each next one twice as many, up to a full one: the encoder need
#: not wait for decoding to fill one, and what is short is found the sooner.
_FIRST_BATCH = 4


class Batches:
    """Gathers keyframes and hands rows and endings to the writer, in the order they came.

    What the engine has not embedded is embedded here, a batch at a time. ``least_distance`` is that
    of Gate, ``data_dir`` where thumbnails are; ``segments`` takes note of what is written. A
    source's keyframes must come in order of time.
    """

    def __init__(
        self,
        encoder: Encoder,
        batch_size: int,
        least_distance: float,
        tags: tuple[str, ...],
        data_dir: Path,
        writer: Writer,
        segments: Segments,
    ) -> None:
        #: Seconds that embedding took; of all encoders together where there are several.
        self.seconds = 0.0
        #: How many keyframes came, without those that were left out.
        self.keyframes = 0
        self._encoder = encoder
        self._most = batch_size
        self._full = min(_FIRST_BATCH, batch_size)
        self._gate = Gate(least_distance)
        self._tags = tags
        self._data_dir = data_dir
        self._writer = writer
        self._segments = segments
        self._opened: dict[str, tuple[Opened, CaptureTime, Existing | None]] = {}
        self._came: Counter[str] = Counter()
        self._batch: list[tuple[DecodeTask, Decoded | Embedded]] = []
        self._endings: list[Ending] = []

    def open(
        self,
        source_id: str,
        opened: Opened,
        captured: CaptureTime,
        existing: Existing | None = None,
    ) -> None:
        """Take note of what a source is and when it began, before its keyframes come.

        ``existing`` is what the library holds of it already.
        """
        self._opened[source_id] = opened, captured, existing

    def came_of(self, source_id: str) -> int:
        """Return how many keyframes came of a source that has not ended."""
        return self._came[source_id]

    def add(self, task: DecodeTask, frame: Decoded | Embedded) -> None:
        """Take a keyframe; a batch that is full by it is written."""
        self._batch.append((task, frame))
        self._came[task.source_id] += 1
        self.keyframes += 1
        if len(self._batch) >= self._full:
            self.flush()
            self._full = min(2 * self._full, self._most)

    def end(self, ending: Ending) -> None:
        """Hand over how a source ended, but not before its rows; its keyframes are counted here."""
        if self._batch:
            self._endings.append(ending)
        else:
            self._finish(ending)

    def flush(self) -> None:
        """Write what was gathered, and the endings that waited for it."""
        if self._batch:
            embeddings = self._embeddings()
            self._put(
                [
                    row
                    for (task, frame), embedding in zip(self._batch, embeddings, strict=True)
                    for row in self._gate.offer(self._entity(task, frame.keyframe), embedding)
                ]
            )
            self._batch = []
        for ending in self._endings:
            self._finish(ending)
        self._endings = []

    def _embeddings(self) -> Embeddings:
        """Return the batch's embeddings (n, dim)."""
        began_s = time.monotonic()
        pixels = [frame.pixels for _, frame in self._batch if isinstance(frame, Decoded)]
        made = iter(self._encoder.encode_pixels(pixels)) if pixels else iter(())
        self.seconds += time.monotonic() - began_s
        rows = []
        for _, frame in self._batch:
            if isinstance(frame, Embedded):
                self.seconds += frame.seconds
                rows.append(frame.embedding)
            else:
                rows.append(next(made))
        return np.stack(rows)

    def _put(self, rows: Sequence[Row]) -> None:
        if rows:
            entities, embeddings = zip(*rows, strict=True)
            self._segments.add(entities)
            self._writer.put(Rows(list(entities), np.stack(embeddings)))

    def _finish(self, ending: Ending) -> None:
        """Hand over a source's last row and how it ended, its keyframes counted, and forget it."""
        rows, near = self._gate.end(ending.source_id)
        self._put(rows)
        self.keyframes -= len(near)
        outcome = replace(
            ending.outcome,
            keyframes=self._came.pop(ending.source_id, 0) - len(near),
            left_out=ending.outcome.left_out + len(near),
        )
        opened = self._opened.pop(ending.source_id, None)
        if opened is not None:
            outcome = _dated(outcome, opened[1]) if outcome.status == "done" else outcome
        unused = [self._data_dir / entity.thumbnail for entity in near]
        self._writer.put(replace(ending, outcome=outcome, unused=unused))

    def _entity(self, task: DecodeTask, frame: Keyframe) -> MediaEntity:
        opened, captured, existing = self._opened[task.source_id]
        entity = MediaEntity(
            id=FrameRef(task.source_id, frame.pts_ms, frame.track).primary_key,
            source_id=task.source_id,
            media_type="image" if opened.kind == "image" else "frame",
            uri=task.stored_uri,
            camera=camera_of_track(task.camera, frame.track),
            captured_at=captured.at_ms + frame.pts_ms,
            captured_from=captured.captured_from,
            pts_ms=frame.pts_ms,
            duration_ms=opened.duration_ms,
            width=frame.width,
            height=frame.height,
            thumbnail=frame.thumbnail,
            ingested_at=now_ms(),
            tags=self._tags,
            span_ms=frame.span_ms,
        )
        return entity if existing is None else existing.put_into(entity)


def _dated(outcome: SourceOutcome, captured: CaptureTime) -> SourceOutcome:
    """Return an outcome with where its time comes from, and what contradicts that."""
    return replace(
        outcome,
        warning=joined(outcome.warning, captured.warning),
        captured_from=captured.captured_from,
        time_warning=captured.warning,
    )
