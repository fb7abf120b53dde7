"""Clean up children on SIGTERM as on Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: A polite kill, and a terminal that closes.
_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """One of these signals came; it unwinds the command as Ctrl-C does.

    ``exit_code`` is 128 and the signal's number, as a shell says of what a signal ended.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Raise Stopped in the main thread when one of the signals comes.

    Those that the parent has this process ignore (nohup does) stay ignored. Commands with an end
    of their own, as `serve`, set handlers of theirs meanwhile.
    """
    process = os.getpid()

    def stop(number: int, frame: object) -> None:
        if os.getpid() != process:  # a fork of it: that one ends as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in _NUMBERS:  # a second one does not end what cleans up; Ctrl-C does
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    ignored = [number for number in _NUMBERS if signal.getsignal(number) is signal.SIG_IGN]
    for number in _NUMBERS:
        if number not in ignored:
            signal.signal(number, stop)
    try:
        yield
    except Stopped as stopped:  # before or after the command itself
        sys.exit(stopped.exit_code)
