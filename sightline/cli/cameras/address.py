"""A camera's address from the command line, where a password in it is seen by as few as can be."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import typer

from search_core.errors import UsageError
from search_core.schema.camera import check_address

_ARG_START, _ARG_END = 47, 48  # fields of /proc/PID/stat, counted from 0


def hide_in_command_line(secret: str) -> None:
    """Overwrite an argument of this process where other processes see it (Linux); best effort.

    Programs that list processes show dots from then on. It was to be read until now: what must not
    be read at all belongs on stdin or in a file.
    """
    hidden = secret.encode()
    if not hidden:
        return
    with suppress(OSError, ValueError, IndexError):
        stat = Path("/proc/self/stat").read_text()
        # The second field, the program's name in brackets, may hold anything.
        fields = ["", "", *stat.rpartition(")")[2].split()]
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            arguments = memory.read(end - start)
            position = arguments.find(hidden)
            while position >= 0:
                os.pwrite(memory.fileno(), b"." * len(hidden), start + position)
                position = arguments.find(hidden, position + len(hidden))


def read_address(given: str | None) -> str:
    """Return an address: the one given, hidden from lists of processes, or else one asked for.

    For None or "-" it is asked for at the terminal, which does not show it, or read from standard
    input. Raises UsageError for what is none.
    """
    if given not in (None, "-"):
        hide_in_command_line(given)
        return check_address(given)
    if sys.stdin.isatty():
        return check_address(typer.prompt("The camera's address", hide_input=True, err=True))
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError(
            "There is no address.", "Give it as an argument, or on standard input, on one line."
        )
    return check_address(line)
