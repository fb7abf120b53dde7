"""The tables of a report, as words and numbers people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_core.lab.records import IndexRun, RunContext
from search_core.lab.report.frames import QUERY_KINDS, params_text, series_names
from search_core.lab.report.sections import Standing, Subject

#: Headings of what is no number.
_LABELS = ("", "Index", "Searched with", "Queries", "Filter")


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``label`` is what it is read out as.

    ``rows`` hold a text for each heading; in both a second line is written in small. ``looks`` has
    for a row ``chosen`` for the advice, ``missed`` for the target missed, ``again`` where the index
    is that of the row above.
    """

    label: str
    rows: Sequence[dict[str, str]] = ()
    looks: Sequence[str] = ()
    caption: str = ""
    is_text: bool = False

    @property
    def headings(self) -> list[tuple[str, str]]:
        """Each heading, and whether names, numbers or running text are below it."""
        other = "text" if self.is_text else "number"
        every = self.rows[0] if self.rows else ()
        return [(name, "label" if name in _LABELS else other) for name in every]


def standings_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return every index at the setting one would use it with, those of one type together."""
    entries = [
        (standing, place) for place, one in enumerate(subjects) for standing in one.standings
    ]
    if len(subjects) > 1:
        order = list(dict.fromkeys(standing.series for standing, _ in entries))
        entries.sort(key=lambda entry: (order.index(entry[0].series), entry[1]))
    kinds = list(dict.fromkeys(kind for standing, _ in entries for kind in standing.recalls))
    k = subjects[0].comparison.context.k
    rows, looks, above = [], [], ""
    for standing, place in entries:
        letter = {"": letters[place]} if len(subjects) > 1 else {}
        rows.append(_standing_row(standing, letter, kinds, k))
        chosen = subjects[place].chosen == (standing.series, standing.searched)
        look = "chosen" if chosen else "" if standing.meets else "missed"
        looks.append(look + (" again" if standing.series == above else ""))
        above = standing.series
    wanted = " or ".join(
        f"{target:g}" for target in sorted({one.target_recall for one in subjects})
    )
    caption = (
        f"The fastest setting of each index that finds {wanted} with every kind of query and under "
        "every filter, as search does it there; greyed where none does, and it is the one that "
        "finds most. The hardest case is the kind of query and the filter where it finds least. "
        "Clients are threads of one process."
    )
    return Table("Each index at its best", rows, looks, caption)


def settings_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return every setting that was measured without a filter, one query at a time."""
    rows = []
    for letter, one in zip(letters, subjects, strict=True):
        names = series_names(one.comparison.runs)
        rows += [
            {
                "Index": names[run.index_type, params_text(run.build_params)],
                **({"": letter} if len(subjects) > 1 else {}),
                "Searched with": params_text(run.search_params),
                "Queries": QUERY_KINDS.get(run.query_kind, run.query_kind),
                "Recall": share(run.ann_recall_at_k),
                "95 % interval": f"{share(run.recall_low)} – {share(run.recall_high)}",
                "p50 ms": number(run.p50_ms),
                "p95 ms": number(run.p95_ms),
                "p99 ms": number(run.p99_ms),
            }
            for run in one.comparison.searches
            if not run.filter and run.strategy == "fixed"
        ]
    return Table("Every setting, without a filter", rows)


def shared_table(subjects: Sequence[Subject], letters: Sequence[str]) -> Table:
    """Return the settings measured in all comparisons, with recall and p50 of each.

    The last column is the last comparison's p50 over the first's.
    """
    rows = []
    measured = [{_key(run): run for run in one.comparison.searches} for one in subjects]
    for key, first in measured[0].items() if len(subjects) > 1 else ():
        runs = {
            letter: found[key]
            for letter, found in zip(letters, measured, strict=True)
            if key in found
        }
        if len(runs) < len(subjects):
            continue
        last = runs[letters[-1]].p50_ms
        aware = "filter-aware" if first.strategy == "filter_aware" else ""
        rows.append(
            {
                "Index": f"{first.index_type}\n{key[1]}",
                "Searched with": key[2],
                "Queries": QUERY_KINDS.get(first.query_kind, first.query_kind),
                "Filter": f"{first.filter or 'none'}\n{aware}",
                **{f"Recall {name}": share(run.ann_recall_at_k) for name, run in runs.items()},
                **{f"p50 ms {name}": number(run.p50_ms) for name, run in runs.items()},
                f"{letters[-1]} to {letters[0]}": (
                    f"{last / first.p50_ms:.2f} ×" if last and first.p50_ms else "–"
                ),
            }
        )
    return Table("The same settings, measured in each", rows)


def contexts_table(contexts: Sequence[RunContext], letters: Sequence[str]) -> Table:
    """Return all it takes to repeat the comparisons, one column each."""
    lines: dict[str, dict[str, str]] = {}
    for letter, context in zip(letters, contexts, strict=True):
        for name, value in _context_lines(context):
            lines.setdefault(name, {"": name, **dict.fromkeys(letters, "")})[letter] = value
    return Table("How this was measured", list(lines.values()), is_text=True)


def _standing_row(
    standing: Standing, letter: dict[str, str], kinds: Sequence[str], k: int
) -> dict[str, str]:
    run, build, fastest = standing.run, standing.build, standing.throughput
    hardest = standing.hardest
    case = QUERY_KINDS.get(hardest.query_kind, hardest.query_kind)
    case += f", {hardest.filter}" if hardest.filter else ""
    seconds = None if build.build_s is None else build.build_s + (build.load_s or 0.0)
    load = "" if build.load_s is None else _seconds(build.load_s)
    qps = f"{fastest.qps:,.0f}" if fastest and fastest.qps is not None else "–"
    memory = size(build.memory_bytes, "≈ " if build.memory_from == "estimated" else "")
    disk = size(build.index_bytes, "≈ " if build.index_from == "estimated" else "")
    built = params_text(run.build_params) if run.build_params else ""
    return {
        "Index": f"{run.index_type}\n{built}",
        **letter,
        "Searched with": standing.searched,
        **{
            f"Recall@{k}\n{QUERY_KINDS.get(kind, kind)}": _recall(standing.recalls.get(kind))
            for kind in kinds
        },
        "Hardest case": f"{share(hardest.ann_recall_at_k)}\n{case}",
        "p50 ms\np99": f"{number(run.p50_ms)}\n{number(run.p99_ms)}",
        "Queries/s\nclients": f"{qps}\n{fastest.concurrency if fastest else ''}",
        "Build + load\nof which load": f"{_seconds(seconds)}\n{load}",
        "Memory\ndisk": f"{memory}\n{disk}",
    }


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{number(value)} s" if value >= 0.1 else f"{1000 * value:.0f} ms"


def _recall(run: IndexRun | None) -> str:
    if run is None:
        return "–"
    if run.recall_low is None or run.recall_high is None:
        return share(run.ann_recall_at_k)
    return f"{share(run.ann_recall_at_k)}\n{share(run.recall_low)}–{share(run.recall_high)}"


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
