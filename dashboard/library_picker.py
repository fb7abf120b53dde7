"""Choosing the library that all pages look at."""

from __future__ import annotations

import streamlit as st

from dashboard import identity, resources
from dashboard.language import _
from dashboard.wording import plain
from search_core.library import LibraryInfo

_KEY = "library"


def pick_library() -> LibraryInfo | None:
    """Return the only library, or the one chosen in the sidebar.

    None when there is no library at all.
    """
    found = {info.name: info for info in resources.libraries()}
    if not found:
        return None
    names = list(found)
    preferred = resources.settings().library
    default = names.index(preferred) if preferred in found else 0
    if st.session_state.get(_KEY) not in (None, *names):
        del st.session_state[_KEY]  # it was dropped
    if len(names) == 1:
        return found[names[0]]
    with st.sidebar:
        chosen = st.selectbox(_("Library"), names, index=default, key=_KEY, bind="query-params")
    return found.get(chosen or preferred, found[names[default]])


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
