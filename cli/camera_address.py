"""A camera's address from the command line, where a password in it is seen by as few as can be."""

from __future__ import annotations

import sys

import typer

from cli.command_line import hide_in_command_line
from search_core.cameras import check_address
from search_core.errors import UsageError


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
