"""Undo: what was deleted just now, and a button that puts it back."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import show
from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import _
from dashboard.query.request import forget_answer
from ingest.rows.deletion import deletions, put_back
from search_core.errors import SightlineError
from search_core.system.machine import now_ms

_UNDO = "undo_deletion"
#: After so long nobody looks for it here; the trash has it for longer.
_OFFERED_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class _Undo:
    library: str
    number: int
    count: int
    at_ms: int


def offer_undo(library: str, count: int) -> None:
    """Have the pages offer to put back what was deleted last from a library."""
    newest = next(iter(deletions(resources.settings(), library)), None)
    if newest is not None:
        st.session_state[_UNDO] = _Undo(library, newest.number, count, now_ms())


def show_undo() -> None:
    """Draw what was deleted just now with its button, until it is undone, closed or old."""
    undo: _Undo | None = st.session_state.get(_UNDO)
    if undo is None:
        return
    if now_ms() - undo.at_ms > _OFFERED_MS:
        _close()
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="undo"):
        text = _("Deleted {pictures}.").format(pictures=counted(undo.count, "picture"))
        st.markdown(f":material/delete: {text}", width="content")
        st.button(_("Undo"), icon=":material/undo:", key="undo-now", on_click=_put_back)
        st.button("", icon=":material/close:", key="undo-close", help=_("Close"), on_click=_close)


def _put_back() -> None:
    undo: _Undo = st.session_state.pop(_UNDO)
    identity.require_removing("putting back")
    identity.record("restore", undo.library, {"undo": undo.number, "count": undo.count})
    try:
        back = put_back(resources.settings(), resources.store(), undo.number)
    except SightlineError as error:
        show(error)
        return
    resources.forget_what_was_read()
    forget_answer()
    st.toast(_("Restored {pictures}.").format(pictures=counted(back, "picture")))


def _close() -> None:
    st.session_state.pop(_UNDO, None)
