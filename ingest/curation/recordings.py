"""Recordings: the keyframes of one file, which are corrected together.

A file's keyframes all count from its start, and it was recorded by one camera; so a correction of
some of them is one of all. Keyframes of a live camera stand each for themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ingest.estimate.sequence import name_order
from ingest.ledger import Ledger
from search_core.errors import UsageError
from search_core.schema.entity import CapturedFrom, MediaEntity, MediaType, is_address
from search_core.schema.filters import Filter
from search_core.store.library import Store, entities_where

#: An expression with more ids takes Milvus long to parse.
_SOURCES_AT_ONCE = 200
#: Source, camera and video track.
_Key: TypeAlias = tuple[str, str, int]


class Row(NamedTuple):
    """What a correction needs to know of an entity; times in milliseconds, as in MediaEntity."""

    id: str
    captured_at: int
    captured_from: CapturedFrom
    pts_ms: int


@dataclass(slots=True)
class Recording:
    """The keyframes of one video track of a file, or some of a live camera's day (``is_live``)."""

    source_id: str
    uri: str
    camera: str
    media_type: MediaType
    duration_ms: int
    is_live: bool
    track: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def start_ms(self) -> int:
        """When it starts, in epoch milliseconds; of a live camera, its first keyframe."""
        return min(row.captured_at - (0 if self.is_live else row.pts_ms) for row in self.rows)

    @property
    def captured_from(self) -> CapturedFrom:
        """Where its time is from."""
        return self.rows[0].captured_from


@dataclass(frozen=True, slots=True)
class Found:
    """The recordings that a filter selects, and how many keyframes it does not pass itself."""

    recordings: list[Recording]
    beyond: int


def find_recordings(
    store: Store, library: str, where: Filter, source_ids: Sequence[str] | None = None
) -> Found:
    """Return the recordings of which a filter passes any keyframe, by name.

    ``source_ids`` restrict it further, where given. Of a live camera the keyframes that pass are
    in it, of a file all of the same camera.
    """
    recordings: dict[_Key, Recording] = {}
    passing = 0
    for page in _passing(store, library, where, source_ids):
        passing += len(page)
        _gather(page, recordings)
    files = {key: item for key, item in recordings.items() if not item.is_live}
    if files and not _selects_whole_files(where):
        for item in files.values():
            item.rows.clear()
        sources = sorted({source_id for source_id, *_ in files})
        for page in _passing(store, library, Filter(), sources):
            _gather((e for e in page if _key(e) in files), recordings)
    kept = [item for item in recordings.values() if item.rows]
    kept.sort(key=lambda item: (name_order(item.uri), item.camera, item.track))
    return Found(kept, max(0, sum(len(item.rows) for item in kept) - passing))


def sources_at(ledger: Ledger, library: str, paths: Sequence[str]) -> list[str]:
    """Return the sources of a library at these paths and below them.

    Raises UsageError for a path at which the library has none.
    """
    found: dict[str, None] = {}
    for path in paths:
        place = path
        if not is_address(path):
            place = os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - no links, as ingest
        lines = ledger.lately(library, "done", 0, place.rstrip("/"))
        if not lines:
            raise UsageError(
                "The library {library} has no recording at {place}.",
                "Give the path it was ingested from, a folder above it, or another filter.",
                library=library,
                place=place,
            )
        found.update(dict.fromkeys(line.source_id for line in lines))
    return list(found)


def _passing(
    store: Store, library: str, where: Filter, source_ids: Sequence[str] | None
) -> Iterator[list[MediaEntity]]:
    if source_ids is None:
        yield from entities_where(store, library, where)
        return
    for start in range(0, len(source_ids), _SOURCES_AT_ONCE):
        chosen = tuple(source_ids[start : start + _SOURCES_AT_ONCE])
        yield from entities_where(store, library, replace(where, source_ids=chosen))


def _key(entity: MediaEntity) -> _Key:
    return entity.source_id, entity.camera, entity.track


def _gather(entities: Iterable[MediaEntity], recordings: dict[_Key, Recording]) -> None:
    for entity in entities:
        key = _key(entity)
        if key not in recordings:
            recordings[key] = Recording(
                entity.source_id,
                entity.uri,
                entity.camera,
                entity.media_type,
                entity.duration_ms,
                entity.is_live,
                entity.track,
            )
        recordings[key].rows.append(
            Row(entity.id, entity.captured_at, entity.captured_from, entity.pts_ms)
        )


def _selects_whole_files(where: Filter) -> bool:
    """Whether a filter passes either all keyframes of a file and camera, or none."""
    return where == Filter(
        cameras=where.cameras,
        source_ids=where.source_ids,
        media_type=where.media_type,
        allowed_cameras=where.allowed_cameras,
    )
