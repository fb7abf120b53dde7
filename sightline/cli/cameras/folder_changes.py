"""`sightline folders add`, `change`, `pause`, `resume`, `remove`: folders while Sightline runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.cameras.folders.folder import AddedFolder
from search_core.errors import UsageError
from search_core.settings import Settings
from sightline.cli.admin import operator
from sightline.cli.cameras.changes import say_when, set_paused
from sightline.cli.options import LibraryOption, TagOption, YesOption, settings_of
from sightline.cli.terminal import confirmed, note, say

if TYPE_CHECKING:
    from ingest.cameras.folders.roster import FolderRoster

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


def add(
    ctx: typer.Context,
    name: NameArgument,
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that recordings are written to.")
    ],
    library: LibraryOption = None,
    camera: CameraOption = None,
    keyframes: KeyframesOption = None,
    tag: TagOption = None,
) -> None:
    """Add a folder to watch: `sightline serve` watches it within seconds.

    It is kept in folders.toml in the data directory.
    """
    settings = settings_of(ctx, library)
    roster = _roster(settings)
    given = AddedFolder(
        path=_absolute(path),
        library=settings.library,
        camera=camera,
        keyframes=keyframes or "auto",
        tags=tuple(tag or ()),
    )
    folder = roster.make(name, given)
    detail = {"added": folder.name, "path": str(folder.path)}
    operator.record(settings, "folders", folder.library, detail)
    roster.add(folder)
    say(f"Added {folder.name}: what appears in {folder.path} goes into {folder.library}.")
    say_when(settings, "It is watched")


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
    tag: TagOption = None,
) -> None:
    """Change a folder that was added: its path, library, camera, keyframes or tags.

    What was taken in stays as it is; into another library, or with other keyframes, its files are
    taken in again.
    """
    settings = settings_of(ctx)
    roster = _roster(settings)
    if path is None and library is None and camera is None and keyframes is None and not tag:
        raise UsageError(
            "There is nothing to change.",
            "Give FOLDER, --library, --camera, --keyframes or --tag.",
        )
    now = roster.get(name)
    given = AddedFolder(
        path=now.path if path is None else _absolute(path),
        library=library or now.library,
        camera=camera or now.camera,
        keyframes=keyframes or now.keyframes,
        tags=tuple(tag) if tag else now.tags,
    )
    folder = roster.remake(name, given)
    detail = {"changed": name, "path": str(folder.path)}
    operator.record(settings, "folders", folder.library, detail)
    roster.change(folder)
    say(f"Changed {name}.")
    say_when(settings, "It is watched so")


def pause(ctx: typer.Context, name: NameArgument) -> None:
    """Stop watching a folder that was added, until it is resumed."""
    settings = settings_of(ctx)
    set_paused(settings, "folders", _roster(settings), name, paused=True)
    say(f"Paused {name}; `sightline folders resume {name}` watches it again.")


def resume(ctx: typer.Context, name: NameArgument) -> None:
    """Watch a paused folder again; what appeared in it meanwhile is taken in."""
    settings = settings_of(ctx)
    set_paused(settings, "folders", _roster(settings), name, paused=False)
    say(f"Resumed {name}.")


def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Remove a folder that was added: it is not watched any longer. What was taken in stays."""
    settings = settings_of(ctx)
    roster = _roster(settings)
    folder = roster.get(name)
    if not confirmed(f"Remove the folder {name}? What was taken in stays.", yes=yes):
        note("Nothing was removed.")
        raise typer.Exit(1)
    detail = {"removed": name, "path": str(folder.path)}
    operator.record(settings, "folders", folder.library, detail)
    roster.remove(name)
    say(f"Removed {name}. Its files, and what was taken in of them, stay.")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _roster(settings: Settings) -> FolderRoster:
    from ingest.cameras.folders.roster import FolderRoster

    return FolderRoster(settings)
