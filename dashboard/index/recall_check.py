"""The recall of the serving index, measured on request."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import resources
from dashboard.i18n.formatting import counted, local_time
from dashboard.i18n.gettext import _
from search_core.lab.report.tables import share
from search_core.lab.serving_recall import LiveRecall, live_recall
from search_core.store.library import LibraryInfo
from search_core.system.machine import now_ms

_QUERIES, _K = 50, 10


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
    check = _latest().get(info.name)
    if check is not None and not _is_of(check.measured, info):
        check = None  # another index serves by now
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


def latest_recall(info: LibraryInfo) -> LiveRecall | None:
    """Return what was last measured of the index that serves now; None where nothing was."""
    check = _latest().get(info.name)
    return check.measured if check is not None and _is_of(check.measured, info) else None


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
    bar = st.progress(0.0, text=_("Searching as people did lately"))

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


def _is_of(measured: LiveRecall, info: LibraryInfo) -> bool:
    return (measured.library.index, measured.library.search) == (info.index, info.search)
