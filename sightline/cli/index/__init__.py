"""`sightline index`: show, change, check and compare the vector index of a library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import IndexParameterError
from search_core.indexes import INDEX_SPECS, IndexSpec, SearchParams, make_index_spec, parameters_of
from search_core.store.library import EVERY_ROW, LibraryInfo
from sightline.cli.index.advise import advise
from sightline.cli.index.compare import build_index, compare, report
from sightline.cli.index.tables import params as params_text
from sightline.cli.options import JsonOption, LibraryOption, settings_of
from sightline.cli.terminal import counted, err, facts, open_workspace, print_json, say, warn

if TYPE_CHECKING:
    from search_core.lab.serving_recall import LiveRecall

Values = dict[str, int | str | bool | None]
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
        rows = store.count(settings.library, EVERY_ROW)
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
    nlist: Annotated[int | None, typer.Option(help="IVF: clusters to make (1 to 65536).")] = None,
    nprobe: Annotated[
        int | None,
        typer.Option(help="IVF: clusters a search looks into, up to nlist."),
    ] = None,
    m: Annotated[
        int | None, typer.Option(help="HNSW: links each vector keeps (2 to 2048).")
    ] = None,
    ef_construction: Annotated[
        int | None,
        typer.Option(help="HNSW: candidates while building, from 8."),
    ] = None,
    ef: Annotated[
        int | None,
        typer.Option(help="HNSW: candidates a search keeps (1 to 32768)."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
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
        spec.require_rows(store.count(settings.library, EVERY_ROW))
        info = build_index(store, settings.library, spec, params, in_place=in_place)
        rows = store.count(settings.library, EVERY_ROW)
    if json:
        print_json({**info.to_dict(), "rows": rows})
        return
    _print_index(info, rows)


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


def check(
    ctx: typer.Context,
    queries: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many searches to repeat.")
    ] = 100,
    k: Annotated[
        int, typer.Option("-k", "--k", min=1, help="How many neighbours of each count.")
    ] = 10,
    least_recall: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Exit with 1 when less is found."),
    ] = 0.95,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what a library's searches find of the exact answer; exit with 1 if it is too little.

    Repeats recent searches (stored vectors where few are recorded) on the index as it serves, and
    compares with exact neighbours over all that is stored. Nothing is changed.
    """
    settings = settings_of(ctx, library)
    from search_core.lab.serving_recall import live_recall

    with open_workspace(settings) as workspace, err().status("Checking the index …") as line:
        measured = live_recall(
            workspace.store(),
            settings.library,
            workspace.query_log(),
            queries=queries,
            k=k,
            on_progress=lambda share: line.update(f"Checking the index … {share:.0%}"),
        )
    enough = measured.ann_recall_at_k >= least_recall
    if json:
        print_json({**measured.to_dict(), "least_recall": least_recall, "ok": enough})
    else:
        _print_recall(measured)
        if not enough:
            warn(
                f"That is less than {least_recall:g}. "
                "`sightline index compare` finds a setting that reaches it."
            )
    if not enough:
        raise typer.Exit(1)


def _print_recall(measured: LiveRecall) -> None:
    library = measured.library
    build, search = library.index.build_params(), library.search_params(None, measured.k)
    source = (
        counted(measured.queries, "recorded search").replace("searchs", "searches")
        if measured.query_source == "recorded"
        else f"{counted(measured.queries, 'stored vector')}; few searches are recorded"
    )
    if measured.filtered:
        source += f", {measured.filtered:,} with a filter"
    say(
        facts(
            [
                ("Library", f"{library.name}, {measured.rows:,} vectors"),
                ("Index", f"{library.index.index_type}  {params_text(build)}"),
                ("Searched with", params_text(search)),
                ("Queries", source),
                (
                    f"Recall@{measured.k}",
                    f"{measured.ann_recall_at_k:.3f} "
                    f"(95 % interval {measured.recall_low:.3f} to {measured.recall_high:.3f})",
                ),
            ]
        )
    )


def read_parameters(index_type: str, texts: Sequence[str]) -> tuple[Values, dict[str, int]]:
    """Read ``nbits=8`` or ``search_list=100`` into build and search parameters by field name.

    Raises IndexParameterError for a name that the index type and its searches do not have.
    """
    spec = INDEX_SPECS[make_index_spec(index_type).index_type]
    fields = {parameter.name: name for name, parameter in parameters_of(spec)}
    searched = [name for name, _ in parameters_of(SearchParams())]
    build: Values = {}
    search: dict[str, int] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in fields:
            build[fields[name]] = _value(value)
        elif name in searched and value.isdigit():
            search[name] = int(value)
        else:
            raise IndexParameterError(
                f"{text} is not a parameter of {spec.index_type}.",
                f"Write NAME=VALUE; it takes {', '.join(fields) or 'no build parameters'}.",
            )
    return build, search


def _value(text: str) -> int | str | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.lstrip("-").isdigit() else text


for command in (advise, compare, check, report):
    app.command()(command)
