"""`sightline ingest`: take footage and photographs into a library."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cli.engine import EngineOption, RayAddressOption, WorkersOption, engine_of
from cli.options import JsonOption, LibraryOption, moment, settings_of
from cli.terminal import counted, err, note, print_json, say, shown_path, table, warn
from cli.workspace import bulk_storage_of, load_encoder, open_store
from search_core.settings import Settings

if TYPE_CHECKING:
    from ingest.engines.tasks import Engine
    from ingest.outcomes import IngestReport
    from ingest.outcomes import Progress as IngestProgress

SHOWN_FAILURES = 10


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
            "--camera", metavar="NAME", help="The camera all of it is from.", show_default=False
        ),
    ] = None,
    started_at: Annotated[
        datetime | None,
        typer.Option(
            "--started-at",
            parser=moment,
            metavar="ISO8601",
            help="When the recording started (local time without a zone); otherwise it is read "
            "from the file.",
        ),
    ] = None,
    keyframes: Annotated[
        str,
        typer.Option(
            "--keyframes",
            metavar="HOW",
            help="Which frames of a video: auto (one per thing that comes and goes), iframe (all "
            "of the codec's), interval:SECONDS, scene (one per shot), motion (a fixed camera's, "
            "while something moves); +distinct after any leaves near-duplicates out.",
        ),
    ] = "auto",
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Put this tag on all of it; may be repeated."),
    ] = None,
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
    json: JsonOption = False,
) -> None:
    """Take footage and photographs into a library.

    What is in the library already is skipped, so the same command may be run again at any time: it
    goes on where it was stopped. A file that cannot be read does not stop the others; the exit
    code is 1 only when nothing was taken in or skipped and something failed, or when stopped.
    """
    settings = settings_of(ctx, library)
    from ingest.keyframes import parse_selector

    parse_selector(keyframes)  # refused before anything is loaded
    report = run_ingest(
        settings,
        paths,
        engine=engine_of(settings, engine, ray_address, workers),
        camera=camera,
        started_at=started_at,
        keyframes=keyframes,
        tags=tuple(tag or ()),
        bulk=bulk,
    )
    if json:
        print_json(report.to_json())
    else:
        print_summary(report, settings.library)
    nothing_worked = report.failed and not report.done and not report.skipped
    if nothing_worked or report.interrupted:
        raise typer.Exit(1)


def run_ingest(
    settings: Settings,
    paths: list[str],
    *,
    camera: str | None = None,
    started_at: datetime | None = None,
    keyframes: str = "auto",
    tags: tuple[str, ...] = (),
    bulk: bool = False,
    engine: Engine | None = None,
) -> IngestReport:
    """Ingest with a progress bar on stderr; Ctrl-C ends it after what is being done now."""
    from ingest.pipeline import ingest as run

    storage = bulk_storage_of(settings) if bulk else None
    with open_store(settings, create=True) as store:
        insert = store.bulk_inserter(storage).insert if storage else None
        encoder = load_encoder(settings)
        with _stoppable() as should_stop, _progress_bar() as on_progress:
            return run(
                paths,
                settings=settings,
                store=store,
                encoder=encoder,
                library=settings.library,
                camera=camera,
                started_at=started_at,
                keyframes=keyframes,
                tags=tags,
                on_progress=on_progress,
                should_stop=should_stop,
                bulk=insert,
                engine=engine,
            )


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
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
def _progress_bar() -> Iterator[Callable[[IngestProgress], None]]:
    bar = Progress(
        SpinnerColumn(),
        TextColumn("Ingesting", style="bold"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[keyframes]:,} keyframes"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[current]}", style="dim", markup=False),
        console=err(),
        transient=True,
    )
    task: TaskID = bar.add_task("", total=None, keyframes=0, current="looking for media")

    said = ""

    def say_waiting(progress: IngestProgress) -> None:
        nonlocal said
        if progress.waiting != said:
            note(progress.waiting or "Milvus answers again.")
            said = progress.waiting

    def show(progress: IngestProgress) -> None:
        say_waiting(progress)
        bar.update(
            task,
            total=progress.sources_total,
            completed=progress.sources_finished,
            keyframes=progress.keyframes,
            current=_short(progress.current),
        )

    if not err().is_terminal:
        yield say_waiting
        return
    with bar:
        yield show


def _short(uri: str | None) -> str:
    name = (uri or "").rstrip("/").rpartition("/")[2]
    return name if len(name) <= 32 else f"{name[:31]}…"


def print_summary(report: IngestReport, library: str) -> None:
    """Print what an ingest did, as people read it."""
    if not report.done + report.skipped + report.failed:
        say("There are no images and no videos there.")
        return
    if report.done:
        say(
            Text.assemble(
                ("✓ ", "green"),
                f"{counted(report.done, 'source')} taken into the library {library}: "
                f"{counted(report.keyframes, 'keyframe')} in {report.seconds:.1f} s "
                f"({report.keyframes_per_s:.1f} keyframes/s).",
            )
        )
    if report.left_out:
        say(f"{counted(report.left_out, 'frame')} left out: nothing new to be seen.")
    _print_skipped(report)
    _print_warnings(report)
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


def _print_warnings(report: IngestReport) -> None:
    """Print what was wrong with sources that were taken in: the same of many is counted."""
    warned = [outcome for outcome in report.outcomes if outcome.warning]
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
    """Print why sources were skipped, counted by reason."""
    from ingest.intake import KNOWN

    reasons = Counter(outcome.reason for outcome in report.outcomes if outcome.status == "skipped")
    known = reasons.pop(KNOWN, 0)
    if known:
        nothing_new = "" if report.done or report.failed else "Nothing new: "
        say(f"{nothing_new}{counted(known, 'source')} skipped, {KNOWN}.")
    for reason, number in reasons.most_common(SHOWN_FAILURES):
        say(f"{counted(number, 'file')} skipped: {reason}.")
