"""`sightline index`: show, change and compare the vector index of a library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cli.options import JsonOption, LibraryOption, settings_of
from cli.terminal import err, facts, print_json, say, table
from cli.workspace import open_store
from search_core.errors import IndexParameterError
from search_core.index_specs import INDEX_SPECS, IndexSpec, SearchParams, make_index_spec

if TYPE_CHECKING:
    from search_core.benchmark import IndexRun
    from search_core.library import LibraryInfo

app = typer.Typer(
    name="index",
    help="Show, change and compare a library's vector index.",
    no_args_is_help=True,
)


@app.command("show")
def show(ctx: typer.Context, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show the index a library has now, and how it is searched."""
    settings = settings_of(ctx, library)
    with open_store(settings) as store:
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
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Rebuild a library's index; nprobe and ef become what its searches use by default."""
    settings = settings_of(ctx, library)
    options = {"nlist": nlist, "m": m, "ef_construction": ef_construction}
    spec = make_index_spec(index_type, options)
    params = SearchParams(nprobe=nprobe, ef=ef)
    _check_takes(spec, params)
    with open_store(settings) as store:
        rows = store.count(settings.library)
        with err().status(f"Building {spec.index_type} over {rows:,} vectors …"):
            store.set_index(settings.library, spec, params)
            info = store.library(settings.library)
    if json:
        print_json({**info.to_dict(), "rows": rows})
        return
    _print_index(info, rows)


@app.command("compare")
def compare(
    ctx: typer.Context,
    k: Annotated[int, typer.Option("-k", "--k", help="How many neighbours each query asks.")] = 10,
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="How many queries are measured.")
    ] = 50,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=2, help="How many of the library's vectors, at most.")
    ] = 20_000,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Compare FLAT, IVF_FLAT, IVF_SQ8 and HNSW on a library's own vectors.

    Each index is built beside the library, over a copy of its vectors, and removed again; the
    library itself is not changed. Recall is the share of the true nearest neighbours found.
    """
    settings = settings_of(ctx, library)
    from search_core.benchmark import IndexBenchmark, recommended

    with open_store(settings) as store:
        benchmark = IndexBenchmark(store, settings.library, k=k, max_rows=max_rows, queries=queries)
        with err().status("Comparing indexes …") as line:
            runs = benchmark.run(on_progress=lambda doing: line.update(f"Comparing: {doing} …"))
    if json:
        print_json([run.to_dict() for run in runs])
        return
    best = recommended(runs)
    say(comparison_table(runs, best))
    say(_advice(best))


def _check_takes(spec: IndexSpec, params: SearchParams) -> None:
    """Raise IndexParameterError for a search parameter that the index would ignore."""
    taken = spec.search_params(params, 1)
    for name, value in (("nprobe", params.nprobe), ("ef", params.ef)):
        if value is not None and name not in taken:
            raise IndexParameterError(
                f"{spec.index_type} is not searched with {name}.",
                f"It takes {', '.join(taken) or 'no search parameters'}.",
            )


def comparison_table(runs: Sequence[IndexRun], best: IndexRun) -> Table:
    """Return the runs as people read them, ``best`` marked."""
    k = runs[0].k
    recall = f"Recall@{k}"
    made = table(
        "", "Index", "Build", "Search", recall, "p50 ms", "p95 ms", "Build s",
        right=(recall, "p50 ms", "p95 ms", "Build s"),
    )  # fmt: skip
    for run in runs:
        made.add_row(
            "★" if run is best else "",
            run.index_type,
            _params(run.build_params),
            _params(run.search_params),
            f"{run.ann_recall_at_k:.3f}",
            f"{run.p50_ms:.1f}",
            f"{run.p95_ms:.1f}",
            f"{run.build_s:.1f}",
            style="bold" if run is best else "",
        )
    return made


def _advice(run: IndexRun) -> Text:
    flags = {"nlist": "--nlist", "M": "--m", "efConstruction": "--ef-construction"}
    flags |= {"nprobe": "--nprobe", "ef": "--ef"}
    options = {**run.build_params, **run.search_params}
    command = " ".join(
        ["sightline index set", run.index_type, *(f"{flags[n]} {v}" for n, v in options.items())]
    )
    why = (
        "finds most, of the fastest that find at least 95 % of the true neighbours"
        if run.ann_recall_at_k >= 0.95
        else "finds most; none finds 95 % of the true neighbours"
    )
    return Text.assemble(
        f"Measured on {run.rows:,} vectors with {run.queries} queries.\n",
        ("★ ", "bold"),
        f"{why}: `{command}`",
    )


def _params(params: dict[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in params.items()) or "–"


def _print_index(info: LibraryInfo, rows: int) -> None:
    search = info.index.search_params(info.search, 1)
    say(
        facts(
            [
                ("Library", f"{info.name}, {rows:,} vectors"),
                ("Index", f"{info.index.index_type}  {_params(info.index.build_params())}"),
                ("Searched with", _params(search)),
                ("Metric", info.metric),
                ("Encoder", info.encoder.label),
            ]
        )
    )
