"""Decoding in processes of this machine, each watched by a thread: one may crash, the rest go on.

A process is given one source at a time over a pipe. When it dies, or says nothing for too long, the
source it was at failed and a fresh process takes the next one. What the processes send waits in one
bounded queue, so decoding is never far ahead of embedding.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Generator, Iterator

from ingest.engines.child_process import ChildProcess
from ingest.engines.tasks import DecodeTask, Event, Failed, Finished, Keyframe, Prepared, Told
from ingest.outcomes import SourceOutcome

HANG_S = 120.0
ENTRY = "ingest.engines.decode_worker:main"
_EVENTS_IN_FLIGHT = 128
_LOOK_EVERY_S = 0.1
_MOST_WORKERS = 8


class LocalEngine:
    """Decodes in ``workers`` processes (one per core, at most eight, when not given).

    ``hang_s`` is how long a process may be silent; ``entry`` is what it runs, ``module:function``.
    """

    def __init__(
        self, workers: int | None = None, *, hang_s: float = HANG_S, entry: str = ENTRY
    ) -> None:
        self.workers = workers or min(_MOST_WORKERS, _cores())
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
        worker: ChildProcess | None = None
        error: BaseException | None = None
        try:
            while (item := work.next()) is not None:
                if isinstance(item, SourceOutcome):
                    work.tell(item)
                    continue
                if worker is None or not worker.alive:
                    worker = ChildProcess(self.entry)
                self._run(worker, item, work)
        except BaseException as raised:
            error = raised  # it is raised again where the events are read
        finally:
            if worker is not None:
                worker.kill()
            work.tell(_Ended(error))

    def _run(self, worker: ChildProcess, task: DecodeTask, work: _Work) -> None:
        """Give the process a task and pass on what it says until the task is over."""
        keyframes = 0
        try:
            worker.connection.send(task)
            heard_s = time.monotonic()
            while not work.stop.is_set():
                if not worker.connection.poll(_LOOK_EVERY_S):
                    if time.monotonic() - heard_s > self.hang_s:
                        worker.kill()
                        reason = f"made the decoder hang: it gave nothing for {self.hang_s:.0f} s"
                        work.tell((task, Failed("decode", reason + _so_far(keyframes))))
                        return
                    continue
                event: Event = worker.connection.recv()
                work.tell((task, event))
                # Only from here: while the queue was full, nobody was listening.
                heard_s = time.monotonic()
                if isinstance(event, Finished | Failed):
                    return
                keyframes += isinstance(event, Keyframe)
        except (EOFError, OSError):
            reason = f"made the decoder crash ({worker.bury()})"
            work.tell((task, Failed("decode", reason + _so_far(keyframes))))
        except BaseException:
            worker.kill()
            raise


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
        """Return the next source to decode, or what became of one that needs no decoding."""
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


def _cores() -> int:
    """Return how many cores this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _so_far(keyframes: int) -> str:
    return f"; its first {keyframes} keyframes are kept" if keyframes else ""
