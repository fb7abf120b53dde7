"""`sightline index check`: how much of the exact answer the serving index finds, for cron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.index.tables import params
from sightline.cli.options import JsonOption, LibraryOption, settings_of
from sightline.cli.terminal import counted, err, facts, open_workspace, print_json, say, warn

if TYPE_CHECKING:
    from search_core.lab.serving_recall import LiveRecall


def check(
    ctx: typer.Context,
    queries: Annotated[
        int, typer.Option("--queries", min=1, max=100_000, help="How many searches to repeat.")
    ] = 100,
    k: Annotated[
        int, typer.Option("-k", "--k", min=1, help="How many neighbours of each count.")
    ] = 10,
    least_recall: Annotated[
        float,
        typer.Option("--least-recall", min=0.0, max=1.0, help="Exit with 1 when less is found."),
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
    from search_core.search.query_log import QueryLog

    with open_workspace(settings) as workspace, err().status("Checking the index …") as line:
        store = workspace.store()
        measured = live_recall(
            store,
            settings.library,
            QueryLog(settings.searches_path),
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
                ("Index", f"{library.index.index_type}  {params(build)}"),
                ("Searched with", params(search)),
                ("Queries", source),
                (
                    f"Recall@{measured.k}",
                    f"{measured.ann_recall_at_k:.3f} "
                    f"(95 % interval {measured.recall_low:.3f} to {measured.recall_high:.3f})",
                ),
            ]
        )
    )
