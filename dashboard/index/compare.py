"""Comparing indexes: what to measure, and the comparisons kept, one or two side by side."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import _
from dashboard.index.apply import show_advice
from dashboard.index.charts import draw_charts
from dashboard.index.comparisons import KeptComparison, kept_comparisons
from dashboard.index.jobs import ask_for_comparison, open_jobs
from search_core.errors import IndexParameterError
from search_core.indexes import INDEX_SPECS
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.plan import CompareOptions, FilterCase
from search_core.lab.report.sections import subject_of
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.store.library import LibraryInfo

_SHARES = ("50%", "10%", "1%", "0.1%")
_USUAL_SHARES = ("10%", "1%")
_CAMERA = "camera "
_REPEATS, _SETTINGS, _NQ = 4, 6, (1, 10, 100)
_ROWS = (5_000, 20_000, 50_000, 100_000)


def show_comparisons(info: LibraryInfo, facets: Facets) -> None:
    """Draw the form that asks for a comparison, and what was measured before."""
    _form(info, facets)
    unfinished = {job.id for job in open_jobs(info.name)}
    found = kept_comparisons(resources.settings().comparisons_dir, info.name)
    kept = [one for one in found if one.job_id not in unfinished]
    if not kept:
        st.caption(_("Nothing has been measured for this library yet."))
        return
    shown = _pick(kept)
    names = [comparison_name(one) for one in shown]
    for side, one in zip(st.columns(len(shown), gap="large"), shown, strict=True):
        with side:
            _facts(one)
            show_advice(info, facets.count, one)
    subjects = [subject_of(one.comparison, one.advice, one.context.target_recall) for one in shown]
    draw_charts(subjects, names, key="-".join(one.job_id for one in shown))
    _downloads(shown)


def comparison_name(kept: KeptComparison) -> str:
    """Return what a comparison is called: when it was measured, over how much, of what."""
    part = "" if kept.is_whole else " · " + _("not finished")
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
        help=_("Also measured where a filter leaves so much of the library, or one camera."),
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
            help=_("More tell recall more exactly."),
        )
    with right:
        most = st.selectbox(
            _("Vectors at most"),
            _ROWS,
            index=1,
            format_func=lambda rows: f"{rows:,}",
            help=_("More take longer, and are nearer to what the whole library is like."),
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


def offered_types(server: ServerInfo, dim: int) -> list[str]:
    """Return the index types for a library's vectors that this Milvus has."""
    found = []
    for name, spec in INDEX_SPECS.items():
        if spec.vector_kind != "float" or spec.refusal(server, surely=True):
            continue
        try:
            spec().require_dim(dim)
        except IndexParameterError:
            continue
        found.append(name)
    return found


def _pick(kept: list[KeptComparison]) -> list[KeptComparison]:
    """Return the comparison to show, and another beside it where one is chosen."""
    by_id = {one.job_id: one for one in kept}
    newest = kept[0].job_id  # in the keys: a new comparison is shown when it is there

    def named(job_id: str) -> str:
        return comparison_name(by_id[job_id])

    left, right = st.columns(2)
    first = left.selectbox(_("Comparison"), list(by_id), format_func=named, key=f"one-{newest}")
    others = [job_id for job_id in by_id if job_id != first]
    second = (
        right.selectbox(
            _("Beside it"),
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


def _facts(kept: KeptComparison) -> None:
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
    if not kept.is_whole:
        st.caption(
            _("This comparison did not come to its end: only what it had measured is shown.")
        )
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
