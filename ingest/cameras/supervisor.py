"""Keeps one camera going: its process, its connection, and what it tells, in a thread of its own.

Whatever happens to a camera happens here and in its process; other cameras have their own. A camera
is not a job (ingest.jobs): it never ends, and is watched for as long as its serve or watch runs.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ingest.cameras.camera import Camera, only_watcher
from ingest.cameras.events import Lost, Ready, StreamEvent, StreamTask
from search_core.encoders.base import Preprocess
from search_core.errors import ServeError, SightlineError, in_words
from search_core.messages import Message
from search_core.settings import Settings
from search_core.system.cancellation import Stop
from search_core.system.child_process import ChildProcess

FIRST_S = 0.5
LONGEST_S = 30.0
#: A connection that lasted this long was a good one: the next wait is a short one again.
STEADY_S = 20.0


class Backoff:
    """Exponential, with jitter: each wait is between half and all of what is due.

    ``draw`` gives numbers from 0 to 1.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._due_s = FIRST_S

    def next_s(self, lasted_s: float = 0.0) -> float:
        """Return how long to wait after a connection that lasted ``lasted_s``."""
        if lasted_s >= STEADY_S:
            self._due_s = FIRST_S
        wait_s = self._due_s * (0.5 + 0.5 * self._draw())
        self._due_s = min(LONGEST_S, self._due_s * 2)
        return wait_s


ENTRY = "ingest.cameras.decode_process:main"
_LOOK_EVERY_S = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence is borne, in seconds.

    ``connect_s``: a camera that does not answer. ``stall_s``: one that sends no picture.
    ``hang_s``: a decoding process that says nothing, which is more than both.
    """

    connect_s: float = 10.0
    stall_s: float = 10.0
    hang_s: float = 30.0


Sink = Callable[[Camera, StreamEvent], None]


class Supervisor:
    """Watches a camera until ``stop`` is set; ``sink`` receives its events.

    ``admit`` is called before; while it raises SightlineError or OSError the camera is not watched.
    Between two connections it waits, longer each time (see Backoff). ``sink`` is called from this
    camera's thread, and so is ``admit``.
    """

    def __init__(
        self,
        camera: Camera,
        settings: Settings,
        preprocess: Preprocess,
        sink: Sink,
        stop: Stop,
        *,
        admit: Callable[[], None] = lambda: None,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        entry: str = ENTRY,
    ) -> None:
        self.camera = camera
        self._settings = settings
        self._sink = sink
        self._stop = stop
        self._admit = admit
        self._patience = patience or Patience()
        self._backoff = backoff or Backoff()
        self._entry = entry
        self._process: ChildProcess | None = None
        self._task = self._make_task(preprocess)
        self._thread = threading.Thread(target=self._run, name=f"camera {camera.name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that decodes this camera, None when there is none."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def has_ended(self) -> bool:
        """Whether watching has ended, which nothing but ``stop`` makes it do."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begin watching."""
        self._thread.start()

    def join(self) -> None:
        """Wait until watching has ended; ``stop`` makes it end."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._admit()
                with only_watcher(self._settings, self.camera.name):
                    self._watch()
                return
            except ServeError:
                self._tell(Lost(Message("is watched by another process already")))
            except SightlineError as error:
                self._tell(Lost(Message("cannot be watched: {reason}", reason=error.message)))
            except OSError as error:
                self._tell(Lost(Message("cannot be watched: {reason}", reason=in_words(error))))
            self._stop.wait(self._backoff.next_s(time.monotonic() - began_s))

    def _watch(self) -> None:
        """Connect again and again."""
        try:
            while not self._stop.is_set():
                began_s = time.monotonic()
                reason = self._follow()
                if self._stop.is_set():
                    return
                self._tell(Lost(reason))
                self._stop.wait(self._backoff.next_s(time.monotonic() - began_s))
        finally:
            if self._process is not None and self._process.alive:
                self._process.kill()

    def _follow(self) -> str:
        """Give the process the stream and pass on what it tells; return why that ended."""
        try:
            if self._process is None or not self._process.alive:
                self._process = ChildProcess(self._entry)
        except SightlineError as error:
            return Message("cannot be decoded: {error}", error=error.message)
        process = self._process
        heard_s = time.monotonic()
        try:
            process.connection.send(self._task)
            while not self._stop.is_set():
                if process.connection.poll(_LOOK_EVERY_S):
                    event: StreamEvent = process.connection.recv()
                    heard_s = time.monotonic()
                    if isinstance(event, Lost):
                        return event.reason
                    if not isinstance(event, Ready):
                        self._tell(event)
                elif time.monotonic() - heard_s > self._patience.hang_s:
                    process.kill()
                    return Message(
                        "made its decoder hang: it said nothing for {time:g} s",
                        time=self._patience.hang_s,
                    )
        except (EOFError, OSError):
            return Message("made its decoder crash ({status})", status=process.bury())
        return Message("is not watched any more")

    def _tell(self, event: StreamEvent) -> None:
        try:
            self._sink(self.camera, event)
        except Exception:  # whoever listens: the camera is watched all the same
            _log.exception("what happens to the camera %s could not be told", self.camera.name)

    def _make_task(self, preprocess: Preprocess) -> StreamTask:
        return StreamTask(
            camera=self.camera.name,
            url=self.camera.url.get_secret_value(),
            transport=self.camera.transport,
            connect_s=self._patience.connect_s,
            stall_s=self._patience.stall_s,
            preprocess=preprocess,
            data_dir=self._settings.data_dir,
            stills_dir=self._settings.stills_dir,
            thumbnail_px=self._settings.media.thumbnail_px,
            max_pixels=self._settings.media.max_pixels,
        )
