"""Watch live cameras: one process each decodes; this one embeds, writes and keeps the status log.

Watched folders are looked after here too, in threads of their own: they share the encoder.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from ingest.cameras.camera import Camera
from ingest.cameras.events import LiveKeyframe, Lost, Seen, StreamEvent, Trouble
from ingest.cameras.folders.folder import WatchedFolder
from ingest.cameras.folders.watching import FolderObserver, watch_folders
from ingest.cameras.folders.watching import Wanted as WantedFolders
from ingest.cameras.lettering import LiveReading
from ingest.cameras.live_writer import LiveWriter
from ingest.cameras.status_log import Diary
from ingest.cameras.stills import keep_name
from ingest.cameras.supervisor import Patience, Sink, Supervisor, Watchers
from ingest.options import LIVE_RECIPE, recipe_of
from ingest.report import SourceOutcome
from ingest.rows.retention import forget_missing, prune, rules_of
from search_core.encoders.base import Encoder
from search_core.errors import SightlineError, StoreError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.cancellation import Stop
from search_core.system.machine import now_ms

#: How often it is asked which cameras are to be watched.
LOOK_EVERY_S = 1.0

_log = logging.getLogger(__name__)

#: Gives the cameras that are to be watched now; may raise SightlineError.
Wanted = Callable[[], Sequence[Camera]]


class Watches:
    """Watches the cameras that are wanted; all its methods are for one thread.

    ``sink`` receives the events of cameras, from their threads; ``on_end`` is called in this one
    when a camera is watched no more.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        encoder: Encoder,
        diary: Diary,
        sink: Sink,
        on_end: Callable[[Camera], None],
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._encoder = encoder
        self._diary = diary
        self._sink = sink
        self._on_end = on_end
        self._patience = patience
        self._watchers = Watchers[Camera, Supervisor](
            self._begin, lambda one, camera: one.camera.is_watched_as(camera), self._finish
        )
        self._libraries: set[str] = set()
        self._look_s = 0.0

    def begin_with(self, cameras: Sequence[Camera]) -> None:
        """Want these, until it is asked what is wanted; raises EncoderMismatch, StoreError."""
        for library in dict.fromkeys(camera.library for camera in cameras):
            self._ensure(library)
        self._watchers.ask(lambda: cameras)

    def follow(self, wanted: Wanted) -> None:
        """Begin and end what changed; never waits for a camera.

        Asks for what is wanted every LOOK_EVERY_S; while they cannot be read nothing changes.
        """
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + LOOK_EVERY_S
            self._watchers.ask(wanted)
        self._watchers.follow()

    def end(self) -> None:
        """End them all, and wait until they have ended."""
        self._watchers.stop()
        for supervisor in self._watchers.running.values():
            supervisor.join()

    def note_ends(self) -> None:
        """Log the end of each."""
        for supervisor in self._watchers.running.values():
            self._finish(supervisor)

    def _begin(self, camera: Camera) -> Supervisor:
        supervisor = Supervisor(
            camera,
            self._settings,
            self._encoder.preprocess,
            self._sink,
            threading.Event(),
            admit=lambda: self._admit(camera),
            patience=self._patience,
        )
        self._diary.begin(camera, now_ms())
        supervisor.start()
        return supervisor

    def _admit(self, camera: Camera) -> None:
        """Make sure of what a camera needs; called in its own thread, again until it succeeds."""
        keep_name(self._settings.stills_dir, camera.name)
        if camera.library not in self._libraries:
            self._ensure(camera.library)

    def _ensure(self, library: str) -> None:
        self._store.ensure_library(library, self._encoder.identity)
        self._libraries.add(library)

    def _finish(self, supervisor: Supervisor) -> None:
        self._on_end(supervisor.camera)
        self._diary.end(supervisor.camera.name, now_ms())


PRUNE_EVERY_S = 3600.0
_WAIT_S = 0.1
_NOTE_EVERY_MS = 2_000


Observer = Callable[[Camera, StreamEvent | MediaEntity], None]


def shared_library(cameras: Iterable[Camera], folders: Iterable[WatchedFolder]) -> str | None:
    """Return the library that all of them go into, None where there are several or none."""
    libraries = {camera.library for camera in cameras} | {one.library for one in folders}
    return libraries.pop() if len(libraries) == 1 else None


def watch(
    settings: Settings,
    store: Store,
    encoder: Encoder,
    cameras: Sequence[Camera],
    stop: Stop,
    *,
    roster: Wanted | None = None,
    observe: Observer = lambda camera, event: None,
    patience: Patience | None = None,
    folders: WantedFolders | None = None,
    observe_folder: FolderObserver = lambda folder, told: None,
) -> None:
    """Watch cameras and ``folders`` until ``stop`` is set; what is new can be searched soon after.

    With a ``roster`` it is asked every second which cameras are to be watched from then on, and so
    are ``folders``; those that do not change are not disturbed. ``observe`` receives what happens,
    from several threads: events, and the entities Milvus has acknowledged. While Milvus is away
    keyframes wait. Raises, for ``cameras``, EncoderMismatch, and StoreError when Milvus cannot be
    reached at the start; those that come later are tried again instead.
    """
    over = threading.Event()
    with ExitStack() as stack:
        diary = stack.enter_context(Diary(settings.ledger_path))
        recipe = recipe_of(encoder.identity.digest, LIVE_RECIPE)
        reading = LiveReading(settings, store)

        def observe_row(camera: Camera, entity: MediaEntity) -> None:
            reading.note(camera.library)
            observe(camera, entity)

        def observe_file(folder: WatchedFolder, told: SourceOutcome | str) -> None:
            reading.note(folder.library)
            observe_folder(folder, told)

        writer = LiveWriter(settings, store, encoder, diary, recipe, observe_row)
        journal = _Journal(diary, writer, observe)
        watches = Watches(settings, store, encoder, diary, journal.take, journal.end, patience)
        watches.begin_with(cameras)
        threads: list[_Thread] = [
            _Thread("retention", over, lambda: _prune_now_and_then(settings, store, over)),
            _Thread("live writer", over, lambda: _write_on(writer, over)),
            _Thread("lettering", over, lambda: reading.read_on(over)),
        ]
        if folders is not None:
            threads.append(
                _Thread(
                    "folders",
                    over,
                    lambda: watch_folders(
                        folders, settings, store, encoder, over, observe=observe_file
                    ),
                )
            )
        for thread in threads:
            thread.start()
        try:
            while not (stop.is_set() or over.is_set()):
                watches.follow(roster or (lambda: cameras))
                writer.embed(_WAIT_S)
        finally:
            over.set()
            watches.end()
            for thread in threads:
                thread.join()
            writer.finish()
            watches.note_ends()
        for thread in threads:
            if thread.error is not None:
                raise thread.error


class _Thread(threading.Thread):
    """A thread whose failure ends the watching; ``error`` is what it failed of."""

    def __init__(self, name: str, over: threading.Event, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.error: BaseException | None = None
        self._over = over
        self._work = work

    def run(self) -> None:
        """Do the work."""
        try:
            self._work()
        except BaseException as error:
            self.error = error
            self._over.set()


def _write_on(writer: LiveWriter, over: threading.Event) -> None:
    while not over.is_set():
        over.wait(writer.write(_WAIT_S))


class _Journal:
    """Receives supervisors' events: keyframes go to the writer, the rest to both logs."""

    def __init__(self, diary: Diary, writer: LiveWriter, observe: Observer) -> None:
        self._diary = diary
        self._writer = writer
        self._observe = observe
        self._seen: dict[str, Seen] = {}
        self._noted_ms: dict[str, int] = {}
        self._said: dict[str, str] = {}

    def take(self, camera: Camera, event: StreamEvent) -> None:
        """Take what one camera's thread tells."""
        match event:
            case LiveKeyframe():
                self._writer.put(camera, event)
            case Seen():
                self._see(camera, event)
            case Lost(reason):
                self._flush(camera)
                self._diary.lost(camera.name, reason, now_ms())
                self._noted_ms.pop(camera.name, None)
                self._say(camera, reason)
            case Trouble(reason):
                self._diary.add_dropped(camera.name, 1)
                self._say(camera, reason)
        self._observe(camera, event)

    def end(self, camera: Camera) -> None:
        """Log what is left of a camera whose watching ended."""
        self._flush(camera)
        self._noted_ms.pop(camera.name, None)
        if self._said.pop(camera.name, None) is not None:
            _log.info("%s is not watched any more", camera.name)

    def _see(self, camera: Camera, seen: Seen) -> None:
        waiting = self._seen.get(camera.name)
        first = camera.name not in self._noted_ms
        if waiting is not None:
            seen = Seen(
                seen.last_frame_ms,
                seen.frames + waiting.frames,
                seen.dropped + waiting.dropped,
                max(seen.lag_ms, waiting.lag_ms),
            )
        self._seen[camera.name] = seen
        if first or seen.last_frame_ms - self._noted_ms[camera.name] >= _NOTE_EVERY_MS:
            self._flush(camera)
        if first:
            self._say(camera, "is live")

    def _flush(self, camera: Camera) -> None:
        """Write what was seen of a camera into the status log."""
        seen = self._seen.pop(camera.name, None)
        if seen is not None:
            self._noted_ms[camera.name] = last = seen.last_frame_ms
            self._diary.seen(camera.name, last, last, seen.frames, seen.dropped, seen.lag_ms)

    def _say(self, camera: Camera, words: str) -> None:
        """Log what happens to a camera, once until it is something else."""
        if self._said.get(camera.name) != words:
            self._said[camera.name] = words
            _log.info("%s %s", camera.name, words)


def _prune_now_and_then(settings: Settings, store: Store, over: threading.Event) -> None:
    while True:
        try:
            for rule in rules_of(settings):
                prune(settings, store, rule, datetime.now(UTC))
            for library, age in sorted(settings.forget_missing.items()):
                forget_missing(settings, store, library, age, datetime.now(UTC))
        except StoreError as error:
            _log.warning("%s", error.message)
        except (SightlineError, OSError) as error:
            _log.warning("retention: %s", error)
        if over.wait(PRUNE_EVERY_S):
            return
