"""`sightline audit`: who searched, viewed, exported, changed and deleted what, and when.

What a command changes is written down here too, as the user of the operating system.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Annotated, Any, get_args

import typer

from search_core.access.audit_log import Action, AuditLog
from search_core.errors import UsageError
from search_core.schema.entity import iso_from_ms, ms_from_datetime
from search_core.settings import Settings
from sightline.cli.options import JsonOption, check_period, moment, settings_of
from sightline.cli.terminal import local_time, print_json, say, table


def audit(
    ctx: typer.Context,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What this user did."),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(metavar="ACTION", help=f"Only this: {', '.join(get_args(Action))}."),
    ] = None,
    after: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="MOMENT", help="From this moment on."),
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="MOMENT", help="Before this moment."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many at most, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List what was done, newest first.

    Written down are logins, searches, what was opened, played, exported and added, and every
    deletion and change of an index, a camera or a user, in the dashboard and by commands. Without
    a login whoever used the dashboard is "local".
    """
    if action is not None and action not in get_args(Action):
        raise UsageError(
            f"{action!r} is not an action.", f"Actions: {', '.join(get_args(Action))}."
        )
    check_period(after, before)
    with closing(AuditLog(settings_of(ctx).audit_path)) as log:
        events = log.events(
            limit,
            who=user,
            action=action,
            after_ms=ms_from_datetime(after) if after else None,
            before_ms=ms_from_datetime(before) if before else None,
        )
    if json:
        print_json([{**event.to_dict(), "at": iso_from_ms(event.at_ms)} for event in events])
        return
    if not events:
        say("Nothing like that was written down.")
        return
    made = table("When", "Who", "What", "Library", "Details", "From", fold=("Details",))
    for event in events:
        made.add_row(
            local_time(event.at_ms),
            event.who,
            event.action,
            event.library,
            _in_words(event.detail),
            event.address,
        )
    say(made)


def _in_words(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in detail.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"({_in_words(value)})"
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:3]))
        return shown if len(value) <= 3 else f"{shown} and {len(value) - 3} more"
    return str(value)


def record(
    settings: Settings, action: Action, library: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """Write down what is about to be done; raises AuditUnavailable, and then it is not done."""
    with closing(AuditLog(settings.audit_path)) as log:
        log.record(_who(), action, library, {**(detail or {}), "by": "command"})


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an id that this machine has no name for, as in containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
