"""A comparison as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from sightline.cli.terminal import size, table

if TYPE_CHECKING:
    from search_core.lab.recommendation import Recommendation
    from search_core.lab.records import IndexRun

_ASKED = {
    "image": "pictures",
    "text": "sentences",
    "recorded_image": "pictures",
    "recorded_text": "sentences",
}
#: What takes more lines where there is little room, broken between parameters.
_SETTING = ("Built with", "Searched with")
_DOING = {"fixed": "as set", "filter_aware": "filter-aware"}


def searches_table(runs: Sequence[IndexRun], advice: Recommendation | None) -> Table | None:
    """Return one query at a time, without a filter: ★ is advised, ≈ as fast, · on the front.

    The front is where nothing else is both as fast and as exact (Pareto). None where nothing was
    measured.
    """
    from search_core.lab.recommendation import pareto_front

    shown = [run for run in runs if run.kind == "search" and not run.filter and not run.error]
    if not shown:
        return None
    k = shown[0].k
    kinds = dict.fromkeys(run.query_kind for run in shown)
    front = {
        id(run)
        for kind in kinds
        for run in pareto_front([run for run in shown if run.query_kind == kind])
    }
    recall, numbers = f"Recall@{k}", ("p50 ms", "p95 ms", "p99 ms")
    asked = ["Asked"] if len(kinds) > 1 else []
    made = table(
        "", "Index", "Built with", "Searched with", *asked, recall, "95 %", *numbers,
        right=(recall, *numbers), words=_SETTING, spare=("p99 ms", "p95 ms", "95 %"),
    )  # fmt: skip
    for run in shown:
        mark = _mark(run, advice) or ("·" if id(run) in front else "")
        made.add_row(
            mark,
            run.index_type,
            params(run.build_params),
            params(run.search_params),
            *([_ASKED[run.query_kind]] if asked else []),
            f"{run.ann_recall_at_k:.3f}",
            f"{run.recall_low:.3f}–{run.recall_high:.3f}",
            *(_ms(value) for value in (run.p50_ms, run.p95_ms, run.p99_ms)),
            style="bold" if mark == "★" else "",
        )
    return made


def builds_table(runs: Sequence[IndexRun]) -> Table:
    """Return what each index took to build, and what it takes; those that failed say why."""
    numbers = ("Build s", "Load s", "Memory", "Disk")
    made = table(
        "Index", "Built with", *numbers, "",
        right=numbers, words=(*_SETTING, ""), spare=("Load s",),
    )  # fmt: skip
    for run in runs:
        if run.kind != "build":
            continue
        sizes = (run.memory_bytes, run.index_bytes)
        made.add_row(
            run.index_type,
            params(run.build_params),
            *(f"{value:.1f}" if value is not None else "–" for value in (run.build_s, run.load_s)),
            *(size(value) if value is not None else "–" for value in sizes),
            run.error or _sizes_from(run),
            style="dim" if run.error else "",
        )
    return made


def _sizes_from(run: IndexRun) -> str:
    if run.memory_from != "estimated":
        return "disk by formula" if run.index_from == "estimated" else ""
    return "sizes by formula" if run.index_from == "estimated" else "memory by formula"


def filters_table(runs: Sequence[IndexRun]) -> Table | None:
    """Return recall and median under each filter; None where none was measured."""
    shown = [run for run in runs if run.kind == "search" and run.filter and not run.error]
    shares = {run.filter: run.selectivity for run in shown}
    titles = {
        label: label if label.endswith("%") else f"{label} ({share:.2g} of rows)"
        for label, share in shares.items()
    }

    def cell(run: IndexRun) -> str:
        return f"{run.ann_recall_at_k:.3f} {_ms(run.p50_ms):>6}"

    return _pivot(
        shown, lambda run: run.filter, titles, cell, about=("How", "Asked"),
        words=lambda run: (_DOING[run.strategy], _ASKED[run.query_kind]),
    )  # fmt: skip


def batches_table(runs: Sequence[IndexRun]) -> Table | None:
    """Return the median milliseconds of a request by its number of queries, or None."""
    batches = [run for run in runs if run.kind == "batch"]
    kinds = {run.query_kind for run in batches}
    alone = [
        run
        for run in runs
        if run.kind == "search" and not run.filter and not run.error and run.query_kind in kinds
    ]
    shown = [*alone, *batches]
    titles = {nq: f"nq {nq}" for nq in sorted({run.nq for run in shown})}
    return _pivot(shown, lambda run: run.nq, titles, lambda run: _ms(run.p50_ms))


def clients_table(runs: Sequence[IndexRun]) -> Table | None:
    """Return the queries answered a second by the number of clients at once, or None."""
    shown = [run for run in runs if run.kind == "throughput"]
    counts = sorted({run.concurrency for run in shown})
    titles = {count: f"{count} at once" for count in counts}
    return _pivot(shown, lambda run: run.concurrency, titles, lambda run: f"{run.qps or 0:,.0f}")


def notes_of(runs: Sequence[IndexRun]) -> Iterator[str]:
    """Yield what is to be noted, each once, with the index it is about."""
    said: dict[str, None] = {}
    for run in runs:
        if run.strategy == "fixed":
            said.update(dict.fromkeys(f"{run.index_type}: {note}" for note in run.notes))
    yield from said


def params(values: Mapping[str, Any]) -> str:
    """Return parameters as Milvus spells them: ``M=16 efConstruction=200``."""
    return " ".join(f"{name}={value}" for name, value in values.items()) or "–"


def _mark(run: IndexRun, advice: Recommendation | None) -> str:
    if advice is None:
        return ""
    if _same_setting(run, advice.chosen.run):
        return "★"
    return "≈" if any(_same_setting(run, tie.run) for tie in advice.ties) else ""


def _same_setting(one: IndexRun, other: IndexRun) -> bool:
    return (one.index_type, one.build_params, one.search_params) == (
        other.index_type,
        other.build_params,
        other.search_params,
    )


def _pivot(
    runs: Sequence[IndexRun],
    column: Callable[[IndexRun], Any],
    titles: Mapping[Any, str],
    cell: Callable[[IndexRun], str],
    *,
    about: tuple[str, ...] = (),
    words: Callable[[IndexRun], tuple[str, ...]] = lambda run: (),
) -> Table | None:
    """Return a line a setting, with a column for each of ``titles``."""
    if not runs:
        return None
    lines: dict[tuple[str, ...], dict[Any, str]] = {}
    for run in runs:
        built, searched = params(run.build_params), params(run.search_params)
        line = lines.setdefault((run.index_type, built, searched, *words(run)), {})
        line[column(run)] = cell(run)
    made = table("Index", "Built with", "Searched with", *about, *titles.values(),
                 right=tuple(titles.values()), words=_SETTING)  # fmt: skip
    for names, cells in lines.items():
        made.add_row(*names, *(cells.get(key, "–") for key in titles))
    return made


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
