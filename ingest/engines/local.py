"""Decoding in processes of this machine, each watched by a thread: one may crash, the rest go on.

When a process dies, or says nothing for too long, the source it was at failed and a fresh process
takes the next one. What the processes send waits in one bounded queue, so decoding is never far
ahead of embedding.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

from ingest.engines.base import Alive, DecodeTask, Event, Failed, Finished, Opened, Prepared, Told
from ingest.report import SourceOutcome
from search_core.errors import MediaError
from search_core.system.child_process import ChildProcess
from search_core.system.machine import available_memory_bytes, cores

HANG_S = 120.0
ENTRY = "ingest.engines.decode_process:main"
_LOOK_EVERY_S = 0.1


class Decoder(ChildProcess):
    """Decodes one source after the other in a process of its own, started when it is needed."""

    def __init__(self, entry: str = ENTRY, hang_s: float = HANG_S) -> None:
        super().__init__(entry, hang_s)
        #: What starting a process took, once one has begun a source: seconds of a core.
        self.start_s = 0.0

    def events(self, task: DecodeTask) -> Generator[Event | None, None, None]:
        """Yield a source's events, at the end Finished or Failed; None while nothing comes.

        Closing it before the end ends the process. Raises SightlineError when no process can start.
        """
        try:
            with closing(
                self.told(task, lambda event: isinstance(event, Finished | Failed))
            ) as told:
                for event in told:
                    if isinstance(event, Alive):
                        self.start_s = self.start_s or event.cpu_s
                    yield event
        except MediaError as error:
            yield Failed("decode", error.message)

    def header(self, task: DecodeTask) -> Opened | Failed:
        """Return what a source is by its header, or why that cannot be told."""
        told = list(self.events(replace(task, header_only=True)))
        return next(event for event in told if isinstance(event, Opened | Failed))


_EVENTS_IN_FLIGHT = 128


class Threads:
    """What threads tell waits in one bounded queue, so none is far ahead of the one who reads it.

    ``stop`` is set once nobody reads any more; the threads have to end then.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._news: queue.Queue[Told | _Ended] = queue.Queue(_EVENTS_IN_FLIGHT)

    def told(
        self,
        work: Mapping[str, Callable[[], None]],
        on_stop: Callable[[], None] = lambda: None,
        most_s: float | None = None,
    ) -> Generator[Told, None, None]:
        """Run each work in a thread of its name; yield their messages, None while waiting.

        Raises what one raised. At the end, also when it is closed, all is stopped: ``on_stop`` is
        called, and each thread waited for, ``most_s`` seconds at the most.
        """
        threads = [
            threading.Thread(target=self._until_end, args=(do,), name=name, daemon=True)
            for name, do in work.items()
        ]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                try:
                    news = self._news.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield None
                    continue
                if not isinstance(news, _Ended):
                    yield news
                    continue
                running -= 1
                if news.error is not None:
                    raise news.error
        finally:
            self.stop.set()
            on_stop()
            for thread in threads:
                thread.join(most_s)

    def tell(self, news: Told | _Ended) -> None:
        """Put something in the queue; once all is stopped, nobody reads it and it is dropped."""
        while not self.stop.is_set():
            try:
                self._news.put(news, timeout=_LOOK_EVERY_S)
                return
            except queue.Full:
                continue

    def _until_end(self, work: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised  # it is raised again where the events are read
        finally:
            self.tell(_Ended(error))


class _Ended:
    """The last word of a thread; ``error`` is what it died of, if anything."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


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
        threads, lock = Threads(), threading.Lock()

        def next_item() -> Prepared | None:
            with lock:
                return None if threads.stop.is_set() else next(prepared, None)

        def supervise() -> None:
            with closing(Decoder(self.entry, self.hang_s)) as decoder:
                while (item := next_item()) is not None:
                    if isinstance(item, SourceOutcome):
                        threads.tell(item)
                    else:
                        _pass_on(decoder, item, threads)

        return threads.told({f"decoder-{n}": supervise for n in range(self.workers)})


def fitting_workers() -> int:
    """Return how many decoding processes suit this machine: one per core, at most eight.

    Fewer where there is no memory for them; one in any case.
    """
    memory = available_memory_bytes()
    fitting = _MOST_WORKERS if memory is None else memory // WORKER_BYTES
    return max(1, min(_MOST_WORKERS, cores(), fitting))


def _pass_on(decoder: Decoder, task: DecodeTask, threads: Threads) -> None:
    """Tell what the decoder says of a source."""
    with closing(decoder.events(task)) as events:
        for event in events:
            if threads.stop.is_set():
                return
            if event is not None:
                threads.tell((task, event))
