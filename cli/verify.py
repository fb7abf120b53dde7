"""`sightline verify`: media, thumbnails, the ledger and Milvus held against each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli import operator
from cli.options import JsonOption, YesOption, duration, settings_of
from cli.terminal import confirmed, counted, err, print_json, say, shown_path, table
from cli.workspace import load_encoder, open_store
from search_core.entities import ms_from_datetime
from search_core.errors import UsageError
from search_core.settings import Settings

if TYPE_CHECKING:
    from ingest.verification import Finding
    from search_core.library import Store

_SHOWN = 20


def verify(
    ctx: typer.Context,
    library: Annotated[
        str | None,
        typer.Option("--library", metavar="NAME", help="Only this library; all otherwise."),
    ] = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended from what is there.")
    ] = False,
    forget_missing: Annotated[
        bool,
        typer.Option("--forget-missing", help="Remove the keyframes of files that were deleted."),
    ] = False,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            "--older-than",
            parser=duration,
            metavar="TIME",
            help="With --forget-missing: only what was captured longer ago than this, such as 7d.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Check that media, thumbnails, the ledger and Milvus agree; list what is missing.

    With --repair, thumbnails are drawn again from the media, files that were moved are found again,
    sources with missing keyframes, and files that have other content now, are taken in again with
    the options they had, and thumbnails nothing shows are removed. With --forget-missing keyframes
    of deleted files go for good; files on a file system that is not mounted do not count as
    deleted. Exits with 1 when something is left that does not fit.
    """
    if older_than is not None and not forget_missing:
        raise UsageError("--older-than needs --forget-missing.", "Give both, or neither.")
    settings = settings_of(ctx, library)
    from ingest.repair import repair
    from ingest.verification import verify as look

    with open_store(settings) as store:
        names = [store.library(library).name] if library else [i.name for i in store.libraries()]
        with err().status("Looking …") as line:
            findings = list(
                look(
                    settings,
                    store,
                    names,
                    lambda rows: line.update(f"Looked at {counted(rows, 'keyframe')} …"),
                )
            )
        left = findings
        if mend and findings:
            with err().status("Mending …") as line:
                left = repair(
                    settings,
                    store,
                    findings,
                    lambda: load_encoder(settings),
                    lambda progress: line.update(Text(f"Taking in again: {progress.current} …")),
                )
        mended = len(findings) - len(left)
        forgotten = 0
        if forget_missing:
            left, forgotten = _forget(settings, store, left, older_than, yes=yes)
    if json:
        records = [finding.to_dict() for finding in left]
        print_json({"mended": mended, "forgotten": forgotten, "findings": records})
    else:
        if forgotten:
            say(f"Removed {counted(forgotten, 'keyframe')} of deleted files.")
        _print(left, mended, mend)
    if left:
        raise typer.Exit(1)


def _forget(
    settings: Settings,
    store: Store,
    findings: list[Finding],
    older_than: timedelta | None,
    *,
    yes: bool,
) -> tuple[list[Finding], int]:
    """Delete the keyframes of deleted files; return the findings left, and how many went."""
    from ingest.provenance.missing import delete_missing

    until = None if older_than is None else ms_from_datetime(datetime.now(UTC) - older_than)
    due: dict[str, list[str]] = {}
    left: list[Finding] = []
    for finding in findings:
        lost = finding.kind == "media_missing" or (
            finding.kind == "media_changed" and not finding.repairable
        )
        rest = finding.entities
        if lost:
            rest = tuple(e for e in rest if until is not None and e.captured_at >= until)
            old = [e.id for e in finding.entities if until is None or e.captured_at < until]
            due.setdefault(finding.library, []).extend(old)
        if rest or not lost:
            left.append(replace(finding, entities=rest))
    count = sum(len(ids) for ids in due.values())
    question = f"Remove {counted(count, 'keyframe')} of deleted files for good?"
    if not count or not confirmed(question, yes=yes):
        return findings, 0
    for library, ids in due.items():
        if not ids:
            continue
        operator.record(settings, "delete", library, {"missing": True, "count": len(ids)})
        delete_missing(settings, store, library, ids)
    return left, count


def _print(findings: list[Finding], mended: int, tried: bool) -> None:
    if mended:
        say(f"Mended {counted(mended, 'finding')}.")
    if not findings:
        say("Media, thumbnails, the ledger and Milvus agree.")
        return
    from ingest.verification import MEANINGS

    kinds = Counter(finding.kind for finding in findings)
    made = table("What", "How many", "Meaning", right=("How many",), words=("Meaning",))
    for kind, count in kinds.most_common():
        made.add_row(kind.replace("_", " "), f"{count:,}", MEANINGS[kind])
    say(made)
    say()
    listed = table("What", "Library", "File", "Detail", fold=("File", "Detail"))
    for finding in findings[:_SHOWN]:
        name = finding.kind.replace("_", " ")
        listed.add_row(name, finding.library, shown_path(finding.subject), finding.detail)
    say(listed)
    if len(findings) > _SHOWN:
        say(f"… and {counted(len(findings) - _SHOWN, 'more finding')}; --json lists them all.")
    if any(finding.repairable for finding in findings) and not tried:
        say("`sightline verify --repair` mends what can be mended.")
    if any(finding.kind == "media_missing" for finding in findings):
        say("`sightline verify --forget-missing` removes the keyframes of deleted files.")
