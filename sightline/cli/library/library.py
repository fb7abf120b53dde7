"""`sightline library`: list, show, correct, re-embed and drop libraries."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer
from rich.text import Text

from search_core.settings import Settings
from sightline.cli.admin import operator
from sightline.cli.library import corrections
from sightline.cli.options import JsonOption, NameArgument, YesOption, settings_of
from sightline.cli.terminal import (
    confirmed,
    counted,
    facts,
    local_time,
    note,
    open_workspace,
    print_json,
    progress_bar,
    say,
    shown_path,
    table,
    warn,
)

_SHOWN = 10
app = typer.Typer(
    name="library", help="List, show, correct, re-embed and drop libraries.", no_args_is_help=True
)


@app.command("list")
def list_libraries(ctx: typer.Context, json: JsonOption = False) -> None:
    """List the libraries with their sizes, encoders and indexes."""
    settings = settings_of(ctx)
    records: list[dict[str, Any]] = []
    rows = table(
        "Library", "Keyframes", "Index", "Encoder", "Created",
        right=("Keyframes",), fold=("Encoder",),
    )  # fmt: skip
    if not open_workspace(settings).is_untouched:
        with open_workspace(settings) as workspace:
            store = workspace.store()
            for info in store.libraries():
                count = store.count(info.name)
                records.append({**info.to_dict(), "keyframes": count})
                rows.add_row(
                    info.name,
                    f"{count:,}",
                    info.index.index_type,
                    info.encoder.label,
                    local_time(info.created_at),
                )
    if json:
        print_json(records)
    elif records:
        say(rows)
    else:
        say("There are no libraries yet; `sightline ingest PATH` makes one.")


@app.command("show")
def show(ctx: typer.Context, name: NameArgument = None, json: JsonOption = False) -> None:
    """Show one library: its size, encoder, index and what was ingested into it."""
    settings = settings_of(ctx, name)
    from ingest.ledger import Ledger

    with open_workspace(settings) as workspace:
        store = workspace.store()
        info = store.library(settings.library)
        count = store.count(info.name)
    with Ledger(settings.ledger_path) as ledger:
        sources = ledger.counts(info.name)
    if json:
        print_json({**info.to_dict(), "keyframes": count, "sources": sources})
        return
    params = ", ".join(f"{name} {value}" for name, value in info.index.build_params().items())
    say(
        facts(
            [
                ("Library", info.name),
                ("Keyframes", f"{count:,}"),
                ("Sources", ", ".join(f"{n:,} {status}" for status, n in sources.items()) or "–"),
                ("Encoder", info.encoder.label),
                ("Index", f"{info.index.index_type} {params}".strip()),
                ("Metric", info.metric),
                ("Created", local_time(info.created_at)),
                ("Collection", info.collection),
            ]
        )
    )


app.command("retime")(corrections.retime)
app.command("recamera")(corrections.recamera)


@app.command("reembed")
def reembed(
    ctx: typer.Context,
    name: NameArgument = None,
    job: Annotated[
        bool, typer.Option("--job", help="Let a worker do it; `sightline jobs` shows how far.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give a library the encoder that --model and --pretrained name.

    Every keyframe is decoded again from its source at its moment, and embedded beside the vectors
    there are; the library answers with its old encoder until all of them are there. What cannot be
    decoded any more is embedded from its thumbnail. Ended midway, the library is as it was.
    """
    settings = settings_of(ctx, name)
    if job:
        _queue_reembedding(settings, json=json)
        return
    from ingest.curation.reembedding import reembed as run

    with open_workspace(settings) as workspace:
        store = workspace.store()
        store.library(settings.library)
        encoder = workspace.encoder()
        with progress_bar("Embedding") as show:
            report = run(settings, store, settings.library, encoder, on_progress=show)
    if json:
        print_json({"library": settings.library, **report.to_json()})
        return
    say(Text.assemble(("✓ ", "green"), f"{settings.library}: {report.summary}."))
    for uri, reason in list(report.reasons.items())[:_SHOWN]:
        warn(f"{shown_path(uri)} {reason}")
    if len(report.reasons) > _SHOWN:
        note(f"… and {counted(len(report.reasons) - _SHOWN, 'more file')}; --json lists them all.")


def _queue_reembedding(settings: Settings, *, json: bool) -> None:
    from ingest.jobs.client import Jobs
    from ingest.jobs.requests import ReembedRequest

    with closing(Jobs(settings)) as jobs:
        job_id = jobs.submit(ReembedRequest(settings.library, settings.model, settings.pretrained))
    if json:
        print_json({"job": job_id})
    else:
        say(f"Queued; `sightline jobs show {job_id}` says how far it is.")


@app.command("drop")
def drop(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which library.")],
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove a library: its vectors, its thumbnails and what is remembered of its sources.

    The footage and the photographs themselves are not touched. Thumbnails that another library
    shows as well are kept.
    """
    settings = settings_of(ctx, name)
    from ingest.rows.deletion import drop_library

    with open_workspace(settings) as workspace:
        store = workspace.store()
        count = store.count(name)
        if not confirmed(f"Drop the library {name} with {counted(count, 'keyframe')}?", yes=yes):
            note("Nothing was dropped.")
            raise typer.Exit(1)
        operator.record(settings, "drop", name, {"count": count})
        drop_library(settings, store, name)
    if json:
        print_json({"library": name, "dropped": count})
    else:
        say(f"Dropped the library {name}: {counted(count, 'keyframe')}.")
