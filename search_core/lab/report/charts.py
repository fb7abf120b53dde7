"""Charts of measured indexes, drawn from the frames of :mod:`search_core.lab.report.frames`.

Each returns an Altair chart as wide as what holds it, without a theme: give it one with
``chart.configure(**theme(dark=…))``, or let Streamlit. ``axes`` is a frame whose extent the axes
and legends take, so that charts of several indexes or comparisons can be read side by side. What
they are put together from (axes, scales, looks of index types, guides) comes last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from search_core.lab.report.frames import STRATEGIES
from search_core.lab.report.theme import SIZE_PAIR, STRATEGY_COLOURS, TIME_PAIR, colour_of, shape_of
from search_core.messages import Message

_DASHES = [[1, 0], [5, 4], [2, 3], [8, 3, 2, 3]]
#: Recall to this power goes up the axis.
_STRETCH = 4
_RECALL_TICKS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
_KIND_SHAPES = ["circle", "diamond", "square", "triangle-up"]
#: What a name takes in a legend, and the width of a chart that no page holds.
_SYMBOL_PX, _LETTER_PX, _PICTURE_PX = 42, 7, 520
_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))

SETTING = [
    alt.Tooltip("series:N", title=Message("index")),
    alt.Tooltip("built:N", title=Message("built with")),
    alt.Tooltip("searched:N", title=Message("searched with")),
]
QUERIES = alt.Tooltip("query_kind:N", title=Message("queries"))
RECALL = [
    alt.Tooltip("recall:Q", format=".4f"),
    alt.Tooltip("recall_low:Q", title=Message("95 % interval from"), format=".4f"),
    alt.Tooltip("recall_high:Q", title=Message("95 % interval to"), format=".4f"),
]
TIMES = [
    alt.Tooltip("p50_ms:Q", title="p50 ms", format=",.4~g"),
    alt.Tooltip("p95_ms:Q", title="p95 ms", format=",.4~g"),
    alt.Tooltip("p99_ms:Q", title="p99 ms", format=",.4~g"),
]


def log_scale(values: pd.Series[float], *, reverse: bool = False) -> Any:
    """Return a logarithmic scale with a little room on both sides of ``values``."""
    low, high = _extent(values)
    return alt.Scale(type="log", domain=[low, high], nice=False, reverse=reverse)


def log_ticks(values: pd.Series[float], most: int = 7) -> list[float]:
    """Return round values for the ticks of :func:`log_scale`, ``most`` at most where possible."""
    low, high = _extent(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks: list[float] = []
    for steps in _STEPS:
        found = [
            float(f"{step * 10.0**power:.4g}")
            for power in range(first, last + 1)
            for step in steps
            if low <= step * 10.0**power <= high
        ]
        if len(found) > most and ticks:
            break
        ticks = found
        if len(ticks) >= 4:
            break
    return ticks


def _extent(values: pd.Series[float]) -> tuple[float, float]:
    known = values[values > 0]
    if known.empty:
        return 0.1, 10.0
    low, high = float(known.min()), float(known.max())
    if high / low < 2:  # so near one another that no round number need lie between
        middle = math.sqrt(low * high)
        return middle / 1.6, middle * 1.6
    room = max(1.1, (high / low) ** 0.05)
    return low / room, high * room


def recall_axis(frame: pd.DataFrame, k: int, target: float | None = None) -> Any:
    """Return the axis of recall, from a little below the least to 1.

    It is stretched towards 1, where settings are chosen: 0.9 to 1 takes as much room as 0 to 0.8.
    """
    least = frame[["recall", "recall_low"]].min().min()
    least = min(1.0 if math.isnan(least) else float(least), target or 1.0)
    bottom = max(0.0, math.floor(least * 20 - 0.5) / 20)
    return alt.Y(
        "recall:Q",
        title=Message("recall@{k} (stretched towards 1)", k=k),
        scale=alt.Scale(
            type="pow", exponent=_STRETCH, domain=[bottom, 1.0], nice=False, zero=False
        ),
        axis=alt.Axis(format=".2~f", values=[tick for tick in _RECALL_TICKS if tick >= bottom]),
    )


def interval(base: Any) -> Any:
    """Return the 95 % intervals of recall as thin rules."""
    return base.mark_rule(strokeWidth=1.5, opacity=0.4).encode(
        y=alt.Y("recall_low:Q"), y2="recall_high:Q"
    )


def named(channel: Any, field: str, looks: Mapping[str, Any], orient: str = "top") -> Any:
    """Return a channel in which each name has its look, and a legend that folds with its chart."""
    name_px = _SYMBOL_PX + _LETTER_PX * max(map(len, looks), default=0)
    columns = f"max(1, floor((containerSize()[0] || {_PICTURE_PX}) / {name_px}))"
    return channel(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=list(looks), range=list(looks.values())),
        legend=alt.Legend(orient=orient, columns=alt.ExprRef(expr=columns)),
    )


def series_look(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the colour and the shape of indexes, with one legend for both.

    The colour is the type's; a second way to build it has another shape.
    """
    types = dict(zip(frame["series"], frame["index"], strict=True))
    ways = _ways(frame)
    colours = {name: colour_of(kind) for name, kind in types.items()}
    shapes = {name: shape_of(kind, ways[name]) for name, kind in types.items()}
    return {
        "color": named(alt.Color, "series", colours),
        "shape": named(alt.Shape, "series", shapes),
    }


def series_lines(base: Any, frame: pd.DataFrame, opacity: float = 1.0) -> list[Any]:
    """Return a line for each index of ``frame``, dashed where it is a second way to build a type.

    The dash is not a channel of its own: a legend for it would spoil the points'.
    """
    ways = _ways(frame)
    return [
        base.transform_filter(
            alt.FieldOneOfPredicate("series", [name for name in ways if ways[name] == nth])
        ).mark_line(strokeWidth=1.6, opacity=opacity, strokeDash=_DASHES[nth % len(_DASHES)])
        for nth in sorted(set(ways.values()))
    ]


def _ways(frame: pd.DataFrame) -> dict[str, int]:
    """Return for each series the how-manyth way it is to build its type, from 0."""
    types = dict(zip(frame["series"], frame["index"], strict=True))
    seen: Counter[str] = Counter()
    ways = {}
    for name, index_type in types.items():
        ways[name] = seen[index_type]
        seen[index_type] += 1
    return ways


def kind_look(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the dash and the shape of kinds of query; nothing where there is only one."""
    kinds = sorted(str(kind) for kind in frame["query_kind"].unique())
    if len(kinds) < 2:
        return {}
    looks: dict[str, tuple[Any, Sequence[Any]]] = {
        "strokeDash": (alt.StrokeDash, _DASHES),
        "shape": (alt.Shape, _KIND_SHAPES),
    }
    return {
        # Below the chart: above it is the legend of its colours.
        name: named(channel, "query_kind", dict(zip(kinds, values, strict=False)), "bottom")
        for name, (channel, values) in looks.items()
    }


def target_line(target: float) -> list[Any]:
    """Return a dashed line at the recall that is wanted, and what it is at its right end."""
    line = alt.Chart(pd.DataFrame({"recall": [target]})).encode(y=alt.Y("recall:Q"))
    words = line.mark_text(style="guide-text", align="right", baseline="top", dy=4)
    said = words.encode(
        x=alt.value("width"), text=alt.value(Message("wanted: {target:g}", target=target))
    )
    return [line.mark_rule(style="guide"), said]


def ringed(frame: pd.DataFrame, chosen: tuple[str, str], x: Any, y: Any) -> list[Any]:
    """Return a ring around the points of the setting ``chosen`` (series, searched with)."""
    found = frame[(frame["series"] == chosen[0]) & (frame["searched"] == chosen[1])]
    if found.empty:
        return []
    return [alt.Chart(found).mark_point(style="chosen", size=330, opacity=1).encode(x=x, y=y)]


def series_axis(frame: pd.DataFrame) -> Any:
    """Return the axis of index names: the type, and below it how it was built where it matters."""
    return alt.Y(
        "series:N",
        title=None,
        sort=list(frame["series"]),
        axis=alt.Axis(
            grid=False,
            labelLimit=150,
            labelExpr="split(replace(datum.label, ' ', '\\n'), '\\n')",
        ),
    )


def byte_unit(most: float) -> tuple[str, float]:
    """Return the unit to say ``most`` bytes in, and how many bytes it has."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if most >= size:
            return unit, size
    return "kB", 1e3


def few_settings(frame: pd.DataFrame, chosen: str | None) -> dict[str, str]:
    """Return the shapes of the lowest, the ``chosen`` and the highest setting of one index.

    They go by search parameters in words; one that was not measured has none.
    """
    found = list(frame.sort_values("value", kind="stable")["searched"].unique())
    shapes = {found[0]: "triangle-down", found[-1]: "triangle-up"}
    if chosen in found:
        shapes[chosen] = "circle"
    return {name: shapes[name] for name in found if name in shapes}


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
