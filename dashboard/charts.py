"""Charts and the frames they are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from search_core.lab.records import IndexRun

#: One colour an index type, told apart in both themes and by colour-blind eyes (Okabe and Ito).
INDEX_COLOURS: dict[str, str] = {
    "FLAT": "#999999",
    "IVF_FLAT": "#0072B2",
    "IVF_SQ8": "#E69F00",
    "HNSW": "#009E73",
}


def comparison_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return one row a run, in the order of the runs: what the chart and the table show."""
    return pd.DataFrame(
        {
            "Index": [run.index_type for run in runs],
            "Built with": [params_text(run.build_params) for run in runs],
            "Searched with": [params_text(run.search_params) for run in runs],
            "Recall": [run.ann_recall_at_k for run in runs],
            "p50 ms": [run.p50_ms for run in runs],
            "p95 ms": [run.p95_ms for run in runs],
            "Build s": [run.build_s for run in runs],
        }
    )


def comparison_chart(frame: pd.DataFrame, k: int) -> Any:
    """Return recall against latency: up and to the left is better; a line joins one index."""
    shown = [name for name in INDEX_COLOURS if name in set(frame["Index"])]
    colour = alt.Color(
        "Index:N",
        scale=alt.Scale(domain=shown, range=[INDEX_COLOURS[name] for name in shown]),
        legend=alt.Legend(title=None, orient="top"),
    )
    base = alt.Chart(frame).encode(
        x=alt.X(
            "p50 ms:Q",
            title="median latency of one query, ms (log)",
            scale=alt.Scale(type="log", nice=True, padding=12),
            axis=alt.Axis(format="~g", tickCount=6),
        ),
        y=alt.Y(
            "Recall:Q",
            title=f"recall@{k} against exact search",
            scale=alt.Scale(domain=[_lowest(frame), 1.0], nice=False),
            axis=alt.Axis(format=".2f", tickCount=6),
        ),
        color=colour,
    )
    tooltip = [
        "Index:N",
        "Built with:N",
        "Searched with:N",
        alt.Tooltip("Recall:Q", format=".4f"),
        alt.Tooltip("p50 ms:Q", format=".2f"),
        alt.Tooltip("p95 ms:Q", format=".2f"),
        alt.Tooltip("Build s:Q", format=".2f"),
    ]
    lines = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(order="Recall:Q")
    points = base.mark_point(filled=True, size=90, opacity=1.0).encode(tooltip=tooltip)
    return (lines + points).properties(height=360)


def _lowest(frame: pd.DataFrame) -> float:
    """Return where the axis of recall begins: a little below the least, on a twentieth."""
    return max(0.0, math.floor(float(frame["Recall"].min()) * 20 - 0.5) / 20)


def params_text(params: Mapping[str, int]) -> str:
    """Return parameters as people read them: ``M 16, efConstruction 200``."""
    return ", ".join(f"{name} {value:,}" for name, value in params.items()) or "–"
