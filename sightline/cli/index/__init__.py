"""`sightline index`: show, change and compare the vector index of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import IndexParameterError
from search_core.indexes import INDEX_SPECS, IndexSpec, SearchParams, make_index_spec
from sightline.cli.index.advise import advise
from sightline.cli.index.building import build_index
from sightline.cli.index.check import check
from sightline.cli.index.compare import compare
from sightline.cli.index.options import read_parameters
from sightline.cli.index.report import report
from sightline.cli.index.tables import params as params_text
from sightline.cli.options import JsonOption, LibraryOption, settings_of
from sightline.cli.terminal import facts, open_workspace, print_json, say

if TYPE_CHECKING:
    from search_core.store.library import LibraryInfo

app = typer.Typer(
    name="index",
    help="Show, change and compare a library's vector index.",
    no_args_is_help=True,
)


@app.command("show")
def show(ctx: typer.Context, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show the index a library has now, and how it is searched."""
    settings = settings_of(ctx, library)
    with open_workspace(settings) as workspace:
        store = workspace.store()
        info = store.library(settings.library)
        rows = store.count(settings.library)
    if json:
        print_json({**info.to_dict(), "rows": rows})
        return
    _print_index(info, rows)


@app.command("set")
def set_index(
    ctx: typer.Context,
    index_type: Annotated[
        str, typer.Argument(metavar="TYPE", help=f"One of {', '.join(INDEX_SPECS)}.")
    ],
    nlist: Annotated[
        int | None, typer.Option("--nlist", help="IVF: clusters to make (1 to 65536).")
    ] = None,
    nprobe: Annotated[
        int | None,
        typer.Option("--nprobe", help="IVF: clusters a search looks into, up to nlist."),
    ] = None,
    m: Annotated[
        int | None, typer.Option("--m", help="HNSW: links each vector keeps (2 to 2048).")
    ] = None,
    ef_construction: Annotated[
        int | None,
        typer.Option("--ef-construction", help="HNSW: candidates while building, from 8."),
    ] = None,
    ef: Annotated[
        int | None,
        typer.Option("--ef", help="HNSW: candidates a search keeps (1 to 32768)."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Any other parameter of the type or its searches, by Milvus's name: nbits=8, "
            "search_list=100; repeat it for several.",
        ),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Build without a second copy; searches wait until it is done."
        ),
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Rebuild a library's index; nprobe and ef become what its searches use by default.

    It is built beside the one that serves, over a copy of the vectors, and takes its place when it
    is ready: searches and ingest go on, and ended midway the library is as it was.
    """
    settings = settings_of(ctx, library)
    build, search = read_parameters(index_type, option or ())
    build = {"nlist": nlist, "m": m, "ef_construction": ef_construction, **build}
    spec = make_index_spec(index_type, build)
    params = SearchParams(**{"nprobe": nprobe, "ef": ef, **search})
    _check_takes(spec, params)
    with open_workspace(settings) as workspace:
        store = workspace.store()
        spec.require_rows(store.count(settings.library))
        info = build_index(store, settings.library, spec, params, in_place=in_place)
        rows = store.count(settings.library)
    if json:
        print_json({**info.to_dict(), "rows": rows})
        return
    _print_index(info, rows)


app.command("advise")(advise)
app.command("compare")(compare)
app.command("check")(check)
app.command("report")(report)


def _check_takes(spec: IndexSpec, params: SearchParams) -> None:
    """Raise IndexParameterError for a search parameter that the index would ignore."""
    taken = spec.search_params(params, 1)
    for name in params.given():
        if name not in taken:
            raise IndexParameterError(
                f"{spec.index_type} is not searched with {name}.",
                f"It takes {', '.join(taken) or 'no search parameters'}.",
            )


def _print_index(info: LibraryInfo, rows: int) -> None:
    search = info.index.search_params(info.search, 1)
    say(
        facts(
            [
                ("Library", f"{info.name}, {rows:,} vectors"),
                ("Index", f"{info.index.index_type}  {params_text(info.index.build_params())}"),
                ("Searched with", params_text(search)),
                ("Metric", info.metric),
                ("Encoder", info.encoder.label),
            ]
        )
    )
