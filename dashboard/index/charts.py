"""The index lab's charts on a page: one comparison, or two side by side on the same axes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.components.errors import shown_in_words
from dashboard.i18n.core_translation import draw_in_words, said
from dashboard.i18n.gettext import N_, _
from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report.frames import recall_latency_frame
from search_core.lab.report.sections import Panel, Section, Subject, sections
from search_core.lab.report.theme import theme

_ALL = N_("All numbers")
#: What the axis below a chart and the legend above it take: Streamlit counts them to the height.
_AROUND_PX = 90
_SHORT = {
    "recall-latency": N_("Recall and latency"),
    "recall-parameter": N_("nprobe, ef …"),
    "filters": N_("Filters"),
    "latency-nq": N_("Queries a request (nq)"),
    "qps-concurrency": N_("Clients at once"),
    "build-size": N_("Build and memory"),
}
_COLUMNS = {
    "index": N_("Index"),
    "built": N_("Built with"),
    "searched": N_("Searched with"),
    "query_kind": N_("Queries"),
    "recall": N_("Recall"),
    "recall_low": N_("95 % from"),
    "recall_high": N_("to"),
    "p50_ms": N_("p50 ms"),
    "p95_ms": N_("p95 ms"),
}


@st.fragment
@shown_in_words()
def draw_charts(subjects: Sequence[Subject], names: Sequence[str], key: str) -> None:
    """Draw one kind of chart, chosen above it; ``names`` stand above each comparison's own."""
    made = {_SHORT[section.name]: section for section in sections(subjects)}
    chosen = st.segmented_control(
        _("Charts"),
        [*made, _ALL],
        format_func=_,
        default=next(iter(made), _ALL),
        required=True,
        key=f"charts-{key}",
        label_visibility="collapsed",
    )
    if chosen in made:
        st.caption(said(made[chosen].caption))
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
    frame["query_kind"] = frame["query_kind"].map(said)
    return frame[list(_COLUMNS)].rename(columns={key: _(name) for key, name in _COLUMNS.items()})


def _section(section: Section, place: int, *, alone: bool) -> None:
    panels = [panel for panel in section.panels if panel.comparison == place]
    if not panels:
        st.caption(_("This was not measured here."))
        return
    across = (2 if section.wide or len(panels) == 4 else 3) if alone else 1
    for first in range(0, len(panels), across):
        row = panels[first : first + across]
        for column, panel in zip(st.columns(min(across, len(panels))), row, strict=False):
            with column:
                _panel(section, panel)


def _panel(section: Section, panel: Panel) -> None:
    title = said(panel.title)
    st.markdown(f"###### {title}")
    look = theme(dark=st.context.theme.type == "dark")
    for chart in panel.charts:
        described = chart.properties(
            description=f"{said(section.title)}: {title}", height=chart.height + _AROUND_PX
        )
        draw_in_words(described.configure(**look))


def _numbers(comparison: Comparison) -> None:
    st.dataframe(
        searches_frame(comparison.runs),
        hide_index=True,
        width="stretch",
        column_config={
            _("Recall"): st.column_config.ProgressColumn(
                _("Recall@{k}").format(k=comparison.context.k),
                format="%.3f",
                min_value=0.0,
                max_value=1.0,
            ),
            _("95 % from"): st.column_config.NumberColumn(format="%.3f"),
            _("to"): st.column_config.NumberColumn(format="%.3f"),
            _("p50 ms"): st.column_config.NumberColumn(format="%.2f"),
            _("p95 ms"): st.column_config.NumberColumn(format="%.2f"),
        },
    )
