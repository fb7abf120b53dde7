"""The threads of an engine, and the one stream of what they tell."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Mapping

from ingest.engines.base import Told

_EVENTS_IN_FLIGHT = 128
_LOOK_EVERY_S = 0.1


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
