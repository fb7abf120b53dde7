"""`sightline cameras add`, `change`, `pause`, `resume`, `remove`: cameras while Sightline runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import UsageError
from search_core.schema.camera import public_address
from search_core.schema.clocks import format_duration
from search_core.settings import Settings
from search_core.store.endpoint import running_serve
from sightline.cli.admin import operator
from sightline.cli.cameras.address import PasswordFileOption, read_address
from sightline.cli.options import LibraryOption, RetainOption, UdpOption, YesOption, settings_of
from sightline.cli.terminal import confirmed, note, say

if TYPE_CHECKING:
    from ingest.cameras.folders.roster import FolderRoster
    from ingest.cameras.roster import Roster
    from search_core.access.audit_log import Action

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="What the camera is called, such as gate-3.")
]


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
) -> None:
    """Add a camera: `sightline serve` watches it within seconds.

    Its address is kept in cameras.toml in the data directory, which you alone can read.
    """
    settings = settings_of(ctx, library)
    roster = _roster(settings)
    url = read_address(address, password_file)
    camera = roster.make(name, url, retain=retain, transport="udp" if udp else "tcp")
    detail = {"added": camera.name, "address": camera.address, "kept": _lasting(retain)}
    operator.record(settings, "cameras", camera.library, detail)
    roster.add(camera)
    say(
        f"Added {camera.name} at {camera.address}: its keyframes go into {camera.library} and are "
        f"kept {_lasting(retain)}."
    )
    say_when(settings, "It is watched")


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
) -> None:
    """Change a camera that was added: its address, how it sends, how long keyframes are kept."""
    settings = settings_of(ctx)
    roster = _roster(settings)
    if retain is not None and for_ever:
        raise UsageError("--retain and --keep-for-ever are not meant together.", "Give one.")
    if address is None and udp is None and retain is None and not for_ever:
        raise UsageError("There is nothing to change.", "Give ADDRESS, --retain, --udp or --tcp.")
    roster.get(name)
    new = None if address is None else read_address(address, password_file)
    detail: dict[str, object] = {"changed": name}
    if new is not None:
        detail["address"] = public_address(new)
    if udp is not None:
        detail["transport"] = "udp" if udp else "tcp"
    if retain is not None or for_ever:
        detail["kept"] = _lasting(retain)
    operator.record(settings, "cameras", detail=detail)
    roster.change(name, address=new, transport=None if udp is None else "udp" if udp else "tcp")
    if retain is not None or for_ever:
        roster.keep_for(name, retain)
    say(f"Changed {name}.")
    if new is not None or udp is not None:
        say_when(settings, "It is watched so")


def pause(ctx: typer.Context, name: NameArgument) -> None:
    """Stop watching a camera that was added, until it is resumed."""
    settings = settings_of(ctx)
    set_paused(settings, "cameras", _roster(settings), name, paused=True)
    say(f"Paused {name}; `sightline cameras resume {name}` watches it again.")


def resume(ctx: typer.Context, name: NameArgument) -> None:
    """Watch a paused camera again."""
    settings = settings_of(ctx)
    set_paused(settings, "cameras", _roster(settings), name, paused=False)
    say(f"Resumed {name}.")


def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Remove a camera that was added, and its address with it.

    Its keyframes stay: they go when they are as old as they were to be, or by `sightline delete`.
    """
    settings = settings_of(ctx)
    roster = _roster(settings)
    camera = roster.get(name)
    if not confirmed(f"Remove the camera {name}? Its keyframes stay.", yes=yes):
        note("Nothing was removed.")
        raise typer.Exit(1)
    detail = {"removed": name, "address": camera.address}
    operator.record(settings, "cameras", camera.library, detail)
    roster.remove(name)
    option = f" --library {camera.library}" if camera.library != settings.library else ""
    say(
        f"Removed {name}. Its keyframes stay; `sightline delete --camera {name}{option}` deletes "
        "them."
    )


def set_paused(
    settings: Settings, action: Action, roster: Roster | FolderRoster, name: str, *, paused: bool
) -> None:
    """Pause a camera or folder that was added, or resume it."""
    item = roster.get(name)
    detail = {"paused" if paused else "resumed": name}
    operator.record(settings, action, item.library, detail)
    roster.pause(name, paused=paused)


def _roster(settings: Settings) -> Roster:
    from ingest.cameras.roster import Roster

    return Roster(settings)


def say_when(settings: Settings, what: str) -> None:
    """Note when ``what`` comes true: in some seconds where `sightline serve` runs."""
    serving = running_serve(settings)
    note(f"{what} in some seconds." if serving else f"{what} when `sightline serve` runs.")


def _lasting(retain: timedelta | None) -> str:
    return format_duration(retain) if retain else "for ever"
