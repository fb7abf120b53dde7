"""Read again, from the media, when and by which camera recordings were taken.

It goes the way of an ingest up to the opened file: intake prepares each source, a decoding process
opens it, and the rules of today say which time and which camera it has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ingest.curation.recordings import Recording
from ingest.engines.base import (
    DecodeOptions,
    DecodeTask,
    Failed,
    Opened,
    Prepared,
    camera_of_track,
    main_camera,
)
from ingest.engines.local import LocalEngine
from ingest.intake import Intake, Plan
from ingest.ledger import Ledger
from ingest.options import IngestOptions, recorded_options
from ingest.report import SourceOutcome
from ingest.sources.discovery import Source, file_of, find_sources
from ingest.sources.names.reading import Naming
from ingest.sources.remote.files import RemoteFiles
from search_core.messages import Message
from search_core.schema.entity import CapturedFrom, is_address
from search_core.settings import Settings

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
            options=DecodeOptions.for_headers(settings),
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
