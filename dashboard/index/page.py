"""Index: which index answers now, how others would do on the same vectors, and changing it."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.components.library_picker import how_to_begin, link_to_adding, pick_library
from dashboard.components.routes import Page
from dashboard.components.url_choices import choose_in_address
from dashboard.i18n.gettext import N_, _
from dashboard.index.advisor import show_advising
from dashboard.index.build_form import pick_index
from dashboard.index.compare import show_comparisons
from dashboard.index.jobs import show_index_jobs
from dashboard.index.recall_check import latest_recall, show_live_recall
from search_core.lab.report.frames import params_text
from search_core.lab.report.tables import share
from search_core.store.library import LibraryInfo

COMPARE, CHANGE, ADVISE = N_("Compare"), N_("Change by hand"), N_("Advise")


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    facets = resources.facets(info.name)
    _current(info, facets.count)
    if not facets.count:
        st.info(_("Nothing is in this library yet."))
        link_to_adding(info.name)
    show_live_recall(info, facets.count)
    show_index_jobs(info.name)
    part = choose_in_address(_("Part"), (COMPARE, CHANGE, ADVISE), key="part")
    if part == CHANGE:
        with st.container(border=True, width=560):
            pick_index(info, facets.count)
    elif part == ADVISE:
        show_advising(info, facets.count)
    else:
        show_comparisons(info, facets)


PAGE = Page("index", N_("Index"), ":material/speed:", page, right="index")


def _current(info: LibraryInfo, rows: int) -> None:
    search = info.index.search_params(info.search, 1)
    recall = latest_recall(info)
    with st.container(horizontal=True, key="current-index", gap="large"):
        st.metric(_("Index"), info.index.index_type, width="content")
        st.metric(_("Built with"), params_text(info.index.build_params()), width="content")
        st.metric(_("Searched with"), params_text(search), width="content")
        st.metric(_("Vectors"), f"{rows:,}", width="content")
        st.metric(_("Dimensions"), f"{info.encoder.dim}", width="content")
        st.metric(_("Metric"), info.metric, width="content")
        if recall is not None:
            found = share(recall.ann_recall_at_k)
            label = _("Live recall@{k}").format(k=recall.k)
            st.metric(label, found, width="content")
