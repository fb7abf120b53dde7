"""Near-duplicates across the consecutive files of one camera.

Recorders cut one recording into files of seconds or minutes, and each file has a first keyframe,
which within one file would have shown nothing new. Once the files of an ingest are written, such a
first keyframe is left out where one of the files before it shows the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.keyframes.auto import LONGEST_SPAN_MS
from ingest.keyframes.background import changed_blocks
from ingest.keyframes.base import SMALL_HEIGHT, SMALL_WIDTH, SmallPicture
from ingest.keyframes.novelty import LEAST_BLOCKS
from ingest.writer import Store
from search_core.entities import MediaEntity
from search_core.filters import Filter

#: More keyframes in a minute than any recorder's files have.
_MOST_BEFORE = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    """A keyframe that stays; ``thumbnail`` is relative to the data directory."""

    captured_at: int
    thumbnail: str


class Segments:
    """The videos of one ingest, by camera; finds which first keyframes repeat a file before."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._sources: dict[str, list[MediaEntity]] = {}

    def add(self, entities: Iterable[MediaEntity]) -> None:
        """Take note of keyframes that are written, in order of time within each source."""
        for entity in entities:
            if entity.in_video:
                keyframes = self._sources.setdefault(entity.source_id, [])
                keyframes.append(entity)
                # The first may repeat a file before; a file after may repeat the last minute's.
                oldest_ms = entity.captured_at - LONGEST_SPAN_MS
                keyframes[1:] = [one for one in keyframes[1:] if one.captured_at >= oldest_ms]

    def repeated(self, store: Store, library: str) -> list[MediaEntity]:
        """Return the first keyframes that show what one up to a minute before them shows.

        The first file of a camera is compared with what the library holds of it already.
        """
        cameras: dict[str, list[list[MediaEntity]]] = {}
        for keyframes in self._sources.values():
            cameras.setdefault(keyframes[0].camera, []).append(keyframes)
        found: list[MediaEntity] = []
        for sources in cameras.values():
            sources.sort(key=lambda keyframes: keyframes[0].captured_at)
            found += self._repeated_in(sources, store, library)
        return found

    def _repeated_in(
        self, sources: Sequence[Sequence[MediaEntity]], store: Store, library: str
    ) -> list[MediaEntity]:
        found: list[MediaEntity] = []
        kept: list[_Kept] = []
        for keyframes in sources:
            first = keyframes[0]
            if not kept or first.captured_at - kept[-1].captured_at >= LONGEST_SPAN_MS:
                kept = self._kept_before(first, store, library)
            if self._shows_one_of(first, kept):
                found.append(first)
            else:
                kept.append(_Kept(first.captured_at, first.thumbnail))
            kept += [_Kept(one.captured_at, one.thumbnail) for one in keyframes[1:]]
        return found

    def _shows_one_of(self, entity: MediaEntity, kept: Sequence[_Kept]) -> bool:
        recent = [
            one for one in kept if 0 <= entity.captured_at - one.captured_at < LONGEST_SPAN_MS
        ]
        picture = self._small(entity.thumbnail) if recent else None
        if picture is None:
            return False
        others = (self._small(one.thumbnail) for one in reversed(recent))
        return any(
            other is not None and changed_blocks(picture, other) < LEAST_BLOCKS for other in others
        )

    def _kept_before(self, first: MediaEntity, store: Store, library: str) -> list[_Kept]:
        """Return a camera's keyframes of the minute before another, from earlier ingests."""
        since_ms = first.captured_at - LONGEST_SPAN_MS
        where = Filter(
            cameras=(first.camera,),
            after=datetime.fromtimestamp(since_ms / 1000, UTC),
            before=datetime.fromtimestamp(first.captured_at / 1000, UTC),
            media_type="frame",
        )
        before = [
            _Kept(entity.captured_at, entity.thumbnail)
            for entity in store.entities(library, where, limit=_MOST_BEFORE)
            if entity.source_id not in self._sources
        ]
        return sorted(before, key=lambda one: one.captured_at)

    def _small(self, thumbnail: str) -> SmallPicture | None:
        """Return a thumbnail at the size keyframes are compared at; None where it is gone."""
        try:
            with Image.open(self._data_dir / thumbnail) as image:
                image.draft("RGB", (4 * SMALL_WIDTH, 4 * SMALL_HEIGHT))
                small = image.convert("RGB").resize(
                    (SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX
                )
        except (OSError, ValueError):
            return None
        return np.asarray(small, np.uint8)
