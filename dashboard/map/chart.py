"""The map of a library as a chart in which points are chosen with a lasso or a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.i18n.gettext import N_, _

#: Columns of the frame, and what people choose a colour by.
CAMERA, TIME, GROUP = N_("Camera"), N_("Time"), N_("Group")
HEIGHT_PX = 460
_POINT_PX, _RING_PX = 8, 15
#: What the colours of times take below the points, and how many of them are named.
_SCALE_PX, _TICKS = 64, 4
_RING = "#c2410c"
#: The first of them are told apart also by who does not tell red from green (Okabe and Ito).
_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c7a00", "#7f7f7f",
    "#8a63d2", "#7a4419", "#2bb8aa", "#e7298a",
)  # fmt: skip
#: What can be done with the chart itself: nothing that leaves it, or sends it somewhere.
CONFIG = {
    "displaylogo": False,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "zoom2d", "pan2d", "resetScale2d"]],
}


def map_figure(frame: pd.DataFrame, colour: str, outliers: Sequence[int]) -> dict[str, Any]:
    """Return a map's chart, as Plotly's JSON.

    ``frame`` has a row a picture: x, y, Camera, Time and Group. Outliers have rings round them.
    """
    timed = colour == TIME
    traces = [_by_time(frame)] if timed else _by_kind(frame, colour)
    return {
        "data": [*traces, _rings(frame, outliers)],
        "layout": {
            "height": HEIGHT_PX,
            "margin": {"l": 0, "r": 0, "t": 8, "b": _SCALE_PX if timed else 0},
            "showlegend": not timed,
            "dragmode": "lasso",
            "hovermode": "closest",
            "xaxis": _AXIS,
            "yaxis": _AXIS,
            "legend": {"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0},
        },
    }


def chosen_rows(selection: Mapping[str, Any]) -> list[int]:
    """Return the rows of the frame that a selection of the chart holds, each once."""
    rows = []
    for point in selection.get("points", ()):
        given = point.get("customdata")
        row = given[0] if isinstance(given, (list, tuple)) and given else given
        if isinstance(row, (int, float)):
            rows.append(int(row))
    return sorted(dict.fromkeys(rows))


_AXIS = {"visible": False, "zeroline": False, "showgrid": False}


def _by_kind(frame: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    kinds = sorted(set(frame[column]))
    return [
        {
            **_points(frame[frame[column] == name]),
            "name": _escaped(str(name)),
            "marker": {"size": _POINT_PX, "color": _COLOURS[number % len(_COLOURS)]},
        }
        for number, name in enumerate(kinds)
    ]


def _by_time(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the points coloured by the order of their times.

    By the times themselves all of a few days would look the same beside one of months ago.
    """
    moments = sorted(set(frame["Time"]))
    last = len(moments) - 1
    named = sorted({round(last * tick / (_TICKS - 1)) for tick in range(_TICKS)})
    marker = {
        "size": _POINT_PX,
        "color": (frame["Time"].rank(method="dense").astype(int) - 1).tolist(),
        "cmin": 0,
        "cmax": max(1, last),
        "colorscale": "Viridis",
        "showscale": True,
        "colorbar": {
            "orientation": "h",
            "thickness": 10,
            "len": 0.78,
            "x": 0.5,
            "xanchor": "center",
            "y": -0.02,
            "yanchor": "top",
            "outlinewidth": 0,
            "ticks": "outside",
            "ticklen": 4,
            "tickvals": named,
            "ticktext": [moments[at].strftime("%Y-%m-%d<br>%H:%M") for at in named],
        },
    }
    return {**_points(frame), "name": TIME, "marker": marker, "showlegend": False}


def _rings(frame: pd.DataFrame, outliers: Sequence[int]) -> dict[str, Any]:
    return {
        **_points(frame.iloc[list(outliers)]),
        "name": _("Outliers"),
        "hoverinfo": "skip",
        "marker": {
            "size": _RING_PX,
            "color": _RING,
            "symbol": "circle-open",
            "line": {"width": 1.5},
        },
    }


def _points(frame: pd.DataFrame) -> dict[str, Any]:
    times = frame["Time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return {
        "type": "scatter",
        "mode": "markers",
        "x": frame["x"].tolist(),
        "y": frame["y"].tolist(),
        "customdata": [[int(row)] for row in frame.index],
        "text": [
            f"{_escaped(str(camera))}<br>{time}"
            for camera, time in zip(frame["Camera"], times, strict=True)
        ],
        "hoverinfo": "text",
        "opacity": 0.8,
    }


def _escaped(text: str) -> str:
    """Return text that Plotly, which understands some HTML, shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
