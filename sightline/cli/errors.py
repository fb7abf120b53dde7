"""The one place where errors become sentences: no traceback reaches a user."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from search_core.errors import SightlineError, in_words
from search_core.system.machine import disk_full, is_full
from sightline.cli.serve.stop_signals import Stopped
from sightline.cli.terminal import escaped, print_error


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
