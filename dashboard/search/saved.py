"""Saved searches: a button beside the search box that saves what is looked for, and lists them."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import show, shown_in_words
from dashboard.components.library_picker import LIBRARY
from dashboard.components.routes import link_to
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import _
from search_core.errors import SightlineError
from search_core.search.saved_searches import NAME_MAX_LENGTH, PLACES, SavedSearch

_NAME, _FAILED = "saved-name", "saved_failed"


def saved_searches(library: str) -> None:
    """Draw the button: its menu saves what the address asks for, and lists what was saved."""
    with st.popover(_("Saved"), icon=":material/bookmark:"), shown_in_words():
        if (failed := st.session_state.pop(_FAILED, None)) is not None:
            show(failed)
        found = resources.saved_searches().of(identity.current().name)
        may_save = bool(set(st.query_params) - PLACES - {LIBRARY})
        if may_save:
            _form(library)
        for number, saved in enumerate(found):
            _row(number, saved)
        if not found and not may_save:
            st.caption(_("No search is saved yet. Search for something, then save it here."))


def _form(library: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="save-search"):
        st.text_input(
            _("Save this search as"),
            key=_NAME,
            max_chars=NAME_MAX_LENGTH,
            placeholder=_("Name"),
            width=260,
        )
        st.button(_("Save"), type="primary", on_click=_save, args=(library,))


def _row(number: int, saved: SavedSearch) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"saved-{number}"):
        link_to("search", plain(saved.name), saved.address)
        st.button(
            _("Delete"),
            icon=":material/delete:",
            type="tertiary",
            key=f"delete-saved-{number}",
            on_click=_delete,
            args=(saved.name,),
        )


def _save(library: str) -> None:
    name = str(st.session_state.get(_NAME) or "")
    address = {key: st.query_params.get_all(key) for key in st.query_params}
    try:
        resources.saved_searches().save(identity.current().name, name, library, address)
    except SightlineError as error:
        st.session_state[_FAILED] = error
    else:
        st.session_state[_NAME] = ""


def _delete(name: str) -> None:
    try:
        resources.saved_searches().delete(identity.current().name, name)
    except SightlineError as error:
        st.session_state[_FAILED] = error
