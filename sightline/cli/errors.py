"""How a command ends: errors become sentences, in this one place, so that no traceback reaches a
user; and SIGTERM cleans up children as Ctrl-C does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from search_core.errors import SightlineError, in_words
from search_core.system.machine import disk_full, is_full
from sightline.cli.terminal import escaped, print_error

#: A polite kill, and a terminal that closes.
_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def told_plainly(logs_dir: Path) -> Iterator[None]:
    """Turn whatever a command raises into a message on stderr and an exit code.

    Errors raised on purpose carry their own; anything else is a bug, whose traceback is kept in
    ``logs_dir``.
    """
    try:
        yield
    except SightlineError as error:
        print_error(error.message, error.hint)
        raise typer.Exit(error.exit_code) from None
    except Stopped as stopped:
        print_error("Stopped.")
        raise typer.Exit(stopped.exit_code) from None
    except KeyboardInterrupt:
        print_error("Stopped.")
        raise typer.Exit(1) from None
    except BrokenPipeError:
        raise  # the reader of our output went away: typer ends quietly
    except OSError as error:
        if is_full(error):
            full = disk_full(error.filename or logs_dir)
            print_error(full.message, full.hint)
            raise typer.Exit(1) from None
        if error.filename is None:
            where = _written_down(error, logs_dir)
            print_error(f"The operating system refused something: {in_words(error)}.", where)
        else:
            print_error(f"{os.fsdecode(error.filename)}: {in_words(error)}.")
        raise typer.Exit(1) from None
    except MemoryError as error:
        where = _written_down(error, logs_dir)
        print_error("There is not enough memory for this.", where)
        raise typer.Exit(1) from None
    except Exception as error:
        if type(error).__module__.startswith("typer"):
            if isinstance(said := getattr(error, "message", None), str):
                # typer has its own private copy of click, whose errors cannot be named here.
                error.message = escaped(said)  # type: ignore[attr-defined]
            raise  # usage errors and exits: typer prints them
        where = _written_down(error, logs_dir)
        print_error(f"This is a bug in Sightline: {in_words(error)}.", where)
        raise typer.Exit(1) from None


def _written_down(error: Exception, logs_dir: Path) -> str:
    """Keep an error's traceback in a file; return where it is."""
    log = logs_dir / f"error-{time.strftime('%Y%m%d-%H%M%S')}.log"
    text = "".join(traceback.format_exception(error))
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        log.write_text(text, encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError):  # a data directory whose name has a null character in it
        return "Its details could not be written down."
    return f"Its details are in {log}."


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
