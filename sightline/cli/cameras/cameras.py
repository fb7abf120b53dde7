"""`sightline cameras`: each live camera's state, its last frame, and when it was not seen; and
adding, changing, pausing and removing cameras while Sightline runs.

A camera's password comes from where others do not see it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from ingest.cameras.camera import is_watched
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from ingest.cameras.status_log import CameraState, Diary, Gap
from ingest.media.regions.registry import OFF
from search_core.access.audit_log import Action
from search_core.errors import UsageError, in_words
from search_core.schema.camera import Transport, check_address, public_address, with_login
from search_core.schema.clocks import format_duration
from search_core.schema.entity import iso_from_ms
from search_core.settings import Settings
from search_core.store.endpoint import running_serve
from search_core.system.machine import now_ms
from sightline.cli.admin import audit
from sightline.cli.options import (
    JsonOption,
    LastOption,
    LibraryOption,
    RegionsOption,
    RetainOption,
    UdpOption,
    YesOption,
    settings_of,
)
from sightline.cli.terminal import (
    ask_secret,
    confirm,
    local_time,
    note,
    print_json,
    say,
    table,
    warn,
)

app = typer.Typer(name="cameras", invoke_without_command=True)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="What the camera is called, such as gate-3.")
]
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


@app.callback()
def cameras(
    ctx: typer.Context,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="List the times in which cameras were not seen.")
    ] = False,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this one."),
    ] = None,
    last: LastOption = "1d",  # type: ignore[assignment]  # the parser reads it
    json: JsonOption = False,
) -> None:
    """Show the live cameras: state, last frame, keyframes, and when they were not seen.

    A camera is watched by `sightline serve`, if sightline.toml names it or it was added, or by
    `sightline watch`. COMMANDS add, change, pause and remove one while it runs.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    since_ms = round((time.time() - last.total_seconds()) * 1000)
    states, missed = _read(settings, camera, since_ms)
    if json:
        print_json(_records(settings, states, missed))
    elif not states:
        say(f"There is no camera {camera}." if camera else "No camera has been watched yet.")
        note("`sightline cameras add NAME` adds one.")
    elif gaps:
        print_gaps(missed, last, "Camera")
    else:
        _print_states(settings, states, missed, last)


def _read(
    settings: Settings, camera: str | None, since_ms: int
) -> tuple[list[CameraState], list[Gap]]:
    """Return the cameras that are to be watched or were, and their gaps.

    A camera without a watching process is not seen since its last frame.
    """
    known = {state.name: state for state in Roster(settings).states()}
    missed: list[Gap] = []
    if settings.ledger_path.exists():
        with Diary(settings.ledger_path) as diary:
            missed = diary.gaps(camera, since_ms)
    open_now = {gap.name for gap in missed if gap.ended_ms is None}
    unwatched = [
        Gap(
            state.name,
            state.last_frame_ms,
            None,
            "is paused" if state.state == "paused" else "is not watched",
        )
        for state in known.values()
        if state.last_frame_ms is not None
        and camera in (None, state.name)
        and state.name not in open_now
        and not is_watched(settings, state.name)
    ]
    missed = sorted([*unwatched, *missed], key=lambda gap: -gap.began_ms)
    return [known[name] for name in sorted(known) if camera in (None, name)], missed


def _state_of(settings: Settings, state: CameraState) -> str:
    """Return a camera's state in a word; one whose process is gone is not watched."""
    if state.state == "paused" or is_watched(settings, state.name):
        return state.state
    return "not watched"


def _records(
    settings: Settings, states: list[CameraState], missed: list[Gap]
) -> list[dict[str, Any]]:
    return [
        {
            "camera": state.name,
            "address": state.address,
            "library": state.library,
            "state": _state_of(settings, state),
            "reason": state.reason,
            "last_frame": iso(state.last_frame_ms),
            "frames": state.frames,
            "dropped": state.dropped,
            "lag_ms": state.lag_ms,
            "keyframes": state.keyframes,
            "retain_s": state.retain_s,
            "gaps": gap_records(missed, state.name),
        }
        for state in states
    ]


def _print_states(
    settings: Settings, states: list[CameraState], missed: list[Gap], last: timedelta
) -> None:
    not_seen = f"Not seen, {format_duration(last)}"
    made = table(
        "Camera", "State", "Last frame", "Keyframes", "Dropped", not_seen, "Kept", "Address", "Why",
        right=("Keyframes", "Dropped", not_seen), fold=("Why", not_seen, "Address"),
    )  # fmt: skip
    for state in states:
        mine = [gap for gap in missed if gap.name == state.name]
        made.add_row(
            state.name,
            _state_of(settings, state),
            local_time(state.last_frame_ms) if state.last_frame_ms else "–",
            f"{state.keyframes:,}",
            f"{state.dropped:,}",
            _total(mine, last),
            format_duration(state.retain) if state.retain else "for ever",
            state.address,
            state.reason,
        )
    say(made)


def _total(gaps: list[Gap], last: timedelta) -> str:
    """Return how long gaps lasted together, as far as they lie in that time."""
    if not gaps:
        return "–"
    at_ms = now_ms()
    since_ms = at_ms - last.total_seconds() * 1000
    total_ms = sum((gap.ended_ms or at_ms) - max(gap.began_ms, since_ms) for gap in gaps)
    minutes, seconds = divmod(round(total_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} in {len(gaps):,}"


@app.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS]",
            help="rtsp://user@host/path; without it, or with -, asked for or read from stdin.",
        ),
    ] = None,
    password_file: PasswordFileOption = None,
    library: LibraryOption = None,
    retain: RetainOption = None,
    udp: UdpOption = False,
    regions: RegionsOption = None,
) -> None:
    """Add a camera: `sightline serve` watches it within seconds.

    Its address is kept in cameras.toml in the data directory, which you alone can read.
    """
    settings = settings_of(ctx, library)
    roster = Roster(settings)
    url = read_address(address, password_file)
    transport: Transport = "udp" if udp else "tcp"
    camera = roster.make(name, url, retain=retain, transport=transport, regions=regions or OFF)
    detail = {"added": camera.name, "address": camera.address, "kept": _lasting(retain)}
    audit.record(settings, "cameras", camera.library, detail)
    roster.add(camera)
    say(
        f"Added {camera.name} at {camera.address}: its keyframes go into {camera.library} and are "
        f"kept {_lasting(retain)}."
    )
    say_when(settings, "It is watched")


@app.command()
def change(
    ctx: typer.Context,
    name: NameArgument,
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS]",
            help="Its new address; - asks for it or reads it from stdin. Without it the address "
            "stays.",
        ),
    ] = None,
    password_file: PasswordFileOption = None,
    retain: RetainOption = None,
    for_ever: Annotated[
        bool, typer.Option("--keep-for-ever", help="Keep its keyframes whatever their age.")
    ] = False,
    udp: Annotated[
        bool | None,
        typer.Option("--udp/--tcp", help="How the camera sends."),
    ] = None,
    regions: RegionsOption = None,
) -> None:
    """Change a camera that was added: its address, how it sends, its regions, its retention."""
    settings = settings_of(ctx)
    roster = Roster(settings)
    if retain is not None and for_ever:
        raise UsageError("--retain and --keep-for-ever are not meant together.", "Give one.")
    if not (address or udp is not None or retain is not None or for_ever or regions):
        raise UsageError(
            "There is nothing to change.", "Give ADDRESS, --retain, --udp, --tcp or --regions."
        )
    roster.get(name)
    new = None if address is None else read_address(address, password_file)
    detail: dict[str, object] = {"changed": name}
    if new is not None:
        detail["address"] = public_address(new)
    if udp is not None:
        detail["transport"] = "udp" if udp else "tcp"
    if regions is not None:
        detail["regions"] = regions
    if retain is not None or for_ever:
        detail["kept"] = _lasting(retain)
    audit.record(settings, "cameras", detail=detail)
    transport: Transport | None = None if udp is None else "udp" if udp else "tcp"
    roster.change(name, address=new, transport=transport, regions=regions)
    if retain is not None or for_ever:
        roster.keep_for(name, retain)
    say(f"Changed {name}.")
    if new is not None or udp is not None or regions is not None:
        say_when(settings, "It is watched so")


@app.command()
def pause(ctx: typer.Context, name: NameArgument) -> None:
    """Stop watching a camera that was added, until it is resumed."""
    set_paused(ctx, "cameras", Roster, name, paused=True)
    say(f"Paused {name}; `sightline cameras resume {name}` watches it again.")


@app.command()
def resume(ctx: typer.Context, name: NameArgument) -> None:
    """Watch a paused camera again."""
    set_paused(ctx, "cameras", Roster, name, paused=False)
    say(f"Resumed {name}.")


@app.command()
def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Remove a camera that was added, and its address with it.

    Its keyframes stay: they go when they are as old as they were to be, or by `sightline delete`.
    """
    settings = settings_of(ctx)
    roster = Roster(settings)
    camera = roster.get(name)
    question = f"Remove the camera {name}? Its keyframes stay."
    confirm(question, yes=yes, otherwise="Nothing was removed.")
    detail = {"removed": name, "address": camera.address}
    audit.record(settings, "cameras", camera.library, detail)
    roster.remove(name)
    option = f" --library {camera.library}" if camera.library != settings.library else ""
    say(
        f"Removed {name}. Its keyframes stay; `sightline delete --camera {name}{option}` deletes "
        "them."
    )


def set_paused(
    ctx: typer.Context,
    action: Action,
    roster: type[Roster] | type[FolderRoster],
    name: str,
    *,
    paused: bool,
) -> None:
    """Pause a camera or folder that was added, or resume it."""
    settings = settings_of(ctx)
    known = roster(settings)
    detail = {"paused" if paused else "resumed": name}
    audit.record(settings, action, known.get(name).library, detail)
    known.pause(name, paused=paused)


def say_when(settings: Settings, what: str) -> None:
    """Note when ``what`` comes true: in some seconds where `sightline serve` runs."""
    serving = running_serve(settings)
    note(f"{what} in some seconds." if serving else f"{what} when `sightline serve` runs.")


def _lasting(retain: timedelta | None) -> str:
    return format_duration(retain) if retain else "for ever"


def read_address(given: str | None, password_file: Path | None = None) -> str:
    """Return a camera's address with its password.

    None or "-" asks for an address at the terminal, which does not show it, or reads it from
    standard input. The password of a user named without one is that of ``password_file``, or of
    the environment, or is asked for where there is a terminal. Raises UsageError for an address
    that cannot be used.
    """
    if given in (None, "-"):
        line = ask_secret("The camera's address") if sys.stdin.isatty() else sys.stdin.readline()
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
        password = ask_secret(f"The password of {user}")
    return with_login(given, user, password)


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"The password file {file} cannot be read: {in_words(error)}.",
            "Give another --password-file.",
        ) from None


def iso(epoch_ms: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC, None where there is none."""
    return None if epoch_ms is None else iso_from_ms(epoch_ms)


def gap_records(gaps: Iterable[Gap], name: str) -> list[dict[str, str | None]]:
    """Return the gaps of one camera or folder as plain JSON values."""
    return [
        {"from": iso(gap.began_ms), "to": iso(gap.ended_ms), "reason": gap.reason}
        for gap in gaps
        if gap.name == name
    ]


def print_gaps(gaps: Iterable[Gap], last: timedelta, heading: str) -> None:
    """Print gaps, each with its length; ``heading`` is over the names."""
    made = table(heading, "From", "To", "Seconds", "Why", right=("Seconds",), fold=("Why",))
    at_ms = now_ms()
    for gap in gaps:
        made.add_row(
            gap.name,
            local_time(gap.began_ms),
            local_time(gap.ended_ms) if gap.ended_ms else "now",
            f"{((gap.ended_ms or at_ms) - gap.began_ms) / 1000:,.0f}",
            gap.reason,
        )
    say(made if made.row_count else f"No gaps in the last {format_duration(last)}.")
