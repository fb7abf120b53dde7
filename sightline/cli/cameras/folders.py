"""`sightline folders`: each watched folder's state, its failures, and when it was not watched; and
adding, changing, pausing and removing folders while Sightline runs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.cameras.folders.folder import AddedFolder
from ingest.cameras.folders.log import FolderFailure, FolderLog, FolderState
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.status_log import Gap
from ingest.media.regions.registry import OFF
from search_core.errors import UsageError
from search_core.schema.entity import iso_from_ms
from search_core.settings import Settings
from sightline.cli.admin import audit
from sightline.cli.cameras.cameras import gap_records, iso, print_gaps, say_when, set_paused
from sightline.cli.options import (
    JsonOption,
    LastOption,
    LibraryOption,
    RegionsOption,
    TagOption,
    YesOption,
    settings_of,
)
from sightline.cli.terminal import confirm, counted, local_time, note, print_json, say, table

_SHOWN_FAILURES = 100

app = typer.Typer(name="folders", invoke_without_command=True)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="What the folder is called, such as nvr.")
]
CameraOption = Annotated[
    str | None,
    typer.Option(
        "--camera",
        metavar="NAME",
        help="The camera all of it is from; without it, what names and folders say.",
    ),
]
KeyframesOption = Annotated[
    str | None,
    typer.Option(
        "--keyframes", metavar="HOW", help="Which frames of a video, as for `sightline ingest`."
    ),
]


@app.callback()
def folders(
    ctx: typer.Context,
    failures: Annotated[
        bool, typer.Option("--failures", help="List the files that could not be taken in.")
    ] = False,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="List the times in which folders were not watched.")
    ] = False,
    last: LastOption = "1d",  # type: ignore[assignment]  # the parser reads it
    json: JsonOption = False,
) -> None:
    """Show the watched folders: state, files taken in, waiting and failed, and gaps.

    A folder is watched by `sightline serve`, if sightline.toml names it or it was added, or by
    `sightline watch FOLDER`. Recordings made while it was not watched are taken in when it is
    again. COMMANDS add, change, pause and remove one while it runs.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    states = FolderRoster(settings).states()
    missed: list[Gap] = []
    failed: list[FolderFailure] = []
    if settings.ledger_path.exists():
        since_ms = round((time.time() - last.total_seconds()) * 1000)
        with FolderLog(settings.ledger_path) as log:
            missed, failed = log.gaps(None, since_ms), log.failures()
    if json:
        print_json(_records(settings, states, missed, failed))
    elif not states:
        say("No folder is watched.")
        note(
            "`sightline folders add NAME FOLDER` adds one; `sightline serve` watches it, and those "
            'of sightline.toml:\n\n  [folders.nvr]\n  path = "/srv/recordings"'
        )
    elif failures:
        _print_failures(failed)
    elif gaps:
        print_gaps(missed, last, "Folder")
    else:
        _print_states(settings, states)


def _state_of(settings: Settings, state: FolderState) -> str:
    """Return a folder's state in a word; one whose process is gone is not watched."""
    if state.state == "paused" or state.is_watched(settings):
        return state.state
    return "not watched"


def _records(
    settings: Settings,
    states: list[FolderState],
    missed: list[Gap],
    failed: list[FolderFailure],
) -> list[dict[str, Any]]:
    return [
        {
            "folder": state.name,
            "path": state.path,
            "library": state.library,
            "state": _state_of(settings, state),
            "reason": state.reason,
            "looked": iso(state.looked_ms),
            "last_taken": iso(state.taken_ms),
            "taken": state.taken,
            "waiting": state.waiting,
            "keyframes": state.keyframes,
            "failures": [
                {"file": one.path, "reason": one.reason, "at": iso_from_ms(one.at_ms)}
                for one in failed
                if one.folder == state.name
            ],
            "gaps": gap_records(missed, state.name),
        }
        for state in states
    ]


def _print_states(settings: Settings, states: list[FolderState]) -> None:
    made = table(
        "Folder", "State", "Looked at", "Last taken in", "Taken in", "Waiting", "Failed",
        "Keyframes", "Library", "Path", "Why",
        right=("Taken in", "Waiting", "Failed", "Keyframes"), fold=("Why", "Path"),
    )  # fmt: skip
    for state in states:
        made.add_row(
            state.name,
            _state_of(settings, state),
            local_time(state.looked_ms) if state.looked_ms else "–",
            local_time(state.taken_ms) if state.taken_ms else "–",
            f"{state.taken:,}",
            f"{state.waiting:,}",
            f"{state.failed:,}",
            f"{state.keyframes:,}",
            state.library,
            state.path,
            state.reason,
        )
    say(made)


def _print_failures(failed: list[FolderFailure]) -> None:
    if not failed:
        say("No failures.")
        return
    made = table("When", "Folder", "File", "Reason", fold=("File", "Reason"))
    for one in failed[:_SHOWN_FAILURES]:
        made.add_row(local_time(one.at_ms), one.folder, one.path, one.reason)
    say(made)
    if len(failed) > _SHOWN_FAILURES:
        say(f"… and {counted(len(failed) - _SHOWN_FAILURES, 'older failure')}; --json lists all.")
    note("A file is tried again when it changes; `sightline failures --retry` tries it now.")


@app.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that recordings are written to.")
    ],
    library: LibraryOption = None,
    camera: CameraOption = None,
    keyframes: KeyframesOption = None,
    regions: RegionsOption = None,
    tag: TagOption = None,
) -> None:
    """Add a folder to watch: `sightline serve` watches it within seconds.

    It is kept in folders.toml in the data directory.
    """
    settings = settings_of(ctx, library)
    roster = FolderRoster(settings)
    given = AddedFolder(
        path=_absolute(path),
        library=settings.library,
        camera=camera,
        keyframes=keyframes or "auto",
        regions=regions or OFF,
        tags=tuple(tag or ()),
    )
    folder = roster.make(name, given)
    detail = {"added": folder.name, "path": str(folder.path)}
    audit.record(settings, "folders", folder.library, detail)
    roster.add(folder)
    say(f"Added {folder.name}: what appears in {folder.path} goes into {folder.library}.")
    say_when(settings, "It is watched")


@app.command()
def change(
    ctx: typer.Context,
    name: NameArgument,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="The folder it is now; without it, it stays."),
    ] = None,
    library: LibraryOption = None,
    camera: CameraOption = None,
    keyframes: KeyframesOption = None,
    regions: RegionsOption = None,
    tag: TagOption = None,
) -> None:
    """Change a folder that was added: its path, library, camera, keyframes, regions or tags.

    What was taken in stays as it is; into another library, or with other keyframes or regions, its
    files are taken in again.
    """
    settings = settings_of(ctx)
    roster = FolderRoster(settings)
    if not (path or library or camera or keyframes or regions or tag):
        raise UsageError(
            "There is nothing to change.",
            "Give FOLDER, --library, --camera, --keyframes, --regions or --tag.",
        )
    now = roster.get(name)
    given = AddedFolder(
        path=now.path if path is None else _absolute(path),
        library=library or now.library,
        camera=camera or now.camera,
        keyframes=keyframes or now.keyframes,
        regions=regions or now.regions,
        tags=tuple(tag) if tag else now.tags,
    )
    folder = roster.remake(name, given)
    detail = {"changed": name, "path": str(folder.path)}
    audit.record(settings, "folders", folder.library, detail)
    roster.change(folder)
    say(f"Changed {name}.")
    say_when(settings, "It is watched so")


@app.command()
def pause(ctx: typer.Context, name: NameArgument) -> None:
    """Stop watching a folder that was added, until it is resumed."""
    set_paused(ctx, "folders", FolderRoster, name, paused=True)
    say(f"Paused {name}; `sightline folders resume {name}` watches it again.")


@app.command()
def resume(ctx: typer.Context, name: NameArgument) -> None:
    """Watch a paused folder again; what appeared in it meanwhile is taken in."""
    set_paused(ctx, "folders", FolderRoster, name, paused=False)
    say(f"Resumed {name}.")


@app.command()
def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Remove a folder that was added: it is not watched any longer. What was taken in stays."""
    settings = settings_of(ctx)
    roster = FolderRoster(settings)
    folder = roster.get(name)
    question = f"Remove the folder {name}? What was taken in stays."
    confirm(question, yes=yes, otherwise="Nothing was removed.")
    detail = {"removed": name, "path": str(folder.path)}
    audit.record(settings, "folders", folder.library, detail)
    roster.remove(name)
    say(f"Removed {name}. Its files, and what was taken in of them, stay.")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
