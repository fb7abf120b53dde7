"""The cameras that are being watched: begun, ended and begun anew as the roster changes.

Each has a supervisor of its own, so that what happens to one disturbs no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.streams.camera import Camera
from ingest.streams.diary import Diary
from ingest.streams.stills import keep_name
from ingest.streams.supervisor import Patience, Sink, Supervisor
from search_core.encoders.base import Encoder
from search_core.errors import SightlineError
from search_core.library import Store
from search_core.settings import Settings

#: How often it is asked which cameras are to be watched.
LOOK_EVERY_S = 1.0

_log = logging.getLogger(__name__)

#: Gives the cameras that are to be watched now; may raise SightlineError.
Wanted = Callable[[], Sequence[Camera]]


@dataclass(slots=True)
class _Watch:
    camera: Camera
    supervisor: Supervisor
    stop: threading.Event


class Watches:
    """Watches the cameras that are wanted; all its methods are for one thread.

    ``sink`` is given what is told of cameras, from their threads; ``on_end`` is called in this one
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
        self._running: dict[str, _Watch] = {}
        self._wanted: dict[str, Camera] = {}
        self._libraries: set[str] = set()
        self._look_s = 0.0
        self._said = ""

    def begin_with(self, cameras: Sequence[Camera]) -> None:
        """Want these, until it is asked what is wanted; raises EncoderMismatch, StoreError."""
        for library in dict.fromkeys(camera.library for camera in cameras):
            self._ensure(library)
        self._wanted = {camera.name: camera for camera in cameras}

    def follow(self, wanted: Wanted) -> None:
        """Begin and end what changed; never waits for a camera.

        Asks for what is wanted every LOOK_EVERY_S; while that cannot be told nothing changes.
        """
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + LOOK_EVERY_S
            self._ask(wanted)
        for name, watch in list(self._running.items()):
            camera = self._wanted.get(name)
            if camera is None or not watch.camera.is_watched_as(camera):
                watch.stop.set()
                if watch.supervisor.has_ended:
                    self._finish(watch)
        for name, camera in self._wanted.items():
            if name not in self._running:
                self._begin(camera)

    def end(self) -> None:
        """End them all, and wait until they have ended."""
        for watch in self._running.values():
            watch.stop.set()
        for watch in self._running.values():
            watch.supervisor.join()

    def note_ends(self) -> None:
        """Say of each that it is watched no more."""
        for watch in list(self._running.values()):
            self._finish(watch)

    def _ask(self, wanted: Wanted) -> None:
        try:
            self._wanted = {camera.name: camera for camera in wanted()}
            self._said = ""
        except SightlineError as error:
            if error.message != self._said:
                self._said = error.message
                _log.warning("%s Nothing changes until then. %s", error.message, error.hint)

    def _begin(self, camera: Camera) -> None:
        stop = threading.Event()
        supervisor = Supervisor(
            camera,
            self._settings,
            self._encoder.preprocess,
            self._sink,
            stop,
            admit=lambda: self._admit(camera),
            patience=self._patience,
        )
        self._diary.begin(camera, _now_ms())
        self._running[camera.name] = _Watch(camera, supervisor, stop)
        supervisor.start()

    def _admit(self, camera: Camera) -> None:
        """Make sure of what a camera needs; called in its own thread, again until it succeeds."""
        keep_name(self._settings.stills_dir, camera.name)
        if camera.library not in self._libraries:
            self._ensure(camera.library)

    def _ensure(self, library: str) -> None:
        self._store.ensure_library(library, self._encoder.identity)
        self._libraries.add(library)

    def _finish(self, watch: _Watch) -> None:
        del self._running[watch.camera.name]
        self._on_end(watch.camera)
        self._diary.end(watch.camera.name, _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
