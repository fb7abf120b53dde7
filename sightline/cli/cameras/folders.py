"""`sightline folders`: each watched folder's state, its failures, and when it was not watched.

Its subcommands (folder_changes.py) add, change, pause and remove folders.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_core.schema.entity import iso_from_ms
from search_core.settings import Settings
from sightline.cli.cameras import folder_changes
from sightline.cli.cameras.gaps import gap_records, iso, print_gaps
from sightline.cli.options import JsonOption, LastOption, settings_of
from sightline.cli.terminal import counted, local_time, note, print_json, say, table

if TYPE_CHECKING:
    from ingest.cameras.folders.log import FolderFailure, FolderState
    from ingest.cameras.status_log import Gap

_SHOWN_FAILURES = 100

app = typer.Typer(name="folders", invoke_without_command=True)


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
    from ingest.cameras.folders.log import FolderLog
    from ingest.cameras.folders.roster import FolderRoster

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


app.command("add")(folder_changes.add)
app.command("change")(folder_changes.change)
app.command("pause")(folder_changes.pause)
app.command("resume")(folder_changes.resume)
app.command("remove")(folder_changes.remove)
