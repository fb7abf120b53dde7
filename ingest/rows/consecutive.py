"""Near-duplicates across the consecutive files of one camera.

Recorders cut one recording into files of seconds or minutes, and the first keyframe of each is
kept, since its selector has not seen what came before. Once the files of an ingest are written,
their keyframes are looked at again as those of one recording, as ``auto`` does, and what shows
nothing new is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from PIL import Image

from ingest.media.keyframe_selector import SMALL_HEIGHT, SMALL_WIDTH, SeenFrame, SmallPicture
from ingest.media.keyframes import Auto, KeyframeSelector
from ingest.media.keyframes.analysis.novelty import Novelty
from ingest.media.keyframes.auto import LONGEST_SPAN_MS
from ingest.media.keyframes.distinct import Distinct, NearDuplicates
from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.store.library import Store

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


#: An entity and its embedding (dim,).
Row = tuple[MediaEntity, Embeddings]


class Gate:
    """Lets through keyframes of several sources; with ``least_distance`` 0, all as they come."""

    def __init__(self, least_distance: float) -> None:
        self._all = not least_distance
        self._judge = NearDuplicates(least_distance)
        self._held: dict[str, Row] = {}
        self._left_out: dict[str, list[MediaEntity]] = {}

    def offer(self, entity: MediaEntity, embedding: Embeddings) -> list[Row]:
        """Take a source's next keyframe; return what is to be written now."""
        if self._all:
            return [(entity, embedding)]
        held = self._held.get(entity.source_id)
        if held is not None and held[0].track != entity.track:
            self._judge.forget(entity.source_id)
        near = self._judge.is_near(entity.source_id, embedding)
        if held is not None and near:
            kept, its = held
            span_ms = entity.pts_ms + entity.span_ms - kept.pts_ms
            self._held[entity.source_id] = replace(kept, span_ms=max(kept.span_ms, span_ms)), its
            self._left_out.setdefault(entity.source_id, []).append(entity)
            return []
        self._held[entity.source_id] = entity, embedding
        return [held] if held is not None else []

    def end(self, source_id: str) -> tuple[list[Row], list[MediaEntity]]:
        """End a source; return what of it is still to be written, and what was left out."""
        self._judge.forget(source_id)
        held = self._held.pop(source_id, None)
        return [held] if held is not None else [], self._left_out.pop(source_id, [])
