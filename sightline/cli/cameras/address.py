"""A camera's address from the command line, and its password from where others do not see it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from search_core.errors import UsageError, in_words
from search_core.schema.camera import check_address, with_login
from sightline.cli.terminal import warn

PASSWORD_VARIABLE = "SIGHTLINE_CAMERA_PASSWORD"  # noqa: S105 - its name
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help=f"Read the camera's password from the first line of this file; without it, from "
        f"{PASSWORD_VARIABLE}, or at the terminal.",
    ),
]


def read_address(given: str | None, password_file: Path | None = None) -> str:
    """Return a camera's address with its password.

    None or "-" asks for an address at the terminal, which does not show it, or reads it from
    standard input. The password of a user named without one is that of ``password_file``, or of
    the environment, or is asked for where there is a terminal. Raises UsageError for an address
    that cannot be used.
    """
    if given in (None, "-"):
        line = _asked("The camera's address") if sys.stdin.isatty() else sys.stdin.readline()
        if not line.strip():
            raise UsageError(
                "There is no address.", "Give it as an argument, or on standard input, on one line."
            )
        return check_address(line.strip())
    login = urlsplit(check_address(given))
    if login.password:
        warn(
            "A password on the command line can be seen by other users of this machine. Leave it "
            "out of the address to be asked for it."
        )
        return check_address(given)
    # Taken out of the environment, which processes that are started from here inherit.
    password = os.environ.pop(PASSWORD_VARIABLE, "")
    if password_file is not None:
        password = _first_line(password_file)
    user = unquote(login.username or "")
    if user and not password and sys.stdin.isatty():
        password = _asked(f"The password of {user}")
    return with_login(given, user, password)


def _asked(what: str) -> str:
    """Ask at the terminal, which does not show the answer."""
    return str(typer.prompt(what, default="", hide_input=True, show_default=False, err=True))


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"The password file {file} cannot be read: {in_words(error)}.",
            "Give another --password-file.",
        ) from None
