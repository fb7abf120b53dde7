"""When the hits were captured, by camera: a histogram whose brush narrows the results to a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from search_core.search import Hit

HEIGHT_PX = 120
_BINS = 72
#: Widths of a bar that people read easily, in milliseconds.
_WIDTHS_MS = tuple(
    second * 1000
    for second in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
        *(86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 91 * 86400, 365 * 86400),
    )
)
#: Told apart in both themes and by colour-blind eyes (Okabe and Ito); the rest of the cameras share
#: the last.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#A8A13A", "#8A8F98")
_OTHERS = "other cameras"
_BRUSH = "brush"


@dataclass(frozen=True, slots=True)
class Span:
    """A time, in epoch milliseconds: from ``first_ms`` (inclusive) to ``last_ms`` (exclusive)."""

    first_ms: int
    last_ms: int

    def holds(self, hit: Hit) -> bool:
        """Whether a hit was captured in it."""
        return self.first_ms <= hit.entity.captured_at < self.last_ms


def show_timeline(hits: Sequence[Hit], key: str) -> Span | None:
    """Draw the histogram; return the time that is brushed, None for none.

    Nothing is drawn where all was captured at once.
    """
    frame = timeline_frame(hits)
    if frame["from"].nunique() < 2:
        return None
    drawn = st.altair_chart(
        _chart(frame),
        key=key,
        on_select="rerun",
        selection_mode=_BRUSH,
        width="stretch",
        height=HEIGHT_PX,
    )
    return brushed(drawn)


def timeline_frame(hits: Sequence[Hit]) -> pd.DataFrame:
    """Return one row a bar and camera: ``from`` and ``until`` in epoch ms, ``camera``, ``hits``."""
    times = [hit.entity.captured_at for hit in hits] or [0]
    width = _width(max(times) - min(times))
    common = [name for name, _ in Counter(hit.entity.camera for hit in hits).most_common()]
    named = set(common if len(common) <= len(_COLOURS) else common[: len(_COLOURS) - 1])
    counts = Counter(
        (
            hit.entity.captured_at // width * width,
            (hit.entity.camera or "no camera") if hit.entity.camera in named else _OTHERS,
        )
        for hit in hits
    )
    rows = sorted(counts.items())
    return pd.DataFrame(
        {
            "from": [start for (start, _), _ in rows],
            "until": [start + width for (start, _), _ in rows],
            "camera": [camera for (_, camera), _ in rows],
            "hits": [count for _, count in rows],
        }
    )


def brushed(state: Any) -> Span | None:
    """Return the time that a chart's state has brushed, None for none."""
    chosen = (state or {}).get("selection", {}).get(_BRUSH) or {}
    ends = chosen.get("from") or ()
    if len(ends) != 2 or ends[0] == ends[1]:
        return None
    first, last = sorted(float(end) for end in ends)
    return Span(round(first), round(last))


def _width(span_ms: int) -> int:
    for width in _WIDTHS_MS:
        if span_ms <= width * _BINS:
            return width
    return _WIDTHS_MS[-1]


def _chart(frame: pd.DataFrame) -> alt.Chart:
    cameras = sorted(set(frame["camera"]), key=lambda name: (name == _OTHERS, name))
    brush = alt.selection_interval(name=_BRUSH, encodings=["x"])
    return (
        alt.Chart(frame)
        .mark_bar(minBandSize=3)
        .encode(
            x=alt.X("from:T", title=None, axis=alt.Axis(labelOverlap=True, grid=False)),
            x2="until:T",
            y=alt.Y("sum(hits):Q", title=None, axis=None),
            color=alt.Color(
                "camera:N",
                scale=alt.Scale(domain=cameras, range=list(_COLOURS[: len(cameras)])),
                legend=alt.Legend(title=None, orient="top", labelLimit=140, columns=4),
            ),
            opacity=alt.condition(brush, alt.value(1.0), alt.value(0.25)),
            tooltip=[
                alt.Tooltip("camera:N", title="Camera"),
                alt.Tooltip("hits:Q", title="Hits"),
                alt.Tooltip("from:T", title="From", format="%Y-%m-%d %H:%M:%S"),
            ],
        )
        .add_params(brush)
    )
