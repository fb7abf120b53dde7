"""The one place where errors become sentences: no traceback reaches a user."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from cli.stop_signals import Stopped
from cli.terminal import print_error
from search_core.disk import disk_full, is_full
from search_core.errors import SightlineError, in_words


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
            _bug(error, logs_dir)
        print_error(f"{error.filename}: {error.strerror}.")
        raise typer.Exit(1) from None
    except Exception as error:
        if type(error).__module__.startswith("typer"):
            raise  # usage errors and exits: typer prints them
        _bug(error, logs_dir)


def _bug(error: Exception, logs_dir: Path) -> None:
    log = logs_dir / f"error-{time.strftime('%Y%m%d-%H%M%S')}.log"
    text = "".join(traceback.format_exception(error))
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        log.write_text(text, encoding="utf-8")
        where = f"Its details are in {log}."
    except OSError:
        where = "Its details could not be written down."
    print_error(f"This is a bug in Sightline: {in_words(error)}.", where)
    raise typer.Exit(1) from None
