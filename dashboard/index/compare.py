"""Comparing indexes: what to measure, and the comparisons kept, one or two side by side on the same
axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import N_, _, draw_in_words, said
from dashboard.index.apply import KeptComparison, kept_comparisons, offered_types, show_advice
from dashboard.index.jobs import ask_for_comparison, open_jobs
from search_core.indexes import INDEX_SPECS
from search_core.lab.plan import CompareOptions, FilterCase
from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report.frames import recall_latency_frame
from search_core.lab.report.sections import Panel, Section, Subject, sections, subject_of
from search_core.lab.report.theme import theme
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.store.library import LibraryInfo

_SHARES = ("50%", "10%", "1%", "0.1%")
_USUAL_SHARES = ("10%", "1%")
_CAMERA = "camera "
_REPEATS, _SETTINGS, _NQ = 4, 6, (1, 10, 100)
_ROWS = (5_000, 20_000, 50_000, 100_000)
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


def show_comparisons(info: LibraryInfo, facets: Facets, rows: int) -> None:
    """Draw the form that asks for a comparison, and what was measured before."""
    _form(info, facets)
    kept = kept_comparisons(resources.settings().comparisons_dir, info.name)
    if not kept:
        st.caption(_("Nothing has been measured for this library yet."))
        return
    shown = _pick(kept)
    running = {job.id for job in open_jobs(info.name)}
    names = [comparison_name(one) for one in shown]
    for side, one in zip(st.columns(len(shown), gap="large"), shown, strict=True):
        with side:
            _facts(one, is_running=one.job_id in running)
            show_advice(info, rows, one)
    subjects = [subject_of(one.comparison, one.advice, one.context.target_recall) for one in shown]
    draw_charts(subjects, names, key="-".join(one.job_id for one in shown))
    _downloads(shown)


def comparison_name(kept: KeptComparison) -> str:
    """Return what a comparison is called: when it was measured, over how much, of what."""
    part = "" if kept.is_whole else " · " + _("not finished")
    if kept.is_first:
        part = " · " + _("first pass")
    return (
        f"{local_time(kept.measured_ms)[:16]} · {counted(kept.context.rows, 'vector')} · "
        f"{', '.join(kept.index_types)}{part}"
    )


def _form(info: LibraryInfo, facets: Facets) -> None:
    offered = offered_types(resources.store().server(), info.encoder.dim)
    with st.form(f"compare-{info.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.form_submit_button(
                _("Compare indexes"),
                type="primary",
                icon=":material/play_arrow:",
                disabled=not facets.count,
            )
            st.caption(
                _(
                    "Builds each index beside the one that serves, over a copy of this library's "
                    "vectors, and measures how much of the exact answer it finds, and how fast. "
                    "Nothing is changed, and searches go on."
                ),
                width="stretch",
            )
        with st.expander(_("What is measured")):
            options = _choices(offered, facets)
    if pressed:
        ask_for_comparison(info.name, options)


def _choices(offered: list[str], facets: Facets) -> CompareOptions:
    usual = [name for name in offered if INDEX_SPECS[name].usual]
    types = st.multiselect(
        _("Index types"), offered, default=usual, placeholder=_("the usual ones")
    )
    cameras = [f"{_CAMERA}{one.camera}" for one in facets.cameras if one.camera]
    filters = st.multiselect(
        _("Filters"),
        [*_SHARES, *cameras],
        default=_USUAL_SHARES,
        format_func=_filter_words,
        placeholder=_("none"),
        help=_(
            "Also measures searches whose filter leaves this share of the library, or one camera."
        ),
    )
    left, middle, right = st.columns(3)
    with left:
        target = st.number_input(
            _("Target recall"),
            0.50,
            1.00,
            0.95,
            step=0.01,
            help=_("The share of the true neighbours that searches have to find."),
        )
    with middle:
        queries = st.number_input(
            _("Queries of each kind"),
            10,
            1_000,
            50,
            step=10,
            help=_("More queries measure recall more precisely."),
        )
    with right:
        most = st.selectbox(
            _("Maximum vectors"),
            _ROWS,
            index=1,
            format_func=lambda rows: f"{rows:,}",
            help=_("More take longer and represent the whole library better."),
        )
    return CompareOptions(
        queries=int(queries),
        max_rows=most,
        repeats=_REPEATS,
        settings=_SETTINGS,
        types=tuple(types),
        filters=tuple(filter_case(text) for text in filters),
        nq=_NQ,
        target_recall=float(target),
    )


def _filter_words(text: str) -> str:
    if text in _SHARES:
        return text
    return _("camera {name}").format(name=text.removeprefix(_CAMERA))


def filter_case(text: str) -> FilterCase:
    """Return the filter of a choice: a share of the rows such as ``1%``, or ``camera gate-3``."""
    if text in _SHARES and (share := FilterCase.of_share(text)) is not None:
        return share
    camera = text.removeprefix(_CAMERA)
    return FilterCase(f"camera={camera}", Filter(cameras=(camera,)))


def _pick(kept: list[KeptComparison]) -> list[KeptComparison]:
    """Return the comparison to show, and another beside it where one is chosen."""
    by_id = {one.job_id: one for one in kept}
    # In the keys: a new comparison is shown when it is there, and what it has come to.
    newest = f"{kept[0].job_id}-{kept[0].state}"

    def named(job_id: str) -> str:
        return comparison_name(by_id[job_id])

    left, right = st.columns(2)
    first = left.selectbox(_("Comparison"), list(by_id), format_func=named, key=f"one-{newest}")
    others = [job_id for job_id in by_id if job_id != first]
    second = (
        right.selectbox(
            _("Compare with"),
            others,
            index=None,
            format_func=named,
            placeholder=counted(len(others), "other"),
            key=f"other-{newest}-{first}",
        )
        if others
        else None
    )
    return [by_id[job_id] for job_id in (first, second) if job_id is not None]


def _facts(kept: KeptComparison, *, is_running: bool) -> None:
    context = kept.context
    vectors = _("{rows} vectors of {dim} dimensions")
    if context.library_rows > context.rows:
        vectors = _("{rows} of {all} vectors of {dim} dimensions")
    facts = (
        local_time(kept.measured_ms),
        vectors.format(
            rows=f"{context.rows:,}", all=f"{context.library_rows:,}", dim=f"{context.dim:,}"
        ),
        plain(context.encoder),
        plain(str(context.versions.get("milvus", "Milvus"))),
    )
    st.caption(" · ".join(facts))
    if is_running and kept.is_first:
        st.info(
            _(
                "First pass: advice based on a few queries. The full measurement is under way and "
                "will replace it. If you cancel the comparison, this advice stands."
            ),
            icon=":material/hourglass_top:",
        )
    elif is_running:
        st.caption(_("Still being measured: this is what there is so far."))
    elif not kept.is_whole:
        st.caption(_("This comparison did not finish: only its measurements so far are shown."))
    if context.remarks:
        st.caption(plain(" ".join(map(said, context.remarks))))


def _downloads(shown: list[KeptComparison]) -> None:
    with st.container(horizontal=True):
        for one in shown:
            library = one.context.library
            stem = f"sightline-index-{one.context.library}-{one.context.started_at[:10]}"
            when = local_time(one.measured_ms)[:16]
            report, csv = _("Report"), "CSV"
            if len(shown) > 1:
                report = _("Report of {when}").format(when=when)
                csv = _("CSV of {when}").format(when=when)
            if one.is_whole:
                st.download_button(
                    report,
                    identity.download(library, {"file": "report"}, one.report_path.read_bytes),
                    f"{stem}.html",
                    "text/html",
                    icon=":material/description:",
                    key=f"report-{one.job_id}",
                    on_click="ignore",
                )
            st.download_button(
                csv,
                identity.download(library, {"file": "comparison"}, one.to_csv),
                f"{stem}.csv",
                "text/csv",
                icon=":material/table:",
                key=f"csv-{one.job_id}",
                on_click="ignore",
            )


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
