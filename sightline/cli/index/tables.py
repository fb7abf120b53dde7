"""A comparison as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from rich.table import Table

from search_core.lab.records import IndexRun
from sightline.cli.terminal import table

if TYPE_CHECKING:
    from search_core.lab.recommendation import Recommendation

_ASKED = {
    "image": "pictures",
    "text": "sentences",
    "recorded_image": "pictures",
    "recorded_text": "sentences",
}
_SETTING = "Built / searched with"
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
    numbers = (f"Recall@{k} (95 %)", "p50 p95 p99 ms")
    asked = ["Asked"] if len(kinds) > 1 else []
    made = table(
        "", "Index", _SETTING, *asked, *numbers, right=numbers, fold=(_SETTING, numbers[0])
    )
    for run in shown:
        mark = _mark(run, advice) or ("·" if id(run) in front else "")
        made.add_row(
            mark,
            run.index_type,
            _setting(run),
            *([_ASKED[run.query_kind]] if asked else []),
            f"{run.ann_recall_at_k:.3f} ({run.recall_low:.3f}–{run.recall_high:.3f})",
            " ".join(map(_ms, (run.p50_ms, run.p95_ms, run.p99_ms))),
            style="bold" if mark == "★" else "",
        )
    return made


def builds_table(runs: Sequence[IndexRun]) -> Table:
    """Return what each index took to build, and what it takes; ≈ is by formula."""
    numbers = ("Build s", "Load s", "Memory", "Disk")
    made = table("Index", "Built with", *numbers, right=numbers, fold=("Built with",))
    for run in runs:
        if run.kind != "build":
            continue
        made.add_row(
            run.index_type,
            params(run.build_params),
            *(f"{value:.1f}" if value is not None else "–" for value in (run.build_s, run.load_s)),
            _size(run.memory_bytes, run.memory_from),
            _size(run.index_bytes, run.index_from),
            style="dim" if run.error else "",
        )
    return made


def _size(count_bytes: int | None, known_from: str | None) -> str:
    if count_bytes is None:
        return "–"
    return f"{'≈ ' if known_from == 'estimated' else ''}{decimal(count_bytes)}"


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

    def asked(run: IndexRun) -> str:
        return f"{_ASKED[run.query_kind]} {_DOING[run.strategy]}"

    return _pivot(shown, lambda run: run.filter, titles, cell, asked)


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
    """Yield why indexes could not be built and what is to be noted, each once."""
    said: dict[str, None] = {}
    for run in runs:
        if run.kind == "build" and run.error:
            said[run.error] = None
        if run.strategy == "fixed":
            said.update(dict.fromkeys(f"{run.index_type}: {note}" for note in run.notes))
    yield from said


def params(values: Mapping[str, Any]) -> str:
    """Return parameters as Milvus spells them: ``M=16 efConstruction=200``."""
    return " ".join(f"{name}={value}" for name, value in values.items()) or "–"


def _setting(run: IndexRun) -> str:
    return f"{params(run.build_params)} / {params(run.search_params)}"


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
    asked: Callable[[IndexRun], str] | None = None,
) -> Table | None:
    """Return a line a setting, with a column for each of ``titles``."""
    if not runs:
        return None
    lines: dict[tuple[str, ...], dict[Any, str]] = {}
    for run in runs:
        about = (asked(run),) if asked else ()
        line = lines.setdefault((run.index_type, _setting(run), *about), {})
        line[column(run)] = cell(run)
    shown = tuple(titles.values())
    head = ("Index", _SETTING, *(["Asked"] if asked else []))
    made = table(*head, *shown, right=shown, fold=head[1:])
    for names, cells in lines.items():
        made.add_row(*names, *(cells.get(key, "–") for key in titles))
    return made


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
