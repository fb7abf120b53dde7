"""Near-duplicates across the consecutive files of one camera.

Recorders cut one recording into files of seconds or minutes, and each file has a first keyframe,
which within one file would have shown nothing new. Once the files of an ingest are written, such a
first keyframe is left out where one of the files before it, up to a minute before, shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

import numpy as np
from PIL import Image

from ingest.media.keyframe_selector import SMALL_HEIGHT, SMALL_WIDTH, SmallPicture
from ingest.media.keyframes import Auto, KeyframeSelector
from ingest.media.keyframes.analysis.background import changed_blocks
from ingest.media.keyframes.analysis.novelty import LEAST_BLOCKS
from ingest.media.keyframes.auto import LONGEST_SPAN_MS
from ingest.media.keyframes.distinct import Distinct, NearDuplicates
from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter

if TYPE_CHECKING:
    from ingest.rows.writer import Store


#: More keyframes in a minute than any recorder's files have.
_MOST_BEFORE = 1000


class _HasTime(Protocol):
    @property
    def captured_at(self) -> int: ...


_Timed = TypeVar("_Timed", bound=_HasTime)


@dataclass(frozen=True, slots=True)
class Shown:
    """A keyframe as it is compared with others; ``captured_at`` is epoch milliseconds.

    ``picture`` returns it at the size that is compared, None where it is gone.
    """

    captured_at: int
    picture: Callable[[], SmallPicture | None]


def folds(selector: KeyframeSelector) -> bool:
    """Whether keyframes chosen like this are folded across files: if they leave repeats out."""
    return isinstance(selector, Auto | Distinct)


def first_and_last_minute(keyframes: Sequence[_Timed], newest_ms: int) -> list[_Timed]:
    """Return the keyframes of one file that decide: the first may repeat a file before.

    A file after may repeat those of the last minute.
    """
    oldest_ms = newest_ms - LONGEST_SPAN_MS
    last = [one for one in keyframes[1:] if one.captured_at >= oldest_ms]
    return [*keyframes[:1], *last]


def repeating_files(
    files: Sequence[Sequence[Shown]], before: Callable[[int], Sequence[Shown]]
) -> list[int]:
    """Return which files (indexes) begin with what was shown up to a minute before.

    ``files`` are those of one camera by time, each with its keyframes by time. ``before`` gives the
    keyframes before a file that has none of ``files`` in the minute before it. What repeats is
    compared with as well: the view in which nothing happens is not new after every event. But
    only where a keyframe of the minute before stays, so that there is one a minute.
    """
    found: list[int] = []
    shown: list[Shown] = []
    kept_ms: int | None = None
    for index, keyframes in enumerate(files):
        first = keyframes[0]
        if kept_ms is None or first.captured_at - kept_ms >= LONGEST_SPAN_MS:
            shown = list(before(index))
            kept_ms = shown[-1].captured_at if shown else None
        shown = [one for one in shown if first.captured_at - one.captured_at < LONGEST_SPAN_MS]
        if _shows_one_of(first, shown):
            found.append(index)
            kept = keyframes[1:]
        else:
            kept = keyframes
        shown += keyframes
        if kept:
            kept_ms = max(kept[-1].captured_at, kept_ms or kept[-1].captured_at)
    return found


def small_picture(file: Path | BinaryIO) -> SmallPicture | None:
    """Return a thumbnail at the size keyframes are compared at; None where it cannot be read."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (4 * SMALL_WIDTH, 4 * SMALL_HEIGHT))
            small = image.convert("RGB").resize((SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX)
    except (OSError, ValueError):
        return None
    return np.asarray(small, np.uint8)


def _shows_one_of(first: Shown, shown: Sequence[Shown]) -> bool:
    earlier = [one for one in shown if one.captured_at <= first.captured_at]
    picture = first.picture() if earlier else None
    if picture is None:
        return False
    others = (one.picture() for one in reversed(earlier))
    return any(
        other is not None and changed_blocks(picture, other) < LEAST_BLOCKS for other in others
    )


class Segments:
    """The videos of one ingest, by camera; finds which first keyframes repeat a file before."""

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
        """Return the first keyframes that show what one up to a minute before them shows.

        The first file of a camera is compared with what the library holds of it already.
        """
        cameras: dict[str, list[list[MediaEntity]]] = {}
        for keyframes in self._files.values():
            cameras.setdefault(keyframes[0].camera, []).append(keyframes)
        found: list[MediaEntity] = []
        for files in cameras.values():
            files.sort(key=lambda keyframes: keyframes[0].captured_at)
            found += self._repeated_in(files, store, library)
        return found

    def _repeated_in(
        self, files: Sequence[Sequence[MediaEntity]], store: Store, library: str
    ) -> list[MediaEntity]:
        shown = [[self._shown(entity) for entity in keyframes] for keyframes in files]
        repeating = repeating_files(
            shown, lambda index: self._kept_before(files[index][0], store, library)
        )
        return [files[index][0] for index in repeating]

    def _kept_before(self, first: MediaEntity, store: Store, library: str) -> list[Shown]:
        """Return a camera's keyframes of the minute before another, from earlier ingests."""
        since_ms = first.captured_at - LONGEST_SPAN_MS
        where = Filter(
            cameras=(first.camera,),
            after=datetime.fromtimestamp(since_ms / 1000, UTC),
            before=datetime.fromtimestamp(first.captured_at / 1000, UTC),
            media_type="frame",
        )
        before = [
            self._shown(entity)
            for entity in store.entities(library, where, limit=_MOST_BEFORE)
            if (entity.source_id, entity.track) not in self._files
        ]
        return sorted(before, key=lambda one: one.captured_at)

    def _shown(self, entity: MediaEntity) -> Shown:
        return Shown(entity.captured_at, partial(small_picture, self._data_dir / entity.thumbnail))


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
