"""From decoded keyframes to rows: embedded in batches, near-duplicates left out, then written."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from ingest.engines.tasks import Decoded, DecodeTask, Embedded, Keyframe, Opened
from ingest.keyframes.distinct import NearDuplicates
from ingest.writer import Ending, Rows, Writer
from search_core.encoders.base import Embeddings, Encoder
from search_core.entities import FrameRef, MediaEntity


@dataclass(slots=True)
class _Count:
    """Keyframes of one source: how many came, and how many of them were near-duplicates."""

    came: int = 0
    near: int = 0


class Batches:
    """Gathers keyframes and hands rows and endings to the writer, in the order they came.

    What the engine has not embedded is embedded here, a batch at a time. ``least_distance`` is that
    of NearDuplicates. A source's keyframes must come in order of time.
    """

    def __init__(
        self,
        encoder: Encoder,
        batch_size: int,
        least_distance: float,
        tags: tuple[str, ...],
        writer: Writer,
    ) -> None:
        #: Seconds that embedding took; of all encoders together where there are several.
        self.seconds = 0.0
        #: How many keyframes came, without those that were left out.
        self.keyframes = 0
        self._encoder = encoder
        self._batch_size = batch_size
        self._duplicates = NearDuplicates(least_distance)
        self._tags = tags
        self._writer = writer
        self._opened: dict[str, Opened] = {}
        self._counts: defaultdict[str, _Count] = defaultdict(_Count)
        self._batch: list[tuple[DecodeTask, Decoded | Embedded]] = []
        self._endings: list[Ending] = []

    def open(self, source_id: str, opened: Opened) -> None:
        """Take note of what a source is, before its keyframes come."""
        self._opened[source_id] = opened

    def came_of(self, source_id: str) -> int:
        """Return how many keyframes came of a source that has not ended."""
        return self._counts[source_id].came

    def add(self, task: DecodeTask, frame: Decoded | Embedded) -> None:
        """Take a keyframe; a batch that is full by it is written."""
        self._batch.append((task, frame))
        self._counts[task.source_id].came += 1
        self.keyframes += 1
        if len(self._batch) >= self._batch_size:
            self.flush()

    def end(self, ending: Ending) -> None:
        """Hand over how a source ended, but not before its rows; its keyframes are counted here."""
        if self._batch:
            self._endings.append(ending)
        else:
            self._writer.put(self._counted(ending))

    def flush(self) -> None:
        """Write what was gathered, and the endings that waited for it."""
        if self._batch:
            embeddings = self._embeddings()
            fresh = [
                not self._is_near_duplicate(task.source_id, embedding)
                for (task, _), embedding in zip(self._batch, embeddings, strict=True)
            ]
            entities = [
                self._entity(task, frame.keyframe)
                for (task, frame), kept in zip(self._batch, fresh, strict=True)
                if kept
            ]
            self._writer.put(Rows(entities, embeddings[fresh]))
            self._batch = []
        for ending in self._endings:
            self._writer.put(self._counted(ending))
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

    def _is_near_duplicate(self, source_id: str, embedding: Embeddings) -> bool:
        """Leave out a keyframe whose embedding (dim,) is nearly that of the one before it."""
        # Its thumbnail stays: another library may hold the same moment.
        if not self._duplicates.is_near(source_id, embedding):
            return False
        self._counts[source_id].near += 1
        self.keyframes -= 1
        return True

    def _counted(self, ending: Ending) -> Ending:
        """Return how a source ended with its keyframes counted, and forget the source."""
        self._duplicates.forget(ending.source_id)
        self._opened.pop(ending.source_id, None)
        count = self._counts.pop(ending.source_id, _Count())
        outcome = ending.outcome
        keyframes, left_out = count.came - count.near, outcome.left_out + count.near
        return replace(ending, outcome=replace(outcome, keyframes=keyframes, left_out=left_out))

    def _entity(self, task: DecodeTask, frame: Keyframe) -> MediaEntity:
        opened = self._opened[task.source_id]
        still = opened.kind == "image"
        return MediaEntity(
            id=FrameRef(task.source_id, frame.pts_ms).primary_key,
            source_id=task.source_id,
            media_type="image" if still else "frame",
            uri=task.stored_uri,
            camera=task.image_camera if still else task.video_camera,
            captured_at=opened.captured_at + frame.pts_ms,
            captured_from=opened.captured_from,
            pts_ms=frame.pts_ms,
            duration_ms=opened.duration_ms,
            width=frame.width,
            height=frame.height,
            thumbnail=frame.thumbnail,
            ingested_at=time.time_ns() // 1_000_000,
            tags=self._tags,
        )
