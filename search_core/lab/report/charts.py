"""Charts of measured indexes, drawn from the frames of :mod:`search_core.lab.report.frames`.

Each returns an Altair chart as wide as what holds it, without a theme: give it one with
``chart.configure(**theme(dark=…))``, or let Streamlit. ``axes`` is a frame whose extent the axes
and legends take, so that charts of several indexes or comparisons can be read side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from search_core.lab.report.chart_parts import (
    QUERIES,
    RECALL,
    SETTING,
    TIMES,
    byte_unit,
    few_settings,
    interval,
    kind_look,
    log_scale,
    log_ticks,
    named,
    recall_axis,
    ringed,
    series_axis,
    series_lines,
    series_look,
    target_line,
)
from search_core.lab.report.frames import STRATEGIES
from search_core.lab.report.theme import SIZE_PAIR, STRATEGY_COLOURS, TIME_PAIR, colour_of
from search_core.messages import Message

HEIGHT = 300
PANEL_HEIGHT = 200
_ROW_HEIGHT = 46


def recall_latency_chart(
    frame: pd.DataFrame,
    k: int,
    *,
    target: float | None = None,
    chosen: tuple[str, str] | None = None,
    axes: pd.DataFrame,
) -> Any:
    """Return recall against latency: up and to the left is better; a line joins one index.

    Points on the Pareto front are filled and lie on a broad grey line. ``target`` draws the recall
    wanted; ``chosen`` (an index's series and its search parameters in words) is ringed.
    """
    x = _milliseconds(alt.X, axes, Message("median latency of one query, ms (log)"))
    y = recall_axis(axes, k, target)
    look = series_look(axes)
    base = alt.Chart(frame).encode(x=x, y=y, color=look["color"])
    front = alt.Chart(frame[frame["on_front"]]).encode(x=x, y=y)
    points = base.encode(shape=look["shape"], tooltip=[*SETTING, *RECALL, *TIMES])
    layers = [
        front.mark_line(style="front", interpolate="step-after").encode(order="p50_ms:Q"),
        interval(base),
        *series_lines(base.encode(detail="series:N", order="value:Q"), frame, opacity=0.55),
        points.transform_filter("!datum.on_front").mark_point(
            filled=False, style="hollow", size=70, strokeWidth=1.6, opacity=1
        ),
        points.transform_filter("datum.on_front").mark_point(filled=True, size=95, opacity=1),
    ]
    if chosen is not None:
        layers += ringed(frame, chosen, x, y)
    if target is not None:
        layers += target_line(target)
    return _sized(layers, HEIGHT)


def sweep_chart(frame: pd.DataFrame, k: int, *, axes: pd.DataFrame) -> Any:
    """Return recall against the search parameter of one index, a line for each kind of query."""
    look = kind_look(axes)
    base = alt.Chart(frame).encode(
        x=_counts("value", f"{frame['parameter'].iloc[0]} (log)", axes),
        y=recall_axis(axes, k),
        color=alt.value(colour_of(str(frame["index"].iloc[0]))),
    )
    return _sized(
        [
            interval(base),
            _lines(base, look, "query_kind:N"),
            _points(base, look, [*SETTING, QUERIES, *RECALL, *TIMES]),
        ],
        PANEL_HEIGHT,
    )


def nq_chart(frame: pd.DataFrame, chosen: str | None = None, *, axes: pd.DataFrame) -> Any:
    """Return the time of one index's requests against the queries they hold, a line a setting.

    Three settings at most are drawn: the lowest, the highest, and ``chosen`` (search parameters in
    words).
    """
    shapes = few_settings(frame, chosen)
    base = alt.Chart(frame[frame["searched"].isin(shapes)]).encode(
        x=_counts("nq", Message("queries in a request, nq (log)"), axes),
        y=_milliseconds(alt.Y, axes, Message("median of a request, ms (log)")),
        color=alt.value(colour_of(str(frame["index"].iloc[0]))),
    )
    each = alt.Tooltip("ms_per_query:Q", title=Message("ms a query"), format=",.4~g")
    look = {"shape": named(alt.Shape, "searched", shapes)} if len(shapes) > 1 else {}
    tooltip = [*SETTING, alt.Tooltip("nq:Q"), *TIMES, each]
    return _sized([_lines(base, {}, "searched:N"), _points(base, look, tooltip)], PANEL_HEIGHT)


def concurrency_chart(frame: pd.DataFrame, *, axes: pd.DataFrame) -> Any:
    """Return queries answered a second against how many clients ask at once."""
    y = alt.Y(
        "qps:Q",
        title=Message("queries answered a second"),
        scale=alt.Scale(domain=[0, 1.06 * float(axes["qps"].max())], nice=False),
        axis=alt.Axis(format=",.6~g", tickCount=5),
    )
    return _by_clients(frame, axes, y)


def concurrency_latency_chart(frame: pd.DataFrame, *, axes: pd.DataFrame) -> Any:
    """Return the 95th percentile of a query's time against how many clients ask at once."""
    y = alt.Y(
        "p95_ms:Q",
        title=Message("p95 latency of one query, ms (log)"),
        scale=log_scale(axes["p95_ms"]),
        axis=alt.Axis(format=",.6~g", values=log_ticks(axes["p95_ms"])),
    )
    return _by_clients(frame, axes, y)


def filter_recall_chart(
    frame: pd.DataFrame, k: int, *, target: float | None = None, axes: pd.DataFrame
) -> Any:
    """Return one index's recall by the rows a filter leaves, as set beside filter-aware."""
    guide = [] if target is None else target_line(target)
    layers = _by_selectivity(frame, axes, recall_axis(axes, k, target))
    return _sized([*guide, *layers], PANEL_HEIGHT)


def filter_latency_chart(frame: pd.DataFrame, *, axes: pd.DataFrame) -> Any:
    """Return one index's latency by the rows a filter leaves, as set beside filter-aware."""
    y = _milliseconds(alt.Y, axes, Message("median latency, ms (log)"))
    return _sized(_by_selectivity(frame, axes, y), PANEL_HEIGHT)


def build_chart(frame: pd.DataFrame, *, axes: pd.DataFrame) -> Any:
    """Return the seconds that building and loading each index took."""
    parts = {"build_s": Message("build"), "load_s": Message("load")}
    long = _parts(frame, parts)
    total = long.groupby("series", sort=False, as_index=False)["amount"].sum()
    total["said"] = [f"{value:,.3g} s" for value in total["amount"]]
    most = float(axes[["build_s", "load_s"]].sum(axis=1).max())
    x, y = _amount(Message("seconds"), most), series_axis(frame)
    amount = alt.Tooltip("amount:Q", title=Message("seconds"), format=",.4~g")
    colour = named(alt.Color, "part", dict(zip(parts.values(), TIME_PAIR, strict=True)))
    bars = alt.Chart(long).mark_bar(height=14).encode(
        x=x, y=y, color=colour, order="place:Q",
        tooltip=["series:N", "part:N", amount],
    )  # fmt: skip
    said = alt.Chart(total).mark_text(align="left", dx=5, style="value")
    return _sized([bars, said.encode(x=x, y=y, text="said:N")], _ROW_HEIGHT * len(frame))


def size_chart(frame: pd.DataFrame, *, axes: pd.DataFrame) -> Any:
    """Return what each index takes in memory and on disk; outlined bars are estimates."""
    parts = {"memory_bytes": Message("memory"), "index_bytes": Message("disk")}
    names = list(parts.values())
    most = float(axes[list(parts)].max().max())
    unit, divisor = byte_unit(most)
    long = _parts(frame, parts)
    guessed = long["known_from"] == "estimated"
    long["amount"] = long["amount"] / divisor
    long["said"] = [f"{value:,.3g} {unit}" for value in long["amount"]]
    long.loc[guessed, "said"] = "≈ " + long.loc[guessed, "said"]
    base = alt.Chart(long).encode(
        x=_amount(unit, most / divisor),
        y=series_axis(frame),
        yOffset=alt.YOffset("part:N", sort=names),
    )
    bars = base.encode(
        color=named(alt.Color, "part", dict(zip(names, SIZE_PAIR, strict=True))),
        tooltip=[
            "series:N",
            "part:N",
            alt.Tooltip("said:N", title=Message("takes")),
            alt.Tooltip("known_from:N", title=Message("known by")),
        ],
    )
    solid = bars.transform_filter("datum.known_from !== 'estimated'").mark_bar(height=12)
    outlined = bars.transform_filter("datum.known_from === 'estimated'").mark_bar(
        height=11, filled=False, strokeWidth=1.5
    )
    said = base.mark_text(align="left", dx=5, style="value").encode(text="said:N")
    return _sized([solid, outlined, said], _ROW_HEIGHT * len(frame))


def _by_clients(frame: pd.DataFrame, axes: pd.DataFrame, y: Any) -> Any:
    look = series_look(axes)
    base = alt.Chart(frame).encode(
        x=_counts("concurrency", Message("clients that ask at once (log)"), axes),
        y=y,
        color=look["color"],
    )
    clients = alt.Tooltip("concurrency:Q", title=Message("clients"))
    answered = alt.Tooltip("qps:Q", title=Message("queries a second"), format=",.0f")
    return _sized(
        [
            *series_lines(base.encode(detail=["series:N", "searched:N"]), frame, opacity=0.8),
            _points(base, {"shape": look["shape"]}, [*SETTING, clients, answered, *TIMES]),
        ],
        HEIGHT,
    )


def _by_selectivity(frame: pd.DataFrame, axes: pd.DataFrame, y: Any) -> list[Any]:
    shown = [name for name in STRATEGIES.values() if name in set(axes["strategy"])]
    kinds = kind_look(axes)
    kinds.pop("shape", None)
    base = alt.Chart(frame).encode(
        x=alt.X(
            "selectivity:Q",
            title=Message("rows the filter leaves (log)"),
            scale=log_scale(axes["selectivity"], reverse=True),
            axis=alt.Axis(format="~%", values=log_ticks(axes["selectivity"], most=5)),
        ),
        y=y,
        color=named(alt.Color, "strategy", {name: STRATEGY_COLOURS[name] for name in shown}),
    )
    shape = named(alt.Shape, "strategy", dict(zip(shown, ("square", "circle"), strict=False)))
    passed = alt.Tooltip("selectivity:Q", title=Message("rows it leaves"), format=".3~%")
    did = alt.Tooltip("did:N", title=Message("did"))
    tooltip = [*SETTING, "filter:N", passed, "strategy:N", did, QUERIES, *RECALL, *TIMES]
    return [
        _lines(base, kinds, ["strategy:N", "query_kind:N"]),
        _points(base, {"shape": shape}, tooltip),
    ]


def _milliseconds(channel: Any, axes: pd.DataFrame, title: str) -> Any:
    ticks = log_ticks(axes["p50_ms"])
    return channel(
        "p50_ms:Q", title=title, scale=log_scale(axes["p50_ms"]),
        axis=alt.Axis(format=",.6~g", values=ticks),
    )  # fmt: skip


def _counts(field: str, title: str, axes: pd.DataFrame) -> Any:
    """Return a logarithmic axis of whole numbers, with a tick at each that was measured."""
    ticks = sorted({int(value) for value in axes[field].dropna()})
    return alt.X(
        f"{field}:Q", title=title, scale=log_scale(axes[field]),
        axis=alt.Axis(format="d", values=ticks),
    )  # fmt: skip


def _amount(title: str, most: float) -> Any:
    axis = alt.Axis(tickCount=4, format=",.6~g")
    # With room for a number written after the longest bar.
    scale = alt.Scale(domain=[0, 1.35 * most if most > 0 else 1.0], nice=False)
    return alt.X("amount:Q", title=title, scale=scale, axis=axis)


def _lines(base: Any, look: dict[str, Any], detail: Any) -> Any:
    dashed = {name: channel for name, channel in look.items() if name != "shape"}
    return base.mark_line(strokeWidth=1.8).encode(detail=detail, **dashed)


def _points(base: Any, look: dict[str, Any], tooltip: list[Any]) -> Any:
    shaped = {name: channel for name, channel in look.items() if name == "shape"}
    return base.mark_point(filled=True, size=60, opacity=1).encode(tooltip=tooltip, **shaped)


def _parts(frame: pd.DataFrame, parts: Mapping[str, str]) -> pd.DataFrame:
    """Return one row for each index and part that was measured, ``place`` ordering the parts."""
    sources = [name for name in frame.columns if name.endswith("_from")]
    long = frame.melt(["series", *sources], list(parts), "part", "amount").dropna(subset=["amount"])
    # memory_bytes is known from what memory_from says
    known = [str(part).replace("_bytes", "_from") for part in long["part"]]
    long["known_from"] = [
        row[name] if name in sources else "measured"
        for name, (_, row) in zip(known, long.iterrows(), strict=True)
    ]
    long["part"] = long["part"].map(parts)
    long["place"] = long["part"].map(list(parts.values()).index)
    return long


def _sized(layers: list[Any], height: Any) -> Any:
    return alt.layer(*layers).properties(width="container", height=height)
