"""Lettering read on keyframes that are in a library already: after an ingest, or as a backlog.

What was not read is known by its row, so that reading may end anywhere and goes on from there.
Each keyframe is decoded from its source at its moment, a few of one file at a time, in a process
for each core; rows are written here, one file's after the other's. When all of a file is read, the
clock that was burned into it dates it, where nothing better does.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePath

from ingest.engines.base import main_camera
from ingest.evidence.originals import Originals
from ingest.ledger import Ledger
from ingest.media.capture_time.claims import CaptureTime, with_overlay
from ingest.media.lettering.clock import overlay_starts
from ingest.media.lettering.overlay import Overlays
from ingest.media.lettering.process import Picture, ReadingProcess, ReadTask
from ingest.media.lettering.reader import what_is_missing
from ingest.options import IngestOptions, recorded_options
from ingest.report import ReadReport
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.schema.clocks import Clock
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, stored_lines
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store, chunks_where, entities_where
from search_core.system.cancellation import Interrupted
from search_core.system.machine import available_memory_bytes, cores

#: So many keyframes are read before they are written: ten to sixty seconds' work.
_AT_ONCE = 32
_MOST_PROCESSES = 8
#: What a process takes that reads frames of 1080p.
_PROCESS_BYTES = 1 << 30
_LOOK_EVERY_S = 0.1
#: In the background what recurs is learned anew after so many keyframes of a library.
_REMEMBERED = 2_000

OnRead = Callable[[int, int, str], None]


def read_lettering(
    settings: Settings,
    store: Store,
    ledger: Ledger,
    library: str,
    where: Filter = NO_FILTER,
    *,
    on_progress: OnRead = lambda done, total, current: None,
    should_stop: Callable[[], bool] = lambda: False,
    background: Background | None = None,
) -> ReadReport:
    """Read what passes a filter and was not read yet.

    ``on_progress`` hears how many keyframes of how many are done, and the file at hand. Where it is
    to stop, the report says interrupted; what was read is kept. With ``background`` one process of
    the least priority reads, which goes on with the next call. Raises UsageError where what reads
    is not installed, and where the library's collection cannot hold what is read.
    """
    if missing := what_is_missing():
        raise UsageError("Nothing was read: {reason}.", reason=missing)
    if not store.library(library).keeps_lettering:
        raise UsageError(
            "The library {name} was made before lettering was kept, and has no field for it.",
            "`sightline library read` makes one; so does building its index again.",
            name=library,
        )
    began_s = time.monotonic()
    run = _Run(settings, store, ledger, library, should_stop, background)
    try:
        with closing(run):
            run.read(replace(where, is_unread=True), on_progress)
    except Interrupted:
        run.report.interrupted = True
    run.report.seconds = time.monotonic() - began_s
    return run.report


class Background:
    """What reads a few keyframes of a library now and then, while cameras are watched.

    It remembers what recurs in a camera's frames, for as many as say what its overlay is.
    """

    def __init__(self) -> None:
        self.process = ReadingProcess()
        self.overlays = Overlays()
        self._left = _REMEMBERED

    def count(self, keyframes: int) -> None:
        """Count keyframes that were read; after many, what recurs in them is learned anew."""
        self._left -= keyframes
        if self._left < 0:
            self.overlays, self._left = Overlays(), _REMEMBERED

    def close(self) -> None:
        """End the process, where there is one; it is started again when it is needed."""
        self.process.close()


@dataclass(frozen=True, slots=True, order=True)
class _Pending:
    """A keyframe that is to be read, in the order in which that is done."""

    camera: str
    source_id: str
    track: int
    pts_ms: int
    id: str


class _Run:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        ledger: Ledger,
        library: str,
        should_stop: Callable[[], bool],
        background: Background | None,
    ) -> None:
        self.report = ReadReport()
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._library = library
        self._should_stop = should_stop
        self._originals = Originals(settings, ledger)
        self._background = background
        self._overlays = background.overlays if background else Overlays()
        self._burned_in: dict[str, list[tuple[int, tuple[Line, ...]]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._done = 0
        self._current = ""
        self._processes: queue.SimpleQueue[ReadingProcess] = queue.SimpleQueue()
        count = 0 if background else reading_processes()
        self._own = [ReadingProcess() for _ in range(count)]
        for process in [background.process] if background else self._own:
            self._processes.put(process)
        self._pool = ThreadPoolExecutor(max(1, count), thread_name_prefix="reading")

    def close(self) -> None:
        """End its own processes, whatever they are at."""
        self._ended.set()
        self._pool.shutdown(cancel_futures=True)
        for process in self._own:
            process.close()

    def read(self, where: Filter, on_progress: OnRead) -> None:
        pending = sorted(
            _Pending(entity.camera, entity.source_id, entity.track, entity.pts_ms, entity.id)
            for page in entities_where(self._store, self._library, where)
            for entity in page
        )
        on_progress(0, len(pending), "")
        groups = list(_of_one_source(pending))
        last = {group[0].source_id: number for number, group in enumerate(groups)}
        futures = [self._pool.submit(self._read_group, group) for group in groups]
        for number, (group, future) in enumerate(zip(groups, futures, strict=True)):
            while not future.done():
                wait([future], timeout=_LOOK_EVERY_S)
                if self._should_stop():
                    raise Interrupted
                on_progress(self._done, len(pending), self._current)
            source_id = group[0].source_id
            self._write(future.result(), source_id if last[source_id] == number else None)
        on_progress(len(pending), len(pending), "")

    def _read_group(self, group: Sequence[_Pending]) -> dict[str, tuple[Line, ...]]:
        """Return the lines of each keyframe of one source that can be read, by its id."""
        ids = tuple(one.id for one in group)
        # Looked up now: camera and path may have been corrected since it was listed.
        entities = self._store.entities(self._library, Filter(ids=ids), limit=len(ids))
        process = self._processes.get()
        lines: dict[str, tuple[Line, ...]] = {}
        try:
            for key, read in self._lines(entities, process):
                lines[key] = read
                with self._lock:
                    self._done += 1
                    self._current = PurePath(entities[0].uri).name
        finally:
            self._processes.put(process)
        return lines

    def _lines(
        self, entities: Sequence[MediaEntity], process: ReadingProcess
    ) -> Iterator[tuple[str, tuple[Line, ...]]]:
        """Yield the lines of each keyframe that can be read, by its id.

        They are of one file; but each still of a live camera is a file of its own.
        """
        by_file = sorted(entities, key=lambda entity: (entity.uri, entity.pts_ms))
        for _, of_file in groupby(by_file, lambda entity: entity.uri):
            yield from self._lines_of_file(list(of_file), process)

    def _lines_of_file(
        self, entities: Sequence[MediaEntity], process: ReadingProcess
    ) -> Iterator[tuple[str, tuple[Line, ...]]]:
        try:
            with self._originals.file(self._library, entities[0]) as path:
                pictures = tuple(
                    Picture(
                        e.id,
                        0 if e.is_live else e.pts_ms,
                        e.track,
                        is_photograph=e.media_type == "image",
                    )
                    for e in entities
                )
                most = self._settings.media.max_pixels
                task = ReadTask(path, pictures, most, self._background is not None)
                with closing(process.read(task)) as told:
                    for read in told:
                        if read is None:
                            if self._ended.is_set():
                                raise Interrupted
                        elif read.reason:
                            self._fail(entities, read.reason, 1)
                        else:
                            yield read.key, read.lines
        except MediaError as error:
            self._fail(entities, error.message, len(entities))
        except OSError as error:
            reason = Message("cannot be read: {error}", error=in_words(error))
            self._fail(entities, reason, len(entities))

    def _fail(self, entities: Sequence[MediaEntity], reason: str, count: int) -> None:
        with self._lock:
            self.report.reasons[entities[0].uri] = reason
            self.report.failed += count

    def _write(self, lines: dict[str, tuple[Line, ...]], ended: str | None) -> None:
        """Give keyframes and their regions what was read, as their rows are now.

        Their other fields may have changed meanwhile. ``ended`` is the source of which they are the
        last, and is dated before they are written: a run that is ended between does it again.
        """
        every = Filter(ids=tuple(lines))
        pages = entities_where(self._store, self._library, every) if lines else ()
        entities = [entity for page in pages for entity in page]
        for entity in entities:
            self._overlays.note(_place_of(entity), lines[entity.id])
        stored = {}
        for entity in entities:
            marked = self._overlays.marked(_place_of(entity), lines[entity.id])
            stored[entity.id] = stored_lines(marked)
            if burned_in := tuple(line for line in marked if line.is_overlay):
                self._burned_in[entity.source_id].append((entity.pts_ms, burned_in))
            self.report.keyframes += 1
            self.report.lettered += any(not line.is_overlay for line in marked)
        if ended is not None:
            self._date(ended)
        for page in chunks_where(self._store, self._library, every) if lines else ():
            rows = [replace(e, lettering=stored[e.keyframe_id]) for e in page.entities]
            self._store.upsert(self._library, rows, page.embeddings)

    def _date(self, source_id: str) -> None:
        """Give a source the time of the clock burned into it, or tell that it contradicts."""
        frames = self._burned_in.pop(source_id, ())
        where = Filter(source_ids=(source_id,))
        found = self._store.entities(self._library, where, limit=1) if frames else ()
        if not found or found[0].is_live:
            return
        first = found[0]
        before = CaptureTime(first.captured_at - first.pts_ms, first.captured_from)
        after = with_overlay(before, overlay_starts(frames, self._clock_of(first)))
        if after.warning:
            self.report.time_warnings[first.uri] = after.warning
        elif after != before:
            self.report.dated.append(first.uri)
            for page in chunks_where(self._store, self._library, where):
                rows = [
                    replace(e, captured_at=after.at_ms + e.pts_ms, captured_from="overlay")
                    for e in page.entities
                ]
                self._store.upsert(self._library, rows, page.embeddings)

    def _clock_of(self, entity: MediaEntity) -> Clock:
        """Return the clock of an entity's camera, as the ingest of its source was told of it."""
        options = recorded_options(self._ledger, self._library, entity.source_id)
        asked = IngestOptions.from_text(options) if options else IngestOptions()
        return asked.clocks(self._settings).of(main_camera(entity.camera, entity.track))


def _place_of(entity: MediaEntity) -> str:
    """Return what has one layout of burned-in text: a camera, else a recording."""
    return entity.camera or entity.source_id


def reading_processes() -> int:
    """Return how many processes read at a time: one a core, as far as memory goes."""
    memory = available_memory_bytes()
    fit = _MOST_PROCESSES if memory is None else memory // _PROCESS_BYTES
    return max(1, min(cores(), _MOST_PROCESSES, fit))


def _of_one_source(pending: Sequence[_Pending]) -> Iterator[list[_Pending]]:
    """Yield keyframes of one source, a few at a time."""
    for _, group in groupby(pending, lambda one: (one.camera, one.source_id)):
        every = list(group)
        for start in range(0, len(every), _AT_ONCE):
            yield every[start : start + _AT_ONCE]
