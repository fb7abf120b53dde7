"""`sightline library`: list, show and drop libraries."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import JsonOption, YesOption, settings_of
from cli.terminal import confirmed, counted, facts, local_time, note, print_json, say, table
from cli.workspace import is_untouched, open_store

app = typer.Typer(name="library", help="List, show and drop libraries.", no_args_is_help=True)
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="Which library; `main` unless SIGHTLINE_LIBRARY names another.",
        show_default=False,
    ),
]


@app.command("list")
def list_libraries(ctx: typer.Context, json: JsonOption = False) -> None:
    """List the libraries with their sizes, encoders and indexes."""
    settings = settings_of(ctx)
    records: list[dict[str, Any]] = []
    rows = table("Library", "Keyframes", "Index", "Encoder", "Created", right=("Keyframes",))
    if not is_untouched(settings):
        with open_store(settings) as store:
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

    with open_store(settings) as store:
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
    from ingest.removal import drop_library

    with open_store(settings) as store:
        count = store.count(name)
        if not confirmed(f"Drop the library {name} with {counted(count, 'keyframe')}?", yes=yes):
            note("Nothing was dropped.")
            raise typer.Exit(1)
        drop_library(settings, store, name)
    if json:
        print_json({"library": name, "dropped": count})
    else:
        say(f"Dropped the library {name}: {counted(count, 'keyframe')}.")
