"""`sightline failures`: what could not be taken in, and trying it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.schema.entity import iso_from_ms
from search_core.settings import Settings
from sightline.cli.ingest.ingest import print_summary, run_ingest
from sightline.cli.options import JsonOption, OnlyLibraryOption, settings_of
from sightline.cli.terminal import counted, local_time, print_json, say, shown_path, table

if TYPE_CHECKING:
    from ingest.ledger import LedgerRow


def failures(
    ctx: typer.Context,
    library: OnlyLibraryOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 100,
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
        worked = [_retry(settings, name, rows[:limit], json) for name in _libraries(rows[:limit])]
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
    from ingest.ledger import Ledger
    from ingest.sources.media_locator import present

    with Ledger(settings.ledger_path) as ledger:
        rows = [*ledger.outcomes(library, "failed"), *ledger.waiting(library)]
        rows = present(settings, ledger, rows)
    return sorted(rows, key=lambda row: -row.updated_ms)


def _libraries(rows: Sequence[LedgerRow]) -> list[str]:
    return sorted({row.library for row in rows})


def _records(rows: Sequence[LedgerRow]) -> list[dict[str, str]]:
    keys = ("library", "uri", "stage", "reason")
    return [
        {"at": iso_from_ms(row.updated_ms), **{key: getattr(row, key) for key in keys}}
        for row in rows
    ]


def _retry(settings: Settings, library: str, rows: Sequence[LedgerRow], quiet: bool) -> bool:
    """Ingest one library's failed files again; return whether none of them fails now."""
    from ingest.options import IngestOptions
    from ingest.sources.discovery import file_of

    files: dict[str, list[str]] = {}
    for row in rows:
        if row.library == library:
            files.setdefault(row.options, []).append(file_of(row.uri))
    worked = True
    for text, paths in files.items():
        options = IngestOptions.from_text(text) if text else IngestOptions(alone=False)
        unique = list(dict.fromkeys(paths))
        report = run_ingest(
            settings.model_copy(update={"library": library}),
            unique,
            options,
        )
        if not quiet:
            print_summary(report, library)
        worked = worked and not (report.failed or report.interrupted)
    return worked
