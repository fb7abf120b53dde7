"""Being asked to stop by a signal, without locks: a handler may interrupt anything, even itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_LOOK_EVERY_S = 0.05


class Interrupted(Exception):
    """What is being done is to stop; ``message`` and ``report`` say what is done of it.

    ``is_put_off``: it is to go on later, in this process or in another.
    """

    def __init__(
        self,
        message: str = "cancelled",
        report: dict[str, Any] | None = None,
        *,
        is_put_off: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_put_off = is_put_off
        self.message = message
        self.report = report


class Stop(Protocol):
    """Whether to stop; threading.Event is one too."""

    def is_set(self) -> bool:
        """Whether somebody asked to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; return whether somebody asked to stop."""


class StopFlag:
    """A Stop that signal handlers may set.

    threading.Event is not for that: its lock, taken by a handler while the interrupted code holds
    it, never comes free.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self, *_: object) -> None:
        """Ask to stop; may be called as a signal handler."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether somebody asked to stop."""
        return self._asked

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; return whether somebody asked to stop."""
        deadline = time.monotonic() + timeout
        while not self._asked and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY_S))
        return self._asked


@contextmanager
def stopped_by(*numbers: signal.Signals) -> Iterator[StopFlag]:
    """Give a flag that these signals set, in the main thread; their handlers are put back after."""
    stop = StopFlag()
    before = {number: signal.signal(number, stop.set) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
