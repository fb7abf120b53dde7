"""`sightline ingest`: take footage and photographs into a library, and `sightline failures`: what
could not be taken in, and trying it again.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from ingest.engines.base import Engine
from ingest.ledger import Ledger, LedgerRow
from ingest.media.capture_time.claims import file_time_warning, time_summary
from ingest.media.files import WAIT_STAGE
from ingest.media.keyframes.registry import selector_help
from ingest.media.regions.registry import regions_help
from ingest.options import IngestOptions, ReadMode
from ingest.report import IngestReport, ReadReport
from ingest.report import Progress as IngestProgress
from ingest.rows.journal import pending_correction
from ingest.sources.discovery import file_of
from search_core.encoders.catalogue import knows_footage
from search_core.schema.clocks import parse_offset, parse_zone
from search_core.schema.entity import iso_from_ms
from search_core.settings import MOST_WORKERS, Settings
from sightline.cli.admin import audit
from sightline.cli.options import (
    ClockOffsetOption,
    DownloadOption,
    JsonOption,
    LibraryOption,
    NamePatternOption,
    OnlyLibraryOption,
    TagOption,
    TimezoneOption,
    downloads_agreed,
    moment,
    of_cameras,
    settings_of,
)
from sightline.cli.terminal import (
    counted,
    err,
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
    from search_core.store.milvus.store import MilvusStore

SHOWN_FAILURES = 10
_SHOWN_NAME = 32
SHOWN_TIME_WARNINGS = 5
_AUDITED_PATHS = 10

EngineName = Literal["local", "ray"]

EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Where it runs: local, in processes of this machine; ray, on a Ray cluster whose "
        "machines see the files and the data directory at the same paths.",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        envvar="RAY_ADDRESS",
        help="The Ray cluster; without it one is started on this machine and ended again.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=MOST_WORKERS,
        help="How many files are decoded at a time; otherwise what cores and memory allow.",
    ),
]


def ingest(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders (with all that is below them), globs in quotes, zip archives, "
            "here or at s3:// and gs:// addresses; https:// ones where the settings allow it.",
        ),
    ],
    library: LibraryOption = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The camera all of it is from; otherwise files say it by their names, or the "
            "folders they lie in.",
        ),
    ] = None,
    started_at: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="ISO8601",
            help="When the recording started (without a zone, in that of --timezone); otherwise it "
            "is read from the file or its name. Several recordings of one folder or --camera "
            "are laid one after another by name, the first starting then.",
        ),
    ] = None,
    timezone: TimezoneOption = None,
    clock_offset: ClockOffsetOption = None,
    name_pattern: NamePatternOption = None,
    keyframes: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help=f"Which frames of a video: {selector_help()}",
        ),
    ] = "auto",
    regions: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Parts of a picture to embed as well, so that what is small is found: "
            f"{regions_help()}",
        ),
    ] = "auto",
    tag: TagOption = None,
    read: Annotated[
        ReadMode,
        typer.Option(
            help="Whether to read lettering (names on lorries, plates, signs) on the keyframes, "
            "after all else: auto, where what reads it is installed; off. `sightline library "
            "read` does it later.",
        ),
    ] = "auto",
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk",
            help="For very many: hand rows to a Milvus server in files, which it takes in by "
            "itself. Needs a server, and the setting milvus.bulk_storage.",
        ),
    ] = False,
    engine: EngineOption = "local",
    ray_address: RayAddressOption = None,
    workers: WorkersOption = None,
    yes: DownloadOption = False,
    json: JsonOption = False,
) -> None:
    """Take footage and photographs into a library.

    What is in the library already is skipped, so the same command may be run again at any time: it
    goes on where it was stopped. A --camera, --started-at or --tag that differs from what it has
    there is given to it. A file that cannot be read does not stop the others; the exit
    code is 1 only when nothing was taken in or skipped and something failed, or when stopped.
    """
    settings = settings_of(ctx, library)
    options = IngestOptions(
        keyframes=keyframes,
        camera=camera,
        started_at=started_at,
        tags=tuple(tag or ()),
        timezones=of_cameras(timezone, parse_zone),
        clock_offsets=of_cameras(clock_offset, parse_offset),
        name_patterns=tuple(name_pattern or ()),
        read=read,
        regions=regions,
    ).spelled()
    _ = options.recipe  # what is unknown is refused before anything is loaded
    options.naming(settings, paths)
    chosen = _engine_of(settings, engine, ray_address, workers)
    if yes:
        settings = downloads_agreed(settings)
    report = run_ingest(settings, paths, options, bulk=bulk, engine=chosen)
    if json:
        print_json(report.to_json())
    else:
        print_summary(report, settings.library)
        if report.done:
            _warn_of_encoder(settings, paths)
    nothing_worked = report.failed and not report.done and not report.skipped
    if nothing_worked or report.interrupted:
        raise typer.Exit(1)


def _warn_of_encoder(settings: Settings, paths: list[str]) -> None:
    """Say that the encoder does not know what was ingested, where that is known."""
    sample = (settings.data_dir / "footage").resolve()
    is_own = any(not Path(path).resolve().is_relative_to(sample) for path in paths)
    with open_workspace(settings) as workspace:
        encoder = workspace.library().info.encoder.name
    if is_own and not knows_footage(encoder, [""]):
        warn(
            f"The encoder {encoder} knows the drawn sample footage only: most searches of "
            f"other footage miss. `sightline library reembed {settings.library}` embeds it anew "
            "with an encoder for real footage, once `sightline models download` has got that."
        )


def _engine_of(
    settings: Settings, name: EngineName, ray_address: str | None, workers: int | None
) -> Engine | None:
    """Return what the options ask for, None where that is what an ingest uses anyway.

    Raises EngineError when it is not installed.
    """
    if name == "ray":
        from ingest.engines.ray.engine import RayEngine

        return RayEngine(settings, address=ray_address, workers=workers)
    if workers is None:
        return None
    from ingest.engines.base import LocalEngine

    return LocalEngine(workers)


def run_ingest(
    settings: Settings,
    paths: list[str],
    options: IngestOptions,
    *,
    bulk: bool = False,
    engine: Engine | None = None,
) -> IngestReport:
    """Ingest with a progress bar on stderr; Ctrl-C ends it after what is being done now."""
    with open_workspace(settings) as workspace:
        library = workspace.library()
        if bulk:
            workspace.bulk_storage()  # refuses an embedded Milvus before anything is made
        workspace.store(create=True)
        workspace.encoder()  # it may ask whether to download, which a bar would draw over
        with stoppable() as should_stop, _telling_progress() as on_progress:
            report = library.ingest(
                paths,
                options,
                on_progress=on_progress,
                should_stop=should_stop,
                engine=engine,
                bulk=bulk,
                correct_known=False,
            )
        if not report.interrupted and options.describes_sources:
            _correct_known(settings, workspace.store(), report, options)
        return report


def _correct_known(
    settings: Settings,
    store: MilvusStore,
    report: IngestReport,
    options: IngestOptions,
) -> None:
    """Give camera, time and tags to what was in the library already, and audit it."""
    from ingest.curation.known_sources import correct_known, find_known, leave_known

    known = find_known(store, settings.library, report, options.camera, options.tags)
    if not known.ids:
        return
    if pending_correction(settings, settings.library) is not None:
        warn(
            f"{counted(len(known.uris), 'source')} in the library already keep camera, time and "
            "tags: an earlier correction was stopped midway. Finish it with `sightline library "
            "retime --resume`, then run this again."
        )
        leave_known(report, known.uris)
        return
    all_given = options.to_json()
    given = {name: all_given[name] for name in ("camera", "started_at", "tags")}
    detail = {"count": len(known.ids), "paths": sorted(known.uris)[:_AUDITED_PATHS]}
    audit.record(settings, "ingest", settings.library, {"corrected": given, **detail})
    with err().status("Correcting what was in the library already …"):
        correct_known(settings, store, known, report)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C or SIGTERM ask for an orderly end; a second one ends at once."""
    asked = Event()

    def stop(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        note("Stopping after what is being done now; Ctrl-C again stops at once.")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling_progress() -> Iterator[Callable[[IngestProgress], None]]:
    """Show a bar, and say that Milvus is waited for; yields what is to be told of the ingest."""
    said = ""
    with progress_bar("Ingesting", "sources") as show:

        def tell(progress: IngestProgress) -> None:
            nonlocal said
            if progress.waiting != said:
                note(progress.waiting or "Milvus answers again.")
                said = progress.waiting
            name = progress.current.rstrip("/").rpartition("/")[2]
            name = name if len(name) <= _SHOWN_NAME else f"{name[: _SHOWN_NAME - 1]}…"
            current = f"{counted(progress.keyframes, 'keyframe')}, {name}"
            show(progress.sources_finished, progress.sources_total, current)

        show(0, None, "looking for media")
        yield tell


def print_summary(report: IngestReport, library: str) -> None:
    """Print what an ingest did, as people read it."""
    if not report.done + report.skipped + report.failed:
        say("There are no images and no videos there.")
        return
    if report.done:
        say_done(
            f"{counted(report.done, 'source')} taken into the library {library}: "
            f"{counted(report.keyframes, 'keyframe')} in {report.seconds:.1f} s "
            f"({report.keyframes_per_s:.1f} keyframes/s)."
        )
    if report.left_out:
        say(f"{counted(report.left_out, 'frame')} left out: nothing new to be seen.")
    if report.replaced:
        say(f"Removed {counted(report.replaced, 'keyframe')} of what these files held before.")
    _print_skipped(report)
    if report.corrected:
        keyframes = counted(report.corrected_keyframes, "keyframe")
        say_done(
            f"{counted(report.corrected, 'source')} in the library already: {keyframes} now "
            "have the camera, time or tags given."
        )
    _print_warnings(report)
    _print_times(report)
    if report.read is not None and report.read.keyframes + report.read.failed:
        print_reading(report.read)
    elif report.unread and report.done:
        note(f"Lettering was not read: {report.unread}.")
    failed = [outcome for outcome in report.outcomes if outcome.status == "failed"]
    if report.failed:
        say(Text.assemble(("✗ ", "red"), f"{counted(report.failed, 'source')} failed:"))
        rows = table("File", "Stage", "Reason", fold=("File", "Reason"))
        for outcome in failed[:SHOWN_FAILURES]:
            rows.add_row(shown_path(outcome.uri), outcome.stage or "", outcome.reason or "")
        say(rows)
        if report.failed > SHOWN_FAILURES:
            say(f"… and {report.failed - SHOWN_FAILURES} more: see `sightline failures`.")
    if report.interrupted:
        warn("Stopped before the end; the same command goes on from here.")


def print_reading(report: ReadReport) -> None:
    """Print what reading lettering came to."""
    say_done(f"{report.summary[:1].upper()}{report.summary[1:]}.")
    for uri, reason in list(report.reasons.items())[:SHOWN_FAILURES]:
        warn(f"{shown_path(uri)} {reason}")
    if len(report.reasons) > SHOWN_FAILURES:
        note(f"… and {counted(len(report.reasons) - SHOWN_FAILURES, 'more file')}.")


def _print_warnings(report: IngestReport) -> None:
    """Print what was wrong with sources that were taken in: the same of many is counted."""
    warned = [
        outcome for outcome in report.outcomes if outcome.warning and not outcome.time_warning
    ]
    counts = Counter(outcome.warning for outcome in warned)
    shown: Counter[str] = Counter()
    for outcome in warned:
        shown[outcome.warning] += 1
        number, count = shown[outcome.warning], counts[outcome.warning]
        if number <= SHOWN_FAILURES:
            warn(f"{shown_path(outcome.uri)}: {outcome.warning}")
        elif number == count:
            warn(f"… and {count - SHOWN_FAILURES} more: {outcome.warning}")


def _print_skipped(report: IngestReport) -> None:
    """Print why sources were skipped, counted by reason; those still being written by name."""
    from ingest.curation.known_sources import CORRECTED
    from ingest.intake import KNOWN

    skipped = [outcome for outcome in report.outcomes if outcome.status == "skipped"]
    waiting = [outcome for outcome in skipped if outcome.stage == WAIT_STAGE]
    reasons = Counter(outcome.reason for outcome in skipped if outcome.stage != WAIT_STAGE)
    known = reasons.pop(KNOWN, 0)
    reasons.pop(CORRECTED, None)
    if known:
        nothing_new = "" if report.done or report.failed else "Nothing new: "
        say(f"{nothing_new}{counted(known, 'source')} skipped, {KNOWN}.")
    for reason, number in reasons.most_common(SHOWN_FAILURES):
        say(f"{counted(number, 'file')} skipped: {reason}.")
    for outcome in waiting[:SHOWN_FAILURES]:
        warn(f"{shown_path(outcome.uri)} skipped: {outcome.reason}.")
    if len(waiting) > SHOWN_FAILURES:
        say(f"… and {len(waiting) - SHOWN_FAILURES} more: see `sightline failures`.")


def _print_times(report: IngestReport) -> None:
    """Print where capture times come from, and warn of those that may be wrong."""
    if report.done:
        say(time_summary(report.captured_from))
    if warning := file_time_warning(report.captured_from["file"], report.done):
        warn(warning)
    print_doubted([(o.uri, o.warning) for o in report.outcomes if o.time_warning])


def print_doubted(doubted: Sequence[tuple[str, str]]) -> None:
    """Print which sources have times that contradict each other, by uri, and how."""
    for uri, warning in doubted[:SHOWN_TIME_WARNINGS]:
        warn(f"{shown_path(uri)}: {warning}")
    if len(doubted) > SHOWN_TIME_WARNINGS:
        warn(
            f"… and {len(doubted) - SHOWN_TIME_WARNINGS:,} more sources with times that are in "
            "doubt: --json lists them all."
        )
    if doubted:
        note(
            "--timezone gives the zone of a camera's clock, and --clock-offset corrects one that "
            "is wrong."
        )


def failures(
    ctx: typer.Context,
    library: OnlyLibraryOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 100,
    retry: Annotated[
        bool, typer.Option("--retry", help="Take them in again now, all that are listed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the files that could not be taken in: when, which, at what stage, and why.

    Files that were left because they are still being written are listed too, at the stage "wait";
    files that were deleted since are not. With --retry they are tried again, with the options of
    the ingest they failed in; the exit code is 1 where any of them fails again.
    """
    settings = settings_of(ctx)
    rows = _failed(settings, library)
    if retry and rows:
        libraries = sorted({row.library for row in rows[:limit]})
        worked = [_retry(settings, name, rows[:limit], json) for name in libraries]
        if json:
            print_json(_records(_failed(settings, library)))
        if not all(worked):
            raise typer.Exit(1)
        return
    if json:
        print_json(_records(rows[:limit]))
        return
    if not rows:
        say("No failures.")
        return
    made = table("When", "Library", "Stage", "File", "Reason", fold=("File", "Reason"))
    for row in rows[:limit]:
        made.add_row(
            local_time(row.updated_ms), row.library, row.stage, shown_path(row.uri), row.reason
        )
    say(made)
    if len(rows) > limit:
        say(f"… and {counted(len(rows) - limit, 'older failure')}; --limit shows more.")
    say("`sightline failures --retry` tries them again.")


def _failed(settings: Settings, library: str | None) -> list[LedgerRow]:
    if not settings.ledger_path.exists():
        return []
    from ingest.sources.media_locator import present

    with Ledger(settings.ledger_path) as ledger:
        rows = [*ledger.outcomes(library, "failed"), *ledger.waiting(library)]
        rows = present(settings, ledger, rows)
    return sorted(rows, key=lambda row: -row.updated_ms)


def _records(rows: Sequence[LedgerRow]) -> list[dict[str, str]]:
    keys = ("library", "uri", "stage", "reason")
    return [
        {"at": iso_from_ms(row.updated_ms), **{key: getattr(row, key) for key in keys}}
        for row in rows
    ]


def _retry(settings: Settings, library: str, rows: Sequence[LedgerRow], quiet: bool) -> bool:
    """Ingest one library's failed files again; return whether none of them fails now."""
    files: dict[str, list[str]] = {}
    for row in rows:
        if row.library == library:
            files.setdefault(row.options, []).append(file_of(row.uri))
    worked = True
    for text, paths in files.items():
        options = IngestOptions.from_text(text) if text else IngestOptions(alone=False)
        its_settings = settings.model_copy(update={"library": library})
        report = run_ingest(its_settings, list(dict.fromkeys(paths)), options)
        if not quiet:
            print_summary(report, library)
        worked = worked and not (report.failed or report.interrupted)
    return worked
