"""`sightline verify`: media, thumbnails, the ledger and Milvus held against each other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli.options import JsonOption, settings_of
from cli.terminal import counted, err, print_json, say, shown_path, table
from cli.workspace import load_encoder, open_store

if TYPE_CHECKING:
    from ingest.verification import Finding

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
    json: JsonOption = False,
) -> None:
    """Check that media, thumbnails, the ledger and Milvus agree; list what is missing.

    With --repair, thumbnails are drawn again from the media, files that were moved are found again,
    sources with missing keyframes are taken in again, and thumbnails nothing shows are removed.
    Exits with 1 when something is left that does not fit.
    """
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
    if json:
        print_json({"mended": mended, "findings": [finding.to_dict() for finding in left]})
    else:
        _print(left, mended, mend)
    if left:
        raise typer.Exit(1)


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
