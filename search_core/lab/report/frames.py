"""Measurements as pandas frames: one for each chart, with one row per point.

Columns are named with their units; ``recall`` is ann_recall@k, a share of the exact neighbours;
``did`` are a run's notes, such as what filter-aware search did. ``series`` names an index as its
chart does: its type, and its build parameters where a type was built in more than one way. Numbers
that were not measured are NaN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from search_core.indexes import INDEX_SPECS
from search_core.lab.recommendation import pareto_front
from search_core.lab.records import Comparison, IndexRun, RunKind
from search_core.messages import Message

#: Kinds of query and ways to search, in words.
QUERY_KINDS: dict[str, str] = {
    "image": Message("pictures"),
    "text": Message("sentences"),
    "recorded_image": Message("recorded pictures"),
    "recorded_text": Message("recorded sentences"),
}
STRATEGIES: dict[str, str] = {"fixed": Message("as set"), "filter_aware": Message("filter-aware")}
_TYPE_ORDER = {name: place for place, name in enumerate(INDEX_SPECS)}
#: How each size of an index is known: measured, or estimated by formula.
_SIZES_FROM = ("memory_from", "index_from")
_LABELS = (
    "index", "series", "built", "searched", "parameter", "query_kind", "strategy", "filter", "did",
)  # fmt: skip
#: Numbers that a run has under the same names.
_MEASURED = (
    "selectivity", "nq", "concurrency", "recall_low", "recall_high", "p50_ms", "p95_ms", "p99_ms",
    "qps",
)  # fmt: skip
_NUMBERS = ("value", "recall", *_MEASURED)
_COLUMNS = _LABELS + _NUMBERS


def recall_latency_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return the settings as set, without a filter, queries one at a time.

    ``on_front`` says that nothing measured with the same kind of query is both at least as fast
    and at least as exact (the Pareto front).
    """
    chosen = [
        run for run in _answered(runs, "search") if not run.filter and run.strategy == "fixed"
    ]
    chosen.sort(key=lambda run: _TYPE_ORDER.get(run.index_type, len(_TYPE_ORDER)))
    front: list[IndexRun] = []
    for kind in {run.query_kind for run in chosen}:
        front += pareto_front(run for run in chosen if run.query_kind == kind)
    frame = _frame(runs, chosen)
    frame["on_front"] = [any(run is other for other in front) for run in chosen]
    return frame


def sweep_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return recall and latency by the search parameter that trades one for the other.

    ``parameter`` is its name (nprobe, ef …) and ``value`` what it was; indexes without one, such
    as FLAT, have no rows.
    """
    frame = recall_latency_frame(runs).drop(columns="on_front")
    return _ordered(frame[frame["parameter"] != ""], "query_kind", "value")


def nq_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return the time of one request by how many queries it holds (``nq``), for each setting.

    ``ms_per_query`` is the median time divided by nq. Measurements of one query at a time stand
    in where a comparison of batches left nq 1 out.
    """
    batches = _answered(runs, "batch")
    have = {_setting(run) for run in batches if run.nq == 1}
    batched = {_setting(run) for run in batches}
    singles = [
        run
        for run in _answered(runs, "search")
        if not run.filter and run.strategy == "fixed" and _setting(run) in batched - have
    ]
    frame = _frame(runs, [*singles, *batches])
    frame["ms_per_query"] = frame["p50_ms"] / frame["nq"]
    return _ordered(_one_kind(frame), "value", "nq")


def concurrency_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return queries answered a second (``qps``) by how many clients ask at once."""
    frame = _frame(runs, _answered(runs, "throughput"))
    return _ordered(_one_kind(frame), "searched", "concurrency")


def filter_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return recall and latency by the share of rows that pass the filter (``selectivity``).

    Only settings that were measured under a filter are in it. Without a filter, filter-aware
    search does what is set, so that its line starts there too.
    """
    searches = _answered(runs, "search")
    filtered = {_setting(run) for run in searches if run.filter}
    chosen = [run for run in searches if _setting(run) in filtered]
    frame = _frame(runs, chosen)
    frame["filter"] = frame["filter"].replace("", "none")
    begins = frame[(frame["filter"] == "none") & (frame["strategy"] == "as set")]
    aware = frame[frame["strategy"] == "filter-aware"]
    missing = set(aware["series"]) - set(aware.loc[aware["filter"] == "none", "series"])
    starts = begins[begins["series"].isin(missing)].assign(strategy="filter-aware")
    joined = pd.concat([frame, starts], ignore_index=True)
    return _ordered(joined, "query_kind", "strategy", "selectivity")


def build_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return what each index took to build and load (s), and what it takes (bytes).

    ``memory_from`` and ``index_from`` are measured or estimated; ``error`` is why one could not be
    built.
    """
    series = series_names(runs)
    rows: dict[str, dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: run.kind != "build"):
        name = series[run.index_type, params_text(run.build_params)]
        row = rows.setdefault(name, {"series": name, "index": run.index_type})
        row.setdefault("built", params_text(run.build_params))
        for field in ("build_s", "load_s", "memory_bytes", "index_bytes", *_SIZES_FROM):
            if row.get(field) in (None, ""):
                row[field] = getattr(run, field)
        row["error"] = row.get("error") or (run.error if run.kind == "build" else "")
    columns = ["series", "index", "built", "build_s", "load_s", "memory_bytes", "index_bytes"]
    frame = pd.DataFrame(list(rows.values()), columns=[*columns, *_SIZES_FROM, "error"])
    frame[columns[3:]] = frame[columns[3:]].astype(float)
    return _in_type_order(frame)


def runs_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return every measurement with its context, flat: what runs.csv holds."""
    rows = []
    for comparison in comparisons:
        shared = asdict(comparison.context)
        versions, machine = shared.pop("versions"), shared.pop("machine")
        shared = {
            f"context_{name}" if name in ("k", "rows") else name: shared[name] for name in shared
        }
        shared |= {f"version_{name}": value for name, value in versions.items()}
        shared |= {f"machine_{name}": value for name, value in machine.items()}
        for run in comparison.runs:
            record = run.to_dict()
            record["build_params"] = params_text(run.build_params)
            record["search_params"] = params_text(run.search_params)
            record["notes"] = " | ".join(run.notes)
            rows.append({**record, **shared})
    return pd.DataFrame(rows)


def at_settings(frame: pd.DataFrame, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of one setting a series: the ``chosen`` one (search parameters in words).

    Where that was not measured, it is the setting that found most.
    """
    kept = []
    for series, part in frame.groupby("series", sort=False):
        wanted = part[part["searched"] == chosen.get(str(series))]
        if wanted.empty:
            most = part.sort_values("recall", ascending=False, kind="stable")["searched"].iloc[0]
            wanted = part[part["searched"] == most]
        kept.append(wanted)
    return pd.concat(kept) if kept else frame


def params_text(params: Mapping[str, Any]) -> str:
    """Return parameters as people read them: ``M 16, efConstruction 200``."""
    given = (f"{name} {value}" for name, value in params.items() if value is not None)
    return ", ".join(given) or "–"


def series_names(runs: Sequence[IndexRun]) -> dict[tuple[str, str], str]:
    """Return what a chart calls each index, by its type and its build parameters in words."""
    builds: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        built = params_text(run.build_params)
        if built not in builds[run.index_type]:
            builds[run.index_type].append(built)
    return {
        (name, built): name if len(ways) == 1 else f"{name} {built}"
        for name, ways in builds.items()
        for built in ways
    }


def swept_parameter(run: IndexRun) -> str:
    """Return the search parameter of a run that trades time for recall; "" where it has none."""
    spec = INDEX_SPECS.get(run.index_type)
    named = spec.sweep if spec is not None else next(iter(run.search_params), None)
    return named if named is not None and named in run.search_params else ""


def _frame(runs: Sequence[IndexRun], chosen: Sequence[IndexRun]) -> pd.DataFrame:
    """Return ``chosen`` as rows, in the order of index types; ``runs`` name the series."""
    names = series_names(runs)
    frame = pd.DataFrame([_row(run, names) for run in chosen], columns=list(_COLUMNS))
    frame[list(_NUMBERS)] = frame[list(_NUMBERS)].astype(float)
    return _in_type_order(frame)


def _row(run: IndexRun, names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    built = params_text(run.build_params)
    parameter = swept_parameter(run)
    return {
        "index": run.index_type,
        "series": names[run.index_type, built],
        "built": built,
        "searched": params_text(run.search_params),
        "parameter": parameter,
        "value": run.search_params.get(parameter),
        "query_kind": QUERY_KINDS.get(run.query_kind, run.query_kind),
        "strategy": STRATEGIES.get(run.strategy, run.strategy),
        "filter": run.filter,
        "did": "; ".join(run.notes),
        "recall": run.ann_recall_at_k,
        **{name: getattr(run, name) for name in _MEASURED},
    }


def _ordered(frame: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return the rows by series, in the order of the types, and within a series by columns."""
    return _in_type_order(frame.sort_values(["series", *by], kind="stable"))


def _one_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the first kind of query: how long it takes hardly depends on the kind."""
    return frame[frame["query_kind"] == frame["query_kind"].iloc[0]] if len(frame) else frame


def _in_type_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order the types are listed in, those of one type as they were."""
    place = frame["index"].map(lambda name: _TYPE_ORDER.get(name, len(_TYPE_ORDER)))
    return frame.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def _answered(runs: Sequence[IndexRun], kind: RunKind) -> list[IndexRun]:
    return [run for run in runs if run.kind == kind and not run.error]


def _setting(run: IndexRun) -> tuple[str, str, str, str]:
    built, searched = params_text(run.build_params), params_text(run.search_params)
    return run.index_type, built, searched, run.query_kind
