"""Recordings: the keyframes of one file, which are corrected together, and may be read again.

A file's keyframes all count from its start, and it was recorded by one camera; so a correction of
some of them is one of all. Keyframes of a live camera stand each for themselves.

When and by which camera recordings were taken is read again from the media, the way of an ingest up
to the opened file: intake prepares each source, a decoding process opens it, and the rules of today
say which time and which camera it has.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ingest.engines.base import (
    DecodeOptions,
    DecodeTask,
    Failed,
    LocalEngine,
    Opened,
    Prepared,
    camera_of_track,
    main_camera,
)
from ingest.estimate.sequence import name_order
from ingest.intake import Intake, Plan
from ingest.ledger import Ledger
from ingest.options import IngestOptions, recorded_options
from ingest.report import SourceOutcome
from ingest.sources.discovery import Source, file_of, find_sources
from ingest.sources.names.reading import Naming
from ingest.sources.remote.files import RemoteFiles
from search_core.errors import UsageError
from search_core.messages import Message
from search_core.schema.entity import CapturedFrom, MediaEntity, MediaType, is_address
from search_core.schema.filters import Filter
from search_core.settings import Settings
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


#: A recipe that no source was ever taken in with: nothing counts as done already.
_NO_RECIPE = ""
_GONE = Message("is not there any more")
_CHANGED = Message("has other content now")
_ELSEWHERE = Message("is not on this machine; `sightline library retime --re-read` fetches it")


@dataclass(frozen=True, slots=True)
class Reading:
    """When a recording starts (epoch ms), where that was read, and its camera."""

    captured_at: int
    captured_from: CapturedFrom
    camera: str


#: Hears how many of how many files are read.
OnProgress: TypeAlias = Callable[[int, int], None]
#: A reading, or why there is none: a predicate about the file.
Result: TypeAlias = Reading | str


class Rereader:
    """Reads recordings of one library again; without ``fetch`` only those on this machine."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        library: str,
        *,
        fetch: bool = True,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._ledger = ledger
        self._library = library
        self._plan = Plan(
            library=library,
            recipe=_NO_RECIPE,
            camera=None,
            uploads_dir=settings.uploads_dir,
            clocks=settings.camera_clocks,
            options=DecodeOptions.of(settings),
        )

    def read(
        self, recordings: Sequence[Recording], on_progress: OnProgress, *, as_they_are: bool
    ) -> Iterator[tuple[Recording, Result]]:
        """Yield each recording with what was read of it.

        With ``as_they_are`` its time is read by the clock of the camera that it has in the library.
        """
        places = {item.source_id: self._place_of(item) for item in recordings}
        wanted = {
            source_id: uri
            for source_id, uri in places.items()
            if uri is not None and (self._fetch or not is_address(uri))
        }
        # The clock of a file is that of its main track: the lowest track of a source is set last.
        by_track = sorted(recordings, key=lambda item: -item.track) if as_they_are else []
        cameras = {item.source_id: main_camera(item.camera, item.track) for item in by_track}
        results: dict[str, Result] = {}
        for naming, part in self._by_naming(wanted):
            self._read_part(part, naming, cameras, results, len(wanted), on_progress)
        for item in recordings:
            missing = _GONE if places[item.source_id] is None else _ELSEWHERE
            result = results.get(item.source_id, missing)
            if isinstance(result, Reading):
                result = replace(result, camera=camera_of_track(result.camera, item.track))
            yield item, result

    def _place_of(self, recording: Recording) -> str | None:
        """Return where a recording's source is, as an ingest calls it; None when it is gone."""
        lines = self._ledger.of_sources(self._library, [recording.source_id])
        known = self._ledger.paths_of(recording.source_id)
        for uri in dict.fromkeys((*(line.uri for line in lines), recording.uri, *known)):
            if is_address(uri) or Path(file_of(uri)).is_file():
                return uri
        return None

    def _by_naming(self, wanted: dict[str, str]) -> Iterator[tuple[Naming, dict[str, str]]]:
        """Yield sources together whose names the ingest read by the same patterns."""
        parts: dict[tuple[str, ...], dict[str, str]] = {}
        alone: list[str] = []
        for source_id, uri in wanted.items():
            text = recorded_options(self._ledger, self._library, source_id)
            options = IngestOptions.from_text(text) if text else IngestOptions(alone=False)
            parts.setdefault(options.name_patterns, {})[source_id] = uri
            alone += [uri] if options.alone else []
        for patterns, part in parts.items():
            yield Naming.of(self._settings, patterns).with_alone(alone), part

    def _read_part(
        self,
        wanted: dict[str, str],
        naming: Naming,
        cameras: dict[str, str],
        results: dict[str, Result],
        total: int,
        on_progress: OnProgress,
    ) -> None:
        """Add to ``results`` what sources say whose names are read like this."""
        stop = threading.Event()
        remote = RemoteFiles(self._settings.remote)
        plan = replace(self._plan, naming=naming)
        with Intake(plan, self._ledger, stop.is_set, self._settings, remote) as intake:
            sources = self._sources(set(wanted.values()), remote)
            prepared = _headers(intake.prepare(iter(sources)), wanted, cameras)
            told = LocalEngine(self._settings.media.workers).decode(prepared)
            source_ids = {uri: source_id for source_id, uri in wanted.items()}
            try:
                for news in told:
                    match news:
                        case SourceOutcome(uri, reason=reason):
                            results.setdefault(source_ids[uri], reason)
                        case (DecodeTask() as task, Opened() as opened):
                            results[task.source_id] = self._reading(task, opened)
                        case (DecodeTask() as task, Failed(reason=reason)):
                            results[task.source_id] = reason
                    on_progress(len(results), total)
            finally:
                stop.set()
                told.close()

    def _reading(self, task: DecodeTask, opened: Opened) -> Reading:
        if task.spooled:
            task.path.unlink(missing_ok=True)
        captured = self._plan.capture_time(task, opened)
        return Reading(captured.at_ms, captured.captured_from, task.camera)

    def _sources(self, uris: set[str], remote: RemoteFiles) -> list[Source | SourceOutcome]:
        """Return the sources of these uris; of an archive, these members alone.

        None counts as named: its camera is that of a file in its folder.
        """
        files = list(dict.fromkeys(map(file_of, sorted(uris))))
        found = find_sources(files, self._settings.data_dir, remote)
        return [
            replace(source, named=False) if isinstance(source, Source) else source
            for source in found
            if source.uri in uris
        ]


def _headers(
    prepared: Iterator[Prepared], wanted: dict[str, str], cameras: dict[str, str]
) -> Iterator[Prepared]:
    """Ask for the headers of what is still what was taken in."""
    for item in prepared:
        if not isinstance(item, DecodeTask):
            yield item
        elif wanted.get(item.source_id) == item.uri:
            yield replace(
                item,
                header_only=True,
                camera=cameras.get(item.source_id, item.camera),
            )
        else:
            if item.spooled:
                with suppress(OSError):
                    item.path.unlink()
            yield SourceOutcome(item.uri, "failed", _CHANGED)
