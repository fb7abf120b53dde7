"""`sightline cameras`: each live camera's state, its last frame, and when it was not seen.

Its subcommands (camera_changes.py) add, change, pause and remove cameras.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_core.schema.durations import format_duration
from search_core.settings import Settings
from search_core.system.machine import now_ms
from sightline.cli.cameras import changes as camera_changes
from sightline.cli.cameras.gaps import gap_records, iso, print_gaps
from sightline.cli.options import JsonOption, LastOption, settings_of
from sightline.cli.terminal import local_time, note, print_json, say, table

if TYPE_CHECKING:
    from ingest.cameras.status_log import CameraState, Gap

app = typer.Typer(name="cameras", invoke_without_command=True)


@app.callback()
def cameras(
    ctx: typer.Context,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="List the times in which cameras were not seen.")
    ] = False,
    camera: Annotated[
        str | None,
        typer.Option("--camera", metavar="NAME", help="Only this one."),
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
    from ingest.cameras.camera import is_watched
    from ingest.cameras.roster import Roster
    from ingest.cameras.status_log import Diary, Gap

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
    from ingest.cameras.camera import is_watched

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


app.command("add")(camera_changes.add)
app.command("change")(camera_changes.change)
app.command("pause")(camera_changes.pause)
app.command("resume")(camera_changes.resume)
app.command("remove")(camera_changes.remove)
