"""The index lab's charts on a page: one comparison, or two side by side on the same axes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.problems import shown_in_words
from search_core.lab.chart_theme import theme
from search_core.lab.frames import recall_latency_frame
from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report_charts import Panel, Section, Subject, sections

_ALL = "All numbers"
_SHORT = {
    "recall-latency": "Recall and latency",
    "recall-parameter": "nprobe, ef …",
    "filters": "Filters",
    "latency-nq": "Queries a request (nq)",
    "qps-concurrency": "Clients at once",
    "build-size": "Build and memory",
}
_COLUMNS = {
    "index": "Index",
    "built": "Built with",
    "searched": "Searched with",
    "query_kind": "Queries",
    "recall": "Recall",
    "recall_low": "95 % from",
    "recall_high": "to",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
}


@st.fragment
@shown_in_words()
def draw_charts(subjects: Sequence[Subject], names: Sequence[str], key: str) -> None:
    """Draw one kind of chart, chosen above it; ``names`` stand above each comparison's own."""
    made = {_SHORT[section.name]: section for section in sections(subjects)}
    chosen = st.segmented_control(
        "Charts",
        [*made, _ALL],
        default=next(iter(made), _ALL),
        required=True,
        key=f"charts-{key}",
        label_visibility="collapsed",
    )
    if chosen in made:
        st.caption(made[chosen].caption)
    sides = st.columns(len(subjects), gap="large")
    for place, (side, subject) in enumerate(zip(sides, subjects, strict=True)):
        with side:
            if len(subjects) > 1:
                st.markdown(f"**{names[place]}**")
            if chosen in made:
                _section(made[chosen], place, alone=len(subjects) == 1)
            else:
                _numbers(subject.comparison)


def searches_frame(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return one row a setting and kind of query, searched without a filter, headed for people."""
    frame = recall_latency_frame(runs)
    return frame[list(_COLUMNS)].rename(columns=_COLUMNS)


def _section(section: Section, place: int, *, alone: bool) -> None:
    panels = [panel for panel in section.panels if panel.comparison == place]
    if not panels:
        st.caption("This was not measured here.")
        return
    across = (2 if section.wide or len(panels) == 4 else 3) if alone else 1
    for first in range(0, len(panels), across):
        row = panels[first : first + across]
        for column, panel in zip(st.columns(min(across, len(panels))), row, strict=False):
            with column:
                _panel(section, panel)


def _panel(section: Section, panel: Panel) -> None:
    st.markdown(f"###### {panel.title}")
    look = theme(dark=st.context.theme.type == "dark")
    for chart in panel.charts:
        described = chart.properties(description=f"{section.title}: {panel.title}")
        st.altair_chart(described.configure(**look), width="stretch", theme=None)


def _numbers(comparison: Comparison) -> None:
    st.dataframe(
        searches_frame(comparison.runs),
        hide_index=True,
        width="stretch",
        column_config={
            "Recall": st.column_config.ProgressColumn(
                f"Recall@{comparison.context.k}", format="%.3f", min_value=0.0, max_value=1.0
            ),
            "95 % from": st.column_config.NumberColumn(format="%.3f"),
            "to": st.column_config.NumberColumn(format="%.3f"),
            "p50 ms": st.column_config.NumberColumn(format="%.2f"),
            "p95 ms": st.column_config.NumberColumn(format="%.2f"),
        },
    )
