"""Decoding in processes of this machine, each watched by a thread: one may crash, the rest go on.

What the processes send waits in one bounded queue, so decoding is never far ahead of embedding.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing

from ingest.engines.base import DecodeTask, Prepared, Told
from ingest.engines.decoder import ENTRY, HANG_S, Decoder
from ingest.engines.threads import Threads
from ingest.report import SourceOutcome
from search_core.system.machine import available_memory_bytes, cores

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
