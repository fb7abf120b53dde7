"""Decoding in processes of this machine, each watched by a thread: one may crash, the rest go on.

What the processes send waits in one bounded queue, so decoding is never far ahead of embedding.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing

from ingest.engines.base import DecodeTask, Prepared, Told
from ingest.engines.decoder import ENTRY, HANG_S, Decoder
from ingest.report import SourceOutcome
from search_core.system.machine import available_memory_bytes, cores

_EVENTS_IN_FLIGHT = 128
_LOOK_EVERY_S = 0.1
_MOST_WORKERS = 8
#: Memory to have for each: photographs take 60 to 170 MB, 4K video 200, the largest PNG 1,400.
WORKER_BYTES = 512 * 1024**2


class LocalEngine:
    """Decodes in ``workers`` processes; :func:`fitting_workers` when not given.

    ``hang_s`` is how long a process may be silent; ``entry`` is what it runs, ``module:function``.
    """

    def __init__(
        self, workers: int | None = None, *, hang_s: float = HANG_S, entry: str = ENTRY
    ) -> None:
        self.workers = workers or fitting_workers()
        self.hang_s = hang_s
        self.entry = entry

    def decode(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        """Yield outcomes and events as they come, None while waiting; closing it stops all."""
        work = _Work(prepared)
        supervisors = [
            threading.Thread(target=self._supervise, args=(work,), name=f"decoder-{n}", daemon=True)
            for n in range(self.workers)
        ]
        for supervisor in supervisors:
            supervisor.start()
        try:
            running = len(supervisors)
            while running:
                try:
                    told = work.told.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(told, _Ended):
                    running -= 1
                    if told.error is not None:
                        raise told.error
                    continue
                yield told
        finally:
            work.stop.set()
            for supervisor in supervisors:
                supervisor.join()

    def _supervise(self, work: _Work) -> None:
        error: BaseException | None = None
        try:
            with closing(Decoder(self.entry, self.hang_s)) as decoder:
                while (item := work.next()) is not None:
                    if isinstance(item, SourceOutcome):
                        work.tell(item)
                    else:
                        _pass_on(decoder, item, work)
        except BaseException as raised:
            error = raised  # it is raised again where the events are read
        finally:
            work.tell(_Ended(error))


def fitting_workers() -> int:
    """Return how many decoding processes suit this machine: one per core, at most eight.

    Fewer where there is no memory for them; one in any case.
    """
    memory = available_memory_bytes()
    fitting = _MOST_WORKERS if memory is None else memory // WORKER_BYTES
    return max(1, min(_MOST_WORKERS, cores(), fitting))


def _pass_on(decoder: Decoder, task: DecodeTask, work: _Work) -> None:
    """Tell what the decoder says of a source."""
    with closing(decoder.events(task)) as events:
        for event in events:
            if work.stop.is_set():
                return
            if event is not None:
                work.tell((task, event))


class _Ended:
    """The last word of a supervisor; ``error`` is what it died of, if anything."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Work:
    """What the supervisors share: the sources to come, what was told, and whether to stop."""

    def __init__(self, prepared: Iterator[Prepared]) -> None:
        self.told: queue.Queue[Told | _Ended] = queue.Queue(_EVENTS_IN_FLIGHT)
        self.stop = threading.Event()
        self._prepared = prepared
        self._lock = threading.Lock()

    def next(self) -> Prepared | None:
        """Return the next source to decode, or the outcome of one that needs no decoding."""
        with self._lock:
            return None if self.stop.is_set() else next(self._prepared, None)

    def tell(self, told: Told | _Ended) -> None:
        """Put something in the queue; once all is stopped, nobody reads it and it is dropped."""
        while not self.stop.is_set():
            try:
                self.told.put(told, timeout=_LOOK_EVERY_S)
                return
            except queue.Full:
                continue
