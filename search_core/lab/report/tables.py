"""The tables of a report, as words and numbers people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from search_core.lab.records import IndexRun, RunContext
from search_core.lab.report.frames import QUERY_KINDS, params_text, series_names
from search_core.lab.report.sections import Subject
from search_core.lab.report.standings import Standing


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``name``, whether it holds names, numbers or running text, and what is in small."""

    name: str
    kind: Literal["label", "number", "text"] = "number"
    more: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says, and ``more`` in small below it."""

    text: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, one a column. ``look`` has ``chosen`` for the advice, ``missed`` for the target
    missed, ``again`` where the index is that of the row above."""

    cells: tuple[Cell, ...]
    look: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``label`` is what it is read out as."""

    label: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""


def standings_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return every index at the setting one would use it with, those of one type together."""
    kinds = list(
        dict.fromkeys(
            kind for one in subjects for standing in one.standings for kind in standing.recalls
        )
    )
    k = subjects[0].comparison.context.k
    columns = [Column("Index", "label"), Column("Searched with", "label")]
    columns += [Column(f"Recall@{k}", more=QUERY_KINDS.get(kind, kind)) for kind in kinds]
    columns += [
        Column("Hardest case"), Column("p50 ms", more="p99"), Column("Queries/s", more="clients"),
        Column("Build + load", more="of which load"), Column("Memory", more="disk"),
    ]  # fmt: skip
    if len(subjects) > 1:
        columns.insert(1, Column("", "label"))
    entries = [
        (standing, place) for place, one in enumerate(subjects) for standing in one.standings
    ]
    if len(subjects) > 1:
        order = list(dict.fromkeys(standing.series for standing, _ in entries))
        entries.sort(key=lambda entry: (order.index(entry[0].series), entry[1]))
    rows = []
    above = ""
    for standing, place in entries:
        cells = _standing_cells(standing, kinds)
        if len(subjects) > 1:
            cells.insert(1, Cell(letters[place]))
        chosen = subjects[place].chosen == (standing.series, standing.searched)
        looks = "chosen" if chosen else "" if standing.meets else "missed"
        rows.append(Row(tuple(cells), looks + (" again" if standing.series == above else "")))
        above = standing.series
    targets = sorted({one.target_recall for one in subjects})
    wanted = " or ".join(f"{target:g}" for target in targets)
    caption = (
        f"The fastest setting of each index that finds {wanted} with every kind of query and under "
        "every filter, as search does it there; greyed where none does, and it is the one that "
        "finds most. The hardest case is the kind of query and the filter where it finds least. "
        "Clients are threads of one process."
    )
    return Table("Each index at its best", tuple(columns), tuple(rows), caption)


def settings_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return every setting that was measured without a filter, one query at a time."""
    several = len(subjects) > 1
    columns = [
        Column("Index", "label"), Column("Searched with", "label"), Column("Queries", "label"),
        Column("Recall"), Column("95 % interval"), Column("p50 ms"), Column("p95 ms"),
        Column("p99 ms"),
    ]  # fmt: skip
    if several:
        columns.insert(1, Column("", "label"))
    rows = []
    for letter, one in zip(letters, subjects, strict=True):
        names = series_names(one.comparison.runs)
        for run in one.comparison.searches:
            if run.filter or run.strategy != "fixed":
                continue
            cells = [
                Cell(names[run.index_type, params_text(run.build_params)]),
                Cell(params_text(run.search_params)),
                Cell(QUERY_KINDS.get(run.query_kind, run.query_kind)),
                Cell(share(run.ann_recall_at_k)),
                Cell(f"{share(run.recall_low)} – {share(run.recall_high)}"),
                *(Cell(number(value)) for value in (run.p50_ms, run.p95_ms, run.p99_ms)),
            ]
            rows.append(Row(tuple([cells[0], Cell(letter), *cells[1:]] if several else cells)))
    return Table("Every setting, without a filter", tuple(columns), tuple(rows))


def shared_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return the settings measured in all comparisons, with recall and p50 of each.

    The last column is the last comparison's p50 over the first's.
    """
    if len(subjects) < 2:
        return Table("", (), ())
    measured = [{_key(run): run for run in one.comparison.searches} for one in subjects]
    columns = [
        Column("Index", "label"), Column("Searched with", "label"), Column("Queries", "label"),
        Column("Filter", "label"),
        *(Column(f"Recall {letter}") for letter in letters),
        *(Column(f"p50 ms {letter}") for letter in letters),
        Column(f"{letters[-1]} to {letters[0]}"),
    ]  # fmt: skip
    rows = []
    for key, first in measured[0].items():
        runs = [found[key] for found in measured if key in found]
        if len(runs) < len(subjects):
            continue
        last = runs[-1].p50_ms
        times = f"{last / first.p50_ms:.2f} ×" if last and first.p50_ms else "–"
        aware = "filter-aware" if first.strategy == "filter_aware" else ""
        rows.append(
            Row(
                (
                    Cell(first.index_type, key[1]),
                    Cell(key[2]),
                    Cell(QUERY_KINDS.get(first.query_kind, first.query_kind)),
                    Cell(first.filter or "none", aware),
                    *(Cell(share(run.ann_recall_at_k)) for run in runs),
                    *(Cell(number(run.p50_ms)) for run in runs),
                    Cell(times),
                )
            )
        )
    return Table("The same settings, measured in each", tuple(columns), tuple(rows))


def contexts_table(contexts: Sequence[RunContext], letters: Sequence[str]) -> Table:
    """Return all it takes to repeat the comparisons, one column each."""
    lines: dict[str, list[str]] = {}
    for place, context in enumerate(contexts):
        for name, value in _context_lines(context):
            lines.setdefault(name, [""] * len(contexts))[place] = value
    columns = [Column("", "label"), *(Column(letter, "text") for letter in letters)]
    rows = [Row(tuple(Cell(text) for text in (name, *values))) for name, values in lines.items()]
    return Table("How this was measured", tuple(columns), tuple(rows))


def _standing_cells(standing: Standing, kinds: Sequence[str]) -> list[Cell]:
    run, build, fastest = standing.run, standing.build, standing.throughput
    hardest = standing.hardest
    case = QUERY_KINDS.get(hardest.query_kind, hardest.query_kind)
    case += f", {hardest.filter}" if hardest.filter else ""
    seconds = None if build.build_s is None else build.build_s + (build.load_s or 0.0)
    memory_guess = "≈ " if build.memory_from == "estimated" else ""
    disk_guess = "≈ " if build.index_from == "estimated" else ""
    clients = str(fastest.concurrency) if fastest else ""
    return [
        Cell(run.index_type, "" if not run.build_params else params_text(run.build_params)),
        Cell(standing.searched),
        *(_recall_cell(standing.recalls.get(kind)) for kind in kinds),
        Cell(share(hardest.ann_recall_at_k), case),
        Cell(number(run.p50_ms), number(run.p99_ms)),
        Cell(f"{fastest.qps:,.0f}" if fastest and fastest.qps is not None else "–", clients),
        Cell(_seconds(seconds), "" if build.load_s is None else _seconds(build.load_s)),
        Cell(size(build.memory_bytes, memory_guess), size(build.index_bytes, disk_guess)),
    ]


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{number(value)} s" if value >= 0.1 else f"{1000 * value:.0f} ms"


def _recall_cell(run: IndexRun | None) -> Cell:
    if run is None:
        return Cell("–")
    if run.recall_low is None or run.recall_high is None:
        return Cell(share(run.ann_recall_at_k))
    return Cell(share(run.ann_recall_at_k), f"{share(run.recall_low)}–{share(run.recall_high)}")


def _context_lines(context: RunContext) -> list[tuple[str, str]]:
    lines = [
        ("Run", context.run_id),
        ("Started", context.started_at),
        ("Library", context.library),
        ("Encoder", context.encoder),
        ("Vectors", f"{context.rows:,} of {context.library_rows:,}, {context.dim} dimensions"),
        ("Metric", context.metric),
        ("Neighbours asked, k", str(context.k)),
        ("Repeats, seed", f"{context.repeats}, {context.seed}"),
    ]
    for name, value in context.machine.items():
        known = name == "memory_bytes" and isinstance(value, int)
        said = size(int(value)) if known else str(value)
        lines.append((f"Machine, {name.removesuffix('_bytes')}", said))
    return lines + [(f"Version, {name}", str(value)) for name, value in context.versions.items()]


def _key(run: IndexRun) -> tuple[str, ...]:
    built, searched = params_text(run.build_params), params_text(run.search_params)
    return run.index_type, built, searched, run.query_kind, run.filter, run.strategy


def share(value: float | None) -> str:
    """Return a share to three digits; never 1.000 for less than all."""
    if value is None:
        return "–"
    return f"{value:.4f}" if 0.9995 <= value < 1.0 else f"{value:.3f}"


def number(value: float | None) -> str:
    """Return a number to three significant digits: ``0.84``, ``14.3``, ``1,240``."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def size(count_bytes: int | None, guess: str = "") -> str:
    """Return a number of bytes as people read it: ``205 MB``; ``guess`` goes before it."""
    if count_bytes is None:
        return "–"
    amount, unit = float(count_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{guess}{number(amount)} {unit}"
