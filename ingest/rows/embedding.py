"""From decoded keyframes to rows: embedded in batches, near-duplicates left out, then written.

Within a source a keyframe whose embedding hardly differs from the last is left out. Recorders cut
one recording into files of seconds or minutes, and the first keyframe of each is kept, since its
selector has not seen what came before. Once the files of an ingest are written, their keyframes are
looked at again as those of one recording, as ``auto`` does, and what shows nothing new is left out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from PIL import Image

from ingest.engines.base import Decoded, DecodeTask, Embedded, Keyframe, Opened, camera_of_track
from ingest.media.base import (
    SMALL_HEIGHT,
    SMALL_WIDTH,
    KeyframeSelector,
    Mask,
    SeenFrame,
    SmallPicture,
)
from ingest.media.capture_time.claims import CaptureTime
from ingest.media.keyframes.analysis.background import Novelty
from ingest.media.keyframes.auto import LONGEST_SPAN_MS, Auto
from ingest.media.keyframes.registry import Distinct
from ingest.media.regions.base import Region
from ingest.report import SourceOutcome
from ingest.rows.replacement import Existing
from ingest.rows.writer import Ending, Rows, Writer
from search_core.encoders.base import Embeddings, Encoder
from search_core.messages import joined
from search_core.schema.entity import FrameRef, MediaEntity
from search_core.schema.filters import Filter
from search_core.store.library import Store
from search_core.system.machine import now_ms

#: More keyframes in a minute than any recorder's files have.
_MOST_BEFORE = 1000
#: The selector of a file shorter than this sees too few pictures to know the view without things.
#: The seven sample clips keep 96 keyframes whole; cut into files of 4 s 204, and 99 with this. Cut
#: into files of 10 s 112; judging all keyframes of those would lose two of 50 appearances.
_SHORT_MS = 5_000


class _HasTime(Protocol):
    @property
    def captured_at(self) -> int: ...


_Timed = TypeVar("_Timed", bound=_HasTime)


@dataclass(eq=False, slots=True)
class Shown:
    """A keyframe as it is compared with others; ``captured_at`` is epoch milliseconds.

    ``picture`` returns it at the size that is compared, None where it is gone. ``judged`` says
    whether it may be left out.
    """

    captured_at: int
    picture: Callable[[], SmallPicture | None]
    judged: bool


@dataclass(eq=False, slots=True)
class _Frame:
    """A keyframe as a selector sees it."""

    shown: Shown
    pts_ms: int
    picture: SmallPicture
    is_keyframe: bool = True
    ends_ms: int | None = None
    foreground: Mask | None = None

    def small(self) -> SmallPicture:
        return self.picture


def folds(selector: KeyframeSelector) -> bool:
    """Whether keyframes chosen like this are folded across files: if they leave repeats out."""
    return isinstance(selector, Auto | Distinct)


def first_and_last_minute(keyframes: Sequence[_Timed], newest_ms: int) -> list[_Timed]:
    """Return the keyframes of one file that are compared with those of others.

    The first may repeat a file before; a file after may repeat those of the last minute.
    """
    oldest_ms = newest_ms - LONGEST_SPAN_MS
    last = [one for one in keyframes[1:] if one.captured_at >= oldest_ms]
    return [*keyframes[:1], *last]


def is_judged(place: int, duration_ms: int) -> bool:
    """Whether a file's keyframe may be left out: its first, and every one of a short file."""
    return place == 0 or duration_ms < _SHORT_MS


def repeated_keyframes(
    keyframes: Iterable[Shown], before: Callable[[Shown], Iterable[Shown]]
) -> set[Shown]:
    """Return the keyframes of one camera, by time, that show nothing new.

    ``before`` gives those of the minute before one, from earlier ingests, where ``keyframes`` have
    none. One a minute stays, as within a file.
    """
    repeated: set[Shown] = set()
    recording = _Recording(repeated)
    for shown in keyframes:
        if not recording.continues(shown):
            recording.end()
            recording = _Recording(repeated)
            for earlier in before(shown) if shown.judged else ():
                recording.add(earlier)
        recording.add(shown)
    recording.end()
    return repeated


class _Recording:
    """Consecutive keyframes of one camera; those that show nothing new go to ``repeated``."""

    def __init__(self, repeated: set[Shown]) -> None:
        self._repeated = repeated
        self._novelty = Novelty()
        self._newest_ms: int | None = None
        self._kept_ms: int | None = None

    def continues(self, shown: Shown) -> bool:
        """Whether a keyframe follows within a minute."""
        newest_ms = self._newest_ms
        return newest_ms is not None and shown.captured_at - newest_ms < LONGEST_SPAN_MS

    def add(self, shown: Shown) -> None:
        """Look at the next keyframe."""
        self._newest_ms = shown.captured_at
        picture = shown.picture()
        if picture is None:
            return
        if shown.judged:
            self._repeated.add(shown)
        frame = _Frame(shown, shown.captured_at, picture)
        kept = self._novelty.offer(frame)
        if not kept and self._is_long_ago(shown):
            kept = self._novelty.keep_anyway(frame)
        self._keep(kept)
        if not shown.judged:
            self._kept_ms = shown.captured_at

    def end(self) -> None:
        """Keep what was held back."""
        self._keep(self._novelty.release())

    def _keep(self, frames: Iterable[SeenFrame]) -> None:
        for frame in frames:
            assert isinstance(frame, _Frame)
            self._repeated.discard(frame.shown)
            self._kept_ms = max(frame.pts_ms, self._kept_ms or frame.pts_ms)

    def _is_long_ago(self, shown: Shown) -> bool:
        return self._kept_ms is None or shown.captured_at - self._kept_ms >= LONGEST_SPAN_MS


def small_picture(file: Path | BinaryIO) -> SmallPicture | None:
    """Return a thumbnail at the size keyframes are compared at; None where it cannot be read."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (4 * SMALL_WIDTH, 4 * SMALL_HEIGHT))
            small = image.convert("RGB").resize((SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX)
    except (OSError, ValueError):
        return None
    return np.asarray(small, np.uint8)


class Segments:
    """The videos of one ingest, by camera; finds which keyframes repeat those of files before."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        #: By source and video track.
        self._files: dict[tuple[str, int], list[MediaEntity]] = {}

    def add(self, entities: Iterable[MediaEntity]) -> None:
        """Take note of keyframes that are written, in order of time within each track."""
        for entity in entities:
            if entity.in_video:
                key = entity.source_id, entity.track
                keyframes = [*self._files.get(key, ()), entity]
                self._files[key] = first_and_last_minute(keyframes, entity.captured_at)

    def repeated(self, store: Store, library: str) -> list[MediaEntity]:
        """Return the keyframes that show nothing new after those of the files before them.

        A camera's first file is compared with what the library holds of it already.
        """
        cameras: dict[str, dict[Shown, MediaEntity]] = {}
        for keyframes in self._files.values():
            of_camera = cameras.setdefault(keyframes[0].camera, {})
            for place, entity in enumerate(keyframes):
                of_camera[self._shown(entity, is_judged(place, entity.duration_ms))] = entity
        before = partial(self._kept_before, store, library)
        found: list[MediaEntity] = []
        for camera, of_camera in cameras.items():
            by_time = sorted(of_camera, key=lambda shown: shown.captured_at)
            repeated = repeated_keyframes(by_time, partial(before, camera))
            found += [entity for shown, entity in of_camera.items() if shown in repeated]
        return found

    def _kept_before(self, store: Store, library: str, camera: str, first: Shown) -> list[Shown]:
        """Return a camera's keyframes of the minute before another, from earlier ingests."""
        since_ms = first.captured_at - LONGEST_SPAN_MS
        where = Filter(
            cameras=(camera,),
            after=datetime.fromtimestamp(since_ms / 1000, UTC),
            before=datetime.fromtimestamp(first.captured_at / 1000, UTC),
            media_type="frame",
        )
        before = [
            self._shown(entity, judged=False)
            for entity in store.entities(library, where, limit=_MOST_BEFORE)
            if (entity.source_id, entity.track) not in self._files
        ]
        return sorted(before, key=lambda one: one.captured_at)

    def _shown(self, entity: MediaEntity, judged: bool) -> Shown:
        picture = partial(small_picture, self._data_dir / entity.thumbnail)
        return Shown(entity.captured_at, picture, judged)


@dataclass(frozen=True, slots=True)
class Row:
    """A keyframe with its regions; ``embeddings`` (1 + regions, dim) begin with its own."""

    entity: MediaEntity
    embeddings: Embeddings
    regions: tuple[Region, ...] = ()

    @property
    def entities(self) -> list[MediaEntity]:
        """The rows that are stored, in the order of the embeddings."""
        return [
            self.entity,
            *(self.entity.region(one.kind, one.number, one.box) for one in self.regions),
        ]


class Gate:
    """Lets through keyframes of several sources, but none that hardly differs from the last.

    ``least_distance`` is the cosine distance of embeddings below which one does not; with 0 all
    come as they are offered.
    """

    def __init__(self, least_distance: float) -> None:
        self._least_distance = least_distance
        self._held: dict[str, Row] = {}
        self._left_out: dict[str, list[MediaEntity]] = {}

    def offer(self, row: Row) -> list[Row]:
        """Take a source's next keyframe; return what is to be written now."""
        if not self._least_distance:
            return [row]
        entity = row.entity
        held = self._held.get(entity.source_id)
        if held is not None and held.entity.track == entity.track:
            kept = held.entity
            if 1.0 - float(held.embeddings[0] @ row.embeddings[0]) < self._least_distance:
                span_ms = entity.pts_ms + entity.span_ms - kept.pts_ms
                kept = replace(kept, span_ms=max(kept.span_ms, span_ms))
                self._held[entity.source_id] = replace(held, entity=kept)
                self._left_out.setdefault(entity.source_id, []).append(entity)
                return []
        self._held[entity.source_id] = row
        return [held] if held is not None else []

    def end(self, source_id: str) -> tuple[list[Row], list[MediaEntity]]:
        """End a source; return what of it is still to be written, and what was left out."""
        held = self._held.pop(source_id, None)
        return ([] if held is None else [held]), self._left_out.pop(source_id, [])


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
        self._pictures = 0
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
        self._pictures += 1 + len(frame.keyframe.regions)
        self._came[task.source_id] += 1
        self.keyframes += 1
        if self._pictures >= self._full:
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
                    kept
                    for (task, frame), rows in zip(self._batch, embeddings, strict=True)
                    for kept in self._gate.offer(
                        Row(self._entity(task, frame.keyframe), rows, frame.keyframe.regions)
                    )
                ]
            )
            self._batch, self._pictures = [], 0
        for ending in self._endings:
            self._finish(ending)
        self._endings = []

    def _embeddings(self) -> list[Embeddings]:
        """Return the embeddings (1 + regions, dim) of each keyframe of the batch."""
        began_s = time.monotonic()
        pixels = [
            picture
            for _, frame in self._batch
            if isinstance(frame, Decoded)
            for picture in (frame.pixels, *frame.crops)
        ]
        made = self._encoder.encode_pixels(pixels) if pixels else np.empty((0, 0), np.float32)
        self.seconds += time.monotonic() - began_s
        rows, first = [], 0
        for _, frame in self._batch:
            if isinstance(frame, Embedded):
                self.seconds += frame.seconds
                rows.append(frame.embeddings)
            else:
                last = first + 1 + len(frame.crops)
                rows.append(made[first:last])
                first = last
        return rows

    def _put(self, rows: Sequence[Row]) -> None:
        if rows:
            self._segments.add(row.entity for row in rows)
            entities = [entity for row in rows for entity in row.entities]
            self._writer.put(Rows(entities, np.concatenate([row.embeddings for row in rows])))

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
        warning=joined(outcome.warning, captured.warning) if captured.warning else outcome.warning,
        captured_from=captured.captured_from,
        time_warning=captured.warning,
    )
