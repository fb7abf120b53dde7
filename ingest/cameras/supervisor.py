"""Keeps one camera going: its process, its connection, and what it tells, in a thread of its own.

Whatever happens to a camera happens here and in its process; other cameras have their own. A camera
is not a job (ingest.jobs): it never ends, and is watched for as long as its serve or watch runs.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ingest.cameras.camera import Camera, only_watcher
from ingest.cameras.events import Lost, Ready, StreamEvent, StreamTask
from ingest.media.regions.registry import parse_regions
from search_core.encoders.base import Preprocess
from search_core.errors import MediaError, ServeError, SightlineError, in_words
from search_core.messages import Message
from search_core.settings import Settings
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


class Watcher(threading.Thread):
    """Watches a camera or a folder until ``stop`` is set; again after any error.

    ``lock_name`` is what is held meanwhile. ``admit`` is called before, in this thread; while it
    raises SightlineError or OSError nothing is watched.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        lock_name: str,
        stop: threading.Event,
        backoff: Backoff | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.stop = stop
        self._settings = settings
        self._lock_name = lock_name
        self._backoff = backoff or Backoff()
        self._admit = admit

    def run(self) -> None:
        """Watch until asked to stop."""
        while not self.stop.is_set():
            began_s = time.monotonic()
            try:
                self._admit()
                with only_watcher(self._settings, self._lock_name):
                    self._watch()
                return
            except ServeError:
                self._say(Message("is watched by another process already"))
            except SightlineError as error:
                self._lose(Message("cannot be watched: {reason}", reason=error.message))
            except OSError as error:
                self._lose(Message("cannot be watched: {reason}", reason=in_words(error)))
            except Exception:
                _log.exception("watching the %s", self.name)
                self._lose(Message("cannot be watched: see the log"))
            self.stop.wait(self._backoff.next_s(time.monotonic() - began_s))

    def _watch(self) -> None:
        """Watch until asked to stop; raises what makes that impossible."""
        raise NotImplementedError

    def _lose(self, reason: str) -> None:
        """Note that it cannot be watched now, and say so."""
        raise NotImplementedError

    def _say(self, reason: str) -> None:
        """Say why it cannot be watched, where another process takes note."""
        self._lose(reason)


class Supervisor(Watcher):
    """Watches a camera; ``sink`` receives its events, called from this camera's thread.

    Between two connections it waits, longer each time (see Backoff).
    """

    def __init__(
        self,
        camera: Camera,
        settings: Settings,
        preprocess: Preprocess,
        sink: Sink,
        stop: threading.Event,
        *,
        admit: Callable[[], None] = lambda: None,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        entry: str = ENTRY,
    ) -> None:
        super().__init__(settings, f"camera {camera.name}", camera.name, stop, backoff, admit)
        self.camera = camera
        self._sink = sink
        self._patience = patience or Patience()
        self._process = ChildProcess(entry, self._patience.hang_s)
        self._task = self._make_task(preprocess)

    @property
    def pid(self) -> int | None:
        """The process that decodes this camera, None when there is none."""
        return self._process.pid

    def _lose(self, reason: str) -> None:
        self._tell(Lost(reason))

    def _watch(self) -> None:
        """Connect again and again."""
        with closing(self._process):
            while not self.stop.is_set():
                began_s = time.monotonic()
                reason = self._follow()
                if self.stop.is_set():
                    return
                self._tell(Lost(reason))
                self.stop.wait(self._backoff.next_s(time.monotonic() - began_s))

    def _follow(self) -> str:
        """Give the process the stream and pass on what it tells; return why that ended."""
        told = self._process.told(self._task, lambda event: isinstance(event, Lost))
        try:
            with closing(told):
                for event in told:
                    if isinstance(event, Lost):
                        return event.reason
                    if event is not None and not isinstance(event, Ready):
                        self._tell(event)
                    if self.stop.is_set():
                        break
        except MediaError as error:
            return error.message
        except SightlineError as error:
            return Message("cannot be decoded: {error}", error=error.message)
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
            regions=parse_regions(self.camera.regions),
        )


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)
_W = TypeVar("_W", bound=Watcher)


class Watchers(Generic[_Item, _W]):
    """A watcher for each camera or folder that is wanted; all its methods are for one thread.

    ``begin`` starts one, ``watches`` says whether one watches just what is wanted now, ``on_end``
    is called when one that was to stop has ended.
    """

    def __init__(
        self,
        begin: Callable[[_Item], _W],
        watches: Callable[[_W, _Item], bool],
        on_end: Callable[[_W], None] = lambda watcher: None,
    ) -> None:
        self.running: dict[str, _W] = {}
        self._begin = begin
        self._watches = watches
        self._on_end = on_end
        self._wanted: dict[str, _Item] = {}
        self._said = ""

    def ask(self, wanted: Callable[[], Sequence[_Item]]) -> None:
        """Ask what is to be watched from now on; while that cannot be read nothing changes."""
        try:
            self._wanted = {item.name: item for item in wanted()}
            self._said = ""
        except SightlineError as error:
            if error.message != self._said:
                self._said = error.message
                _log.warning("%s Nothing changes until then. %s", error.message, error.hint)

    def follow(self) -> None:
        """Begin and end what changed; never waits for one."""
        for name, watcher in list(self.running.items()):
            item = self._wanted.get(name)
            if item is None or not self._watches(watcher, item):
                watcher.stop.set()
                if not watcher.is_alive():
                    del self.running[name]
                    self._on_end(watcher)
        for name, item in self._wanted.items():
            if name not in self.running:
                self.running[name] = self._begin(item)

    def stop(self) -> None:
        """Ask all to stop."""
        for watcher in self.running.values():
            watcher.stop.set()
