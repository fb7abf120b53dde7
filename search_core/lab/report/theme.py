"""How charts look: the colours and shapes of index types, and a theme for light and for dark."""

from __future__ import annotations

from typing import Any

from search_core.indexes import INDEX_SPECS

#: What an index type is drawn in that is not in the catalogue: a newer version measured it.
_UNKNOWN = ("#7c838c", "circle")
_FURTHER_SHAPES = (
    "M0,-1.2L0.32,-0.32L1.2,0L0.32,0.32L0,1.2L-0.32,0.32L-1.2,0L-0.32,-0.32Z",
    "M-0.8,-0.9L0.8,-0.9L-0.8,0.9L0.8,0.9Z",
    "M-0.9,-0.8L0,0.1L0.9,-0.8L0.9,0L0,0.9L-0.9,0Z",
)

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"
_INK = {False: "#1a2230", True: "#e4e9ee"}
_QUIET_INK = {False: "#566170", True: "#9eabb8"}
_GRID = {False: "#e6eaee", True: "#27303a"}
_PAPER = {False: "#ffffff", True: "#161c23"}
#: Building and loading, memory and disk; seen on both backgrounds, and no colour is in both pairs.
TIME_PAIR = ["#2f86ad", "#c08a2d"]
SIZE_PAIR = ["#8a63c9", "#3f8f5f"]
#: Ways to search, by the words of :data:`search_core.lab.report.frames.STRATEGIES`.
STRATEGY_COLOURS = {"as set": "#7c838c", "filter-aware": "#2f86ad"}


def colour_of(index_type: str) -> str:
    """Return the colour an index type is drawn in."""
    spec = INDEX_SPECS.get(index_type)
    return spec.colour if spec else _UNKNOWN[0]


def shape_of(index_type: str, nth: int = 0) -> str:
    """Return the shape of an index type's points: a name of Vega's, or an SVG path.

    ``nth`` counts the ways one comparison builds the type, from 0.
    """
    spec = INDEX_SPECS.get(index_type)
    first = spec.shape if spec else _UNKNOWN[1]
    return first if nth == 0 else _FURTHER_SHAPES[(nth - 1) % len(_FURTHER_SHAPES)]


def theme(*, dark: bool = False) -> dict[str, Any]:
    """Return the Vega-Lite configuration that charts are drawn with.

    Charts name its styles (``front``, ``guide``, ``hollow`` …) and hold no colours of a theme, so
    that one chart serves both. Vega-Lite's config: https://vega.github.io/vega-lite/docs/config.html
    """
    ink, quiet, paper = _INK[dark], _QUIET_INK[dark], _PAPER[dark]
    return {
        "background": "transparent",
        "font": _FONT,
        "padding": {"left": 2, "right": 10, "top": 4, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "domain": False,
            "grid": True,
            "gridColor": _GRID[dark],
            "labelColor": quiet,
            "labelFontSize": 11,
            "labelPadding": 6,
            "ticks": False,
            "titleColor": quiet,
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "titlePadding": 8,
            "labelOverlap": "greedy",
        },
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "labelColor": ink,
            "labelFontSize": 12,
            "labelLimit": 220,
            "titleColor": quiet,
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "columnPadding": 14,
            "rowPadding": 4,
            "symbolSize": 90,
            "symbolOpacity": 1,
        },
        "title": {
            "anchor": "start",
            "color": ink,
            "fontSize": 13,
            "fontWeight": 600,
            "subtitleColor": quiet,
            "subtitleFontSize": 12,
            "offset": 8,
        },
        "style": {
            "front": {"color": ink, "strokeWidth": 10, "opacity": 0.13, "strokeJoin": "round"},
            "guide": {"color": quiet, "strokeDash": [4, 4], "strokeWidth": 1},
            "guide-text": {"color": quiet, "fontSize": 11},
            "hollow": {"fill": paper},
            "chosen": {"color": ink, "strokeWidth": 2, "fill": None},
            "value": {"color": ink, "fontSize": 11},
        },
    }  # fmt: skip
