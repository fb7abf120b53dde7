"""When the hits were captured, by camera: a histogram whose brush narrows the results to a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.i18n.formatting import viewer_zone
from dashboard.i18n.gettext import _
from search_core.search.engine import Hit

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
_BRUSH = "brush"
#: How a tick is written, by the finest unit of time that it needs.
_TICKS = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%b %d",
    "date": "%b %d",
    "day": "%b %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S",
}
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time, in epoch milliseconds: from ``first_ms`` (inclusive) to ``last_ms`` (exclusive)."""

    first_ms: int
    last_ms: int

    def holds(self, hit: Hit) -> bool:
        """Whether a hit was captured in it."""
        return self.first_ms <= hit.entity.captured_at < self.last_ms


def show_timeline(hits: Sequence[Hit], cameras: Sequence[str], key: str) -> Span | None:
    """Draw the histogram; return the time that is brushed, None for none.

    ``cameras`` are the library's, which keep their colours from search to search. Nothing is drawn
    where all was captured at once.
    """
    bars = timeline_bars(hits)
    if len({bar["from"] for bar in bars}) < 2:
        return None
    drawn = st.vega_lite_chart(
        spec=_spec(bars, cameras),
        key=key,
        on_select="rerun",
        selection_mode=_BRUSH,
        width="stretch",
        height=HEIGHT_PX,
    )
    return brushed(drawn)


def timeline_bars(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Return bars by time and camera: ``from`` and ``until`` in epoch ms, ``camera``, ``hits``."""
    times = [hit.entity.captured_at for hit in hits] or [0]
    width = _width(max(times) - min(times))
    # Bars of a day or more begin at the viewer's midnight.
    zone = viewer_zone()
    shift = round(
        (datetime.fromtimestamp(min(times) / 1000, zone).utcoffset() or timedelta()) / _MS
    )
    common = [name for name, _count in Counter(hit.entity.camera for hit in hits).most_common()]
    named = set(common if len(common) <= len(_COLOURS) else common[: len(_COLOURS) - 1])
    others = _("other cameras")
    counts = Counter(
        (
            (hit.entity.captured_at + shift) // width * width - shift,
            (hit.entity.camera or _("no camera")) if hit.entity.camera in named else others,
        )
        for hit in hits
    )
    return [
        {"from": start, "until": start + width, "camera": camera, "hits": count}
        for (start, camera), count in sorted(counts.items())
    ]


def brushed(state: Any) -> Span | None:
    """Return the time that a chart's state has brushed, None for none."""
    chosen = (state or {}).get("selection", {}).get(_BRUSH) or {}
    ends = list(chosen.get("from") or ())
    if len(ends) != 2 or ends[0] == ends[1]:
        return None
    first, last = sorted(float(end) for end in ends)
    return Span(round(first), round(last))


def _width(span_ms: int) -> int:
    for width in _WIDTHS_MS:
        if span_ms <= width * _BINS:
            return width
    return _WIDTHS_MS[-1]


def colours_of(shown: Sequence[str], cameras: Sequence[str]) -> list[str]:
    """Return a colour for each that is shown: its own in the library, another where that is taken.

    Those that are no camera of the library come last, in what is left.
    """
    free, found = list(_COLOURS), {}
    for name in sorted(shown, key=lambda name: (name not in cameras, name)):
        own = _COLOURS[cameras.index(name) % len(_COLOURS)] if name in cameras else free[-1]
        found[name] = own if own in free else free[0]
        free.remove(found[name])
    return [found[name] for name in shown]


def _only_day(bars: list[dict[str, Any]]) -> str | None:
    """Return the day that all bars are of, which the ticks then do not name; None for several."""
    zone = viewer_zone()
    edges = (bars[0]["from"], bars[-1]["until"] - 1)
    first, last = (datetime.fromtimestamp(edge / 1000, zone).date() for edge in edges)
    return first.isoformat() if first == last else None


def _spec(bars: list[dict[str, Any]], known: Sequence[str]) -> dict[str, Any]:
    """Return the chart as Vega-Lite; made by Altair it is checked anew each time, for 30 ms."""
    others = _("other cameras")
    cameras = sorted({bar["camera"] for bar in bars}, key=lambda name: (name == others, name))
    seconds = (bars[-1]["until"] - bars[0]["from"]) // 1000
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "minBandSize": 3},
        "params": [{"name": _BRUSH, "select": {"type": "interval", "encodings": ["x"]}}],
        "encoding": {
            "x": {
                "field": "from",
                "type": "temporal",
                "title": _only_day(bars),
                "axis": {
                    "labelOverlap": True,
                    "titleFontSize": 11,
                    "titleFontWeight": "normal",
                    "tickCount": max(1, min(10, seconds)),
                    "grid": False,
                    "labelFontSize": 11,
                    "format": _TICKS,
                },
            },
            "x2": {"field": "until"},
            "y": {"aggregate": "sum", "field": "hits", "title": None, "axis": None},
            "color": {
                "field": "camera",
                "type": "nominal",
                "scale": {"domain": cameras, "range": colours_of(cameras, known)},
                "legend": {
                    "title": None,
                    "orient": "right",
                    "labelLimit": 96,
                    "labelFontSize": 11,
                    "symbolSize": 60,
                    "rowPadding": 0,
                },
            },
            "opacity": {"condition": {"param": _BRUSH, "value": 1}, "value": 0.25},
            "tooltip": [
                {"field": "camera", "title": _("Camera")},
                {"field": "hits", "title": _("Hits")},
                {
                    "field": "from",
                    "type": "temporal",
                    "title": _("From"),
                    "format": "%Y-%m-%d %H:%M:%S",
                },
            ],
        },
    }
