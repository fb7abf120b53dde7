"""Library: what is in it, adding to it, what failed, taking away from it."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.library_picker import how_to_begin, pick_library
from dashboard.components.routes import Page
from dashboard.components.url_choices import choose_in_address
from dashboard.i18n.formatting import local_time, plain
from dashboard.i18n.gettext import N_, _
from dashboard.library.adding import adding_form
from dashboard.library.browsing import browse
from dashboard.library.corrections import show_unfinished
from dashboard.library.deletion import show_removing, show_trash
from dashboard.library.failures import show_failures
from dashboard.library.job_list import show_jobs
from dashboard.library.libraries import show_libraries
from search_core.access.roles import Access
from search_core.schema.facets import Facets
from search_core.store.library import LibraryInfo

BROWSE, ADD, FAILURES = N_("Browse"), N_("Add footage"), N_("Failures")
TRASH, LIBRARIES = N_("Trash"), N_("Libraries")


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        if identity.current().may("ingest"):
            adding_form(None, Facets())
            show_jobs()
        return
    facets = resources.facets(info.name)
    _overview(info, facets)
    show_unfinished(info.name)
    view = choose_in_address(_("View"), _views_of(identity.current()), key="view")
    if view == ADD:
        adding_form(info.name, facets)
        show_jobs()
    elif view == FAILURES:
        show_failures(info.name)
    elif view == TRASH:
        show_trash(info.name)
    elif view == LIBRARIES:
        show_libraries(info.name)
        show_removing(info.name, facets)
    else:
        browse(info.name, facets)


PAGE = Page("library", N_("Library"), ":material/video_library:", page)


def _views_of(access: Access) -> tuple[str, ...]:
    """Return the views a user may choose; failures are listed without their cameras."""
    adding = (ADD,) if access.may("ingest") else ()
    failures = (FAILURES,) if access.may("ingest") and access.cameras is None else ()
    removing = (TRASH, LIBRARIES) if access.may_remove else ()
    return (BROWSE, *adding, *failures, *removing)


def _overview(info: LibraryInfo, facets: Facets) -> None:
    with st.container(horizontal=True, gap="large", key="overview"):
        st.metric(_("Library"), info.name, width="content")
        st.metric(_("Keyframes and photos"), f"{facets.count:,}", width="content")
        st.metric(_("Sources"), f"{len(facets.source_ids):,}", width="content")
        st.metric(_("Cameras"), f"{len(facets.cameras):,}", width="content")
        st.metric(_("Index"), info.index.index_type, width="content")
        st.metric(_("Encoder"), info.encoder.name, width="content", help=plain(info.encoder.label))
        st.metric(_("Created"), local_time(info.created_at)[:10], width="content")
