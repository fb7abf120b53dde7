"""Choosing the library that all pages look at."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import routes as pages
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import _
from search_core.store.library import LibraryInfo

#: The library's name in the address.
LIBRARY = "library"
_NEXT = "library_to_choose"


def pick_library() -> LibraryInfo | None:
    """Return the only library, or the one chosen in the sidebar.

    None when there is no library at all.
    """
    found = {info.name: info for info in resources.libraries()}
    if not found:
        return None
    preferred = resources.settings().library
    names = sorted(found, key=lambda name: name != preferred)
    wanted = st.session_state.pop(_NEXT, None)
    if len(names) == 1:
        st.session_state.pop(LIBRARY, None)
        return found[names[0]]
    if wanted in found:
        st.session_state[LIBRARY] = wanted
    elif st.session_state.get(LIBRARY) not in (None, *names):
        # It was dropped. Were it only forgotten here, the browser would go on showing its name.
        st.session_state[LIBRARY] = names[0]
    with st.sidebar:
        chosen = st.selectbox(_("Library"), names, key=LIBRARY, bind="query-params")
    return found.get(chosen or preferred, found[names[0]])


def choose_library(name: str) -> None:
    """Have all pages look at a library from the next time that one is drawn."""
    st.session_state[_NEXT] = name


def link_to_adding(library: str) -> None:
    """Draw a button that leads to where footage is added to a library, for those who may."""
    if identity.current().may("ingest") and st.button(_("Add footage"), icon=":material/upload:"):
        choose_library(library)
        pages.switch_to("library", view="Add footage")


def how_to_begin() -> None:
    """Say how footage comes in, where there is none yet."""
    settings = resources.settings()
    st.markdown("##### " + _("Nothing has been ingested yet"))
    if not identity.current().may("ingest"):
        st.markdown(_("An operator can add photographs and videos."))
        return
    st.markdown(
        _(
            "Open **Library** to upload photographs, videos or zip archives, "
            "or ingest a folder from a terminal:"
        )
    )
    made = _("or: made footage to try it all")
    st.code(
        "sightline ingest /path/to/footage --camera front-gate\n"
        f"sightline demo                     # {made}",
        language="bash",
    )
    st.caption(_("Data directory: {folder}").format(folder=plain(str(settings.data_dir))))
