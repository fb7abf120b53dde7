"""Index: which index answers now and what it finds, how others would do on the same vectors, which
to start with for a library there is not yet, and changing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.components.library_picker import how_to_begin, link_to_adding, pick_library
from dashboard.components.routes import Page
from dashboard.components.url_choices import choose_in_address
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import N_, _, said
from dashboard.index.apply import pick_index
from dashboard.index.compare import show_comparisons
from dashboard.index.jobs import show_index_jobs
from search_core.indexes.advice import (
    DIM_LIMIT,
    LITE_ROWS,
    ROWS_LIMIT,
    Advice,
    advise,
    usable_bytes,
)
from search_core.lab.report.frames import params_text
from search_core.lab.report.tables import share
from search_core.lab.serving_recall import LiveRecall, live_recall
from search_core.store.library import EVERY_ROW, LibraryInfo
from search_core.system.machine import now_ms

COMPARE, CHANGE, ADVISE = N_("Compare"), N_("Change by hand"), N_("Advise")
_QUERIES, _K = 50, 10
_GIB = 2**30
_ANY = N_("any Milvus server")
_MOST_GIB = 24_576.0


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    facets = resources.facets(info.name)
    rows = resources.store().count(info.name, EVERY_ROW, fresh=False)
    _current(info, rows)
    if not rows:
        st.info(_("This library is empty."))
        link_to_adding(info.name)
    show_live_recall(info, rows)
    show_index_jobs(info.name)
    part = choose_in_address(_("Part"), (COMPARE, CHANGE, ADVISE), key="part")
    if part == CHANGE:
        with st.container(border=True, width=560):
            pick_index(info, rows)
    elif part == ADVISE:
        show_advising(info, rows)
    else:
        show_comparisons(info, facets, rows)


PAGE = Page("index", N_("Index"), ":material/speed:", page, right="index")


def _current(info: LibraryInfo, rows: int) -> None:
    search = info.index.search_params(info.search, 1)
    check = _latest_check(info)
    with st.container(horizontal=True, key="current-index", gap="large"):
        st.metric(_("Index"), info.index.index_type, width="content")
        st.metric(_("Built with"), params_text(info.index.build_params()), width="content")
        st.metric(_("Searched with"), params_text(search), width="content")
        st.metric(_("Vectors"), f"{rows:,}", width="content")
        st.metric(_("Dimensions"), f"{info.encoder.dim}", width="content")
        st.metric(_("Metric"), info.metric, width="content")
        if check is not None:
            label = _("Live recall@{k}").format(k=check.measured.k)
            st.metric(label, share(check.measured.ann_recall_at_k), width="content")


@dataclass(frozen=True, slots=True)
class _Check:
    """What was measured, and when: epoch milliseconds."""

    measured: LiveRecall
    at_ms: int


@st.cache_resource(show_spinner=False)
def _latest() -> dict[str, _Check]:
    """Return the latest check of each library, which all sessions share."""
    return {}


def show_live_recall(info: LibraryInfo, rows: int) -> None:
    """Draw the last check of the index that serves, and the button that checks it now."""
    if rows < 2:
        return
    check = _latest_check(info)
    with st.container(horizontal=True, vertical_alignment="center", key="live-recall"):
        pressed = st.button(_("Check recall now"), icon=":material/speed:")
        if check is not None:
            st.caption(check_text(check.measured, check.at_ms), width="stretch")
        else:
            st.caption(
                _(
                    "How much of the exact answer do searches find? Repeats recent searches, or "
                    "looks for stored pictures, and reads all vectors once."
                ),
                width="stretch",
            )
    if pressed:
        _latest()[info.name] = _check(info.name)
        st.rerun()


def _latest_check(info: LibraryInfo) -> _Check | None:
    """Return what was last measured of the index that serves now; None where nothing was."""
    check = _latest().get(info.name)
    of = check and (check.measured.library.index, check.measured.library.search)
    return check if of == (info.index, info.search) else None


def check_text(measured: LiveRecall, at_ms: int) -> str:
    """Return what a check found, how, and when."""
    recorded = measured.query_source == "recorded"
    text = _(
        "Searches find {recall} of the exact {k} neighbours (95 % interval {low} to {high}): "
        "{queries} over {vectors}, checked {when}."
    )
    if measured.filtered:
        text = _(
            "Searches find {recall} of the exact {k} neighbours (95 % interval {low} to {high}): "
            "{queries}, {filtered} with a filter, over {vectors}, checked {when}."
        )
    return text.format(
        recall=share(measured.ann_recall_at_k),
        k=measured.k,
        low=share(measured.recall_low),
        high=share(measured.recall_high),
        queries=counted(measured.queries, "recorded search" if recorded else "stored picture"),
        filtered=f"{measured.filtered:,}",
        vectors=counted(measured.rows, "vector"),
        when=local_time(at_ms),
    )


def _check(library: str) -> _Check:
    bar = st.progress(0.0, text=_("Repeating recent searches"))

    def show(done: float) -> None:
        bar.progress(done, text=_("Comparing with exact search"))

    try:
        measured = live_recall(
            resources.store(),
            library,
            resources.query_log(),
            queries=_QUERIES,
            k=_K,
            on_progress=show,
        )
    finally:
        bar.empty()
    return _Check(measured, now_ms())


def show_advising(info: LibraryInfo, rows: int) -> None:
    """Draw the form, and what it comes to for what is in it."""
    server = resources.store().server()
    with st.form("advise"):
        first, second, third = st.columns(3)
        wanted = first.number_input(_("Vectors"), 1, ROWS_LIMIT, max(rows, 1_000_000), step=100_000)
        memory = second.number_input(
            _("Memory of the machine, GiB"), 0.5, _MOST_GIB, 16.0, step=1.0,
            help=_("The machine's total memory; Milvus uses nine tenths of it."),
        )  # fmt: skip
        target = third.number_input(
            _("Target recall"), 0.50, 1.00, 0.95, step=0.01, key="advise-for"
        )
        fourth, fifth, last = st.columns(3, vertical_alignment="bottom")
        dim = fourth.number_input(_("Dimensions"), 1, DIM_LIMIT, info.encoder.dim)
        where = fifth.selectbox("Milvus", [str(server), _ANY], format_func=_)
        last.form_submit_button(_("Advise"), type="primary", width="stretch")
    memory_bytes = round(memory * _GIB)
    found = advise(
        int(wanted), int(dim), memory_bytes, float(target), None if where == _ANY else server
    )
    draw = st.success if found[0].verdict == "recommended" else st.warning
    draw(plain(advice_sentence(found, int(wanted), memory_bytes, float(target))))
    right = st.column_config.TextColumn(alignment="right")
    st.dataframe(
        advice_frame(found),
        hide_index=True,
        width="stretch",
        key="advised",
        column_config={_("Memory"): right, _("Disk"): right},
    )
    if server.embedded and where != _ANY and wanted > LITE_ROWS:
        slowly = _(
            "Beyond about {count} vectors Milvus Lite is slow with any index; a Milvus server is "
            "not (SIGHTLINE_MILVUS_URI)."
        )
        st.caption(slowly.format(count=f"{LITE_ROWS:,}"))
    st.caption(
        _(
            "Memory and disk are computed by formulas that were checked against measurements; "
            "recall was measured on synthetic vectors distributed like CLIP's. A comparison "
            "measures your own."
        )
    )


def advice_sentence(
    found: Sequence[Advice], rows: int, memory_bytes: int, target_recall: float
) -> str:
    """Return what to start with and why; where nothing does, what comes nearest."""
    best = found[0]
    usable = gib(usable_bytes(memory_bytes))
    if best.verdict == "recommended":
        start = start_text(best)
        text = _(
            "Start with {index}: {why}. For {vectors} it needs {memory} of {usable} usable memory."
        )
        if best.recall is not None:
            text = _(
                "Start with {index}: {why}. For {vectors} it needs {memory} of {usable} usable "
                "memory and finds about {recall}."
            )
        return text.format(
            index=f"{best.spec.index_type} ({start})" if start else best.spec.index_type,
            why=said(best.why),
            vectors=counted(rows, "vector"),
            memory=gib(best.size.memory_bytes),
            usable=usable,
            recall="" if best.recall is None else f"{best.recall:.0%}",
        )
    text = _("No index fits {usable} of usable memory and finds {target}.")
    told = text.format(usable=usable, target=f"{target_recall:.0%}")
    large = [one for one in found if one.verdict == "too large"]
    if not large:
        return told
    least = min(large, key=lambda one: one.size.memory_bytes)
    needs = _("{index} needs the least memory, {memory}.").format(
        index=least.spec.index_type, memory=gib(least.size.memory_bytes)
    )
    return f"{told} {needs}"


def advice_frame(found: Sequence[Advice]) -> pd.DataFrame:
    """Return a row for each index type: what it needs, finds, and starts with."""
    return pd.DataFrame(
        {
            _("Index"): [one.spec.index_type for one in found],
            _("Verdict"): [said(one.verdict) for one in found],
            _("Memory"): [gib(one.size.memory_bytes) for one in found],
            _("Disk"): [gib(one.size.disk_bytes) for one in found],
            _("Recall"): [None if one.recall is None else round(one.recall, 3) for one in found],
            _("Start with"): [start_text(one) or "–" for one in found],
            _("Reason"): [said(one.because) for one in found],
        }
    )


def start_text(advice: Advice) -> str:
    """Return the parameters to start with, without the switches that are off."""
    given = {**advice.spec.build_params(), **advice.search.given()}
    on = {name: value for name, value in given.items() if value != "false"}
    return params_text(on) if on else ""


def gib(size_bytes: float) -> str:
    """Return bytes as memory is sold: ``512 MiB``, ``13.3 GiB``."""
    if size_bytes < _GIB:
        return f"{size_bytes / 2**20:,.0f} MiB"
    return f"{size_bytes / _GIB:,.1f} GiB"
