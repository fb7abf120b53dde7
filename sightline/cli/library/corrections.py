"""`sightline library retime` and `recamera`: correct when, and by which camera, it was taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.rows.journal import Pending, pending_correction
from search_core.access.audit_log import Action
from search_core.errors import UsageError
from search_core.schema.clocks import format_duration, format_offset
from search_core.schema.entity import iso_from_ms
from search_core.schema.filters import Filter
from search_core.settings import Settings
from sightline.cli.admin import audit
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    IdFilter,
    JsonOption,
    NameArgument,
    TagFilter,
    YesOption,
    make_filter,
    moment,
    settings_of,
    shift,
)
from sightline.cli.terminal import (
    ShowProgress,
    confirm,
    counted,
    local_time,
    note,
    open_workspace,
    print_json,
    progress_bar,
    say,
    say_done,
    shown_path,
    table,
    warn,
)

if TYPE_CHECKING:
    from ingest.curation.corrections import Change, Correction
    from search_core.store.milvus.store import MilvusStore

_SHOWN = 10
SourceFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="PATH",
        help="Only what was ingested from this file or address, or from below this folder.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be changed, and change nothing.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Finish a correction that was stopped midway.")
]


def retime(
    ctx: typer.Context,
    name: NameArgument = None,
    by: Annotated[
        timedelta | None,
        typer.Option(
            "--shift",
            parser=shift,
            metavar="+TIME|-TIME",
            help="Move it later (+1h) or earlier (-1h30m): the clock was wrong by this much.",
        ),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--set",
            parser=moment,
            metavar="ISO8601",
            help="When the recording starts (local time without a zone); of several videos of one "
            "camera the first by name, and the others one after another.",
        ),
    ] = None,
    reread: Annotated[
        bool,
        typer.Option(
            "--re-read", help="Read the time from the files again, by the rules of this version."
        ),
    ] = False,
    given_too: Annotated[
        bool,
        typer.Option(
            "--given-too",
            help="With --re-read, also where the time was given or corrected before.",
        ),
    ] = False,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    tag: TagFilter = None,
    source: SourceFilter = None,
    ids: IdFilter = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Correct when recordings of a library were taken: shift, set or read again.

    What passes all the filters is corrected, without any the whole library. A file counts as a
    whole: where a filter passes some of its keyframes, all are corrected, and each keeps its place
    in the video. It shows what will change and asks first. Stopped midway, the same command goes on
    from there, and nothing is shifted twice. The files themselves are not touched.
    """
    from ingest.curation.corrections import ReadTime, Shift, StartAt

    changes: list[Change] = []
    if by is not None:
        changes.append(Shift(by))
    if start is not None:
        changes.append(StartAt(start))
    if reread:
        changes.append(ReadTime(given_too))
    if given_too and not reread:
        raise UsageError("--given-too goes with --re-read.", "Add --re-read, or leave it out.")
    _run(
        settings_of(ctx, name),
        "retime",
        _only(changes, resume, "--shift, --set or --re-read"),
        make_filter(camera, after, before, tag, ids),
        tuple(source or ()),
        dry_run=dry_run,
        yes=yes,
        json=json,
    )


def recamera(
    ctx: typer.Context,
    name: NameArgument = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The camera it is of in truth."
        ),
    ] = None,
    reread: Annotated[
        bool,
        typer.Option(
            "--re-read", help="Find the camera out again, by the rules of this version."
        ),
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--from", "--camera", metavar="NAME",
            help="Only this camera; give it again for any of several.",
        ),
    ] = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    tag: TagFilter = None,
    source: SourceFilter = None,
    ids: IdFilter = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Correct by which camera recordings of a library were taken.

    What passes all the filters is corrected, without any the whole library; a file counts as a
    whole. It shows what will change and asks first. Stopped midway, the same command goes on from
    there. The files themselves, and the cameras that are watched, are not touched.
    """
    from ingest.curation.corrections import ReadCamera, SetCamera

    changes: list[Change] = []
    if to is not None:
        changes.append(SetCamera(to.strip()))
    if reread:
        changes.append(ReadCamera())
    _run(
        settings_of(ctx, name),
        "recamera",
        _only(changes, resume, "--to or --re-read"),
        make_filter(camera, after, before, tag, ids),
        tuple(source or ()),
        dry_run=dry_run,
        yes=yes,
        json=json,
    )


def _only(changes: Sequence[Change], resume: bool, options: str) -> Change | None:
    """Return the one change asked for, None to resume; raises UsageError for none or several."""
    if len(changes) + resume != 1:
        raise UsageError(
            "Say what to change." if not changes else "Only one change at a time is possible.",
            f"Give one of {options}, or --resume.",
        )
    return None if resume else changes[0]


def _run(
    settings: Settings,
    action: Action,
    change: Change | None,
    where: Filter,
    sources: tuple[str, ...],
    *,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    from ingest.curation.corrections import (
        apply_correction,
        asked_of,
        is_resumed_by,
        plan_correction,
    )

    pending = pending_correction(settings, settings.library)
    again = (
        pending is not None
        and change is not None
        and is_resumed_by(pending, asked_of(change, where, sources))
    )
    with open_workspace(settings) as workspace:
        store = workspace.store()
        if change is None or (again and not dry_run):
            _resume(settings, store, pending, yes=yes, json=json)
            return
        with progress_bar("Reading", "files") as on_progress:
            correction = plan_correction(
                settings, store, settings.library, change, where, sources, on_progress
            )
        if dry_run and json:
            print_json(_record(correction, written=False))
            return
        if not json:
            _show(settings, correction, change)
        if dry_run:
            note("Nothing was changed (--dry-run).")
            return
        if correction.rows:
            confirm(_question(correction, change), yes=yes, otherwise="Nothing was changed.")
            detail = {**correction.asked, "count": len(correction.rows)}
            audit.record(settings, action, settings.library, detail)
            with _correcting(settings) as on_progress:
                apply_correction(settings, store, correction, on_progress)
    if json:
        print_json(_record(correction, written=True))
    elif correction.rows:
        _say_corrected(len(correction.rows), settings.library)


def _resume(
    settings: Settings, store: MilvusStore, pending: Pending | None, *, yes: bool, json: bool
) -> None:
    """Finish what is pending; raises UsageError where nothing is."""
    from ingest.curation.corrections import resume_correction

    if pending is not None:
        confirm(
            f"An earlier correction was stopped after {pending.done:,} of {pending.total:,} "
            f"keyframes ({_in_words(pending.asked)}). Finish it?",
            yes=yes,
            otherwise="Nothing was changed.",
        )
        detail = {**pending.asked, "count": pending.left, "resumed": True}
        audit.record(settings, pending.action, settings.library, detail)
    with _correcting(settings) as on_progress:
        total = resume_correction(settings, store, settings.library, on_progress)
    if json:
        print_json({"library": settings.library, "keyframes": total, "changed": True})
    else:
        _say_corrected(total, settings.library)


def _in_words(asked: Any) -> str:
    named = {name: value for name, value in asked.items() if name not in ("filter", "given too")}
    return ", ".join(f"{name} {value}" for name, value in named.items())


def _say_corrected(count: int, library: str) -> None:
    say_done(f"Corrected {counted(count, 'keyframe')} of the library {library}.")


@contextmanager
def _correcting(settings: Settings) -> Iterator[ShowProgress]:
    """Show how far a correction is; where Ctrl-C or a signal ends it, say how to go on."""
    try:
        with progress_bar("Correcting", "keyframes") as on_progress:
            yield on_progress
    except KeyboardInterrupt:
        pending = pending_correction(settings, settings.library)
        if pending is not None:
            warn(
                f"Stopped after {pending.done:,} of {counted(pending.total, 'keyframe')}; the same "
                "command, or --resume, goes on from there."
            )
        raise


# What will change


def _question(correction: Correction, change: Change) -> str:
    from ingest.curation.corrections import SetCamera, Shift

    of = counted(len(correction.recordings), "recording")
    what = f"{counted(len(correction.rows), 'keyframe')} of {of} in the library"
    match change:
        case Shift(by):
            return f"Shift {what} {correction.library} by {format_offset(by)}?"
        case SetCamera(name):
            return f"Give {what} {correction.library} the camera {name}?"
    return f"Correct {what} {correction.library}?"


def _show(settings: Settings, correction: Correction, change: Change) -> None:
    """Print what a correction would change, recording by recording, and what it leaves."""
    from ingest.curation.corrections import ReadCamera, ReadTime, SetCamera, outlived

    for_camera = isinstance(change, SetCamera | ReadCamera)
    if correction.recordings:
        columns = ("Camera", "Will be") if for_camera else ("Camera", "Starts", "Will start")
        reading = ("By",) if isinstance(change, ReadTime) else ()
        made = table("Recording", "Keyframes", *columns, *reading,
                     right=("Keyframes",), fold=("Recording",))  # fmt: skip
        for item in correction.recordings[:_SHOWN]:
            times = (local_time(item.start_ms), local_time(item.new_start_ms))
            cells = (item.new_camera,) if for_camera else times
            by = (f"{item.captured_from} → {item.new_captured_from}",) if reading else ()
            uri = "live" if item.is_live else shown_path(item.uri)
            made.add_row(uri, f"{item.keyframes:,}", item.camera, *cells, *by)
        say(made)
        if len(correction.recordings) > _SHOWN:
            more = counted(len(correction.recordings) - _SHOWN, "more recording")
            say(f"… and {more}; --dry-run --json lists them all.")
    else:
        say(f"Nothing in the library {correction.library} is to be changed.")
    if correction.beyond:
        note(
            f"{counted(correction.beyond, 'keyframe')} beyond the filter: recordings are corrected "
            "as a whole."
        )
    if correction.unchanged:
        note(f"{counted(correction.unchanged, 'keyframe')} already so.")
    for uri, reason in correction.kept[:_SHOWN]:
        warn(f"Left as it is: {shown_path(uri)} {reason}.")
    if len(correction.kept) > _SHOWN:
        note(f"… and {counted(len(correction.kept) - _SHOWN, 'more recording')} left as they are.")
    for rule, count in outlived(settings, correction, datetime.now().astimezone()):
        of = f"of {rule.camera}" if rule.camera else f"in {rule.library}"
        warn(
            f"{counted(count, 'recording')} will be older than {format_duration(rule.retain)}, for "
            f"which keyframes {of} are kept: `sightline prune` removes their keyframes."
        )


def _record(correction: Correction, *, written: bool) -> dict[str, Any]:
    """Return a correction as plain JSON values."""
    return {
        "library": correction.library,
        "keyframes": len(correction.rows),
        "changed": written and bool(correction.rows),
        "unchanged": correction.unchanged,
        "beyond_filter": correction.beyond,
        "recordings": [
            {
                "uri": item.uri,
                "keyframes": item.keyframes,
                "camera": item.camera,
                "new_camera": item.new_camera,
                "starts": iso_from_ms(item.start_ms),
                "will_start": iso_from_ms(item.new_start_ms),
                "captured_from": item.captured_from,
                "new_captured_from": item.new_captured_from,
            }
            for item in correction.recordings
        ],
        "left": [{"uri": uri, "reason": reason} for uri, reason in correction.kept],
    }
