"""What the charts are put together from: axes, scales, looks of index types, guides."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from search_core.lab.report.theme import colour_of, shape_of
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
