"""What an address asks for that is not there: it is named, and nothing is searched by accident.

Streamlit leaves out of a bound widget what it does not offer, so that a link to one camera would
search all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, time

import streamlit as st

from dashboard import resources
from dashboard.components.library_picker import LIBRARY
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import N_, _
from dashboard.search.filters import EARLIEST, KINDS, LATEST, MOST_HITS
from search_core.schema.facets import Facets

#: By name in the address, what is not there as it was asked for, until the reader chooses.
_NOT_THERE = "link_not_there"
_CALLED = {
    LIBRARY: N_("library"),
    "camera": N_("camera"),
    "tag": N_("tag"),
    "after": N_("From"),
    "before": N_("Until"),
    "hour_from": N_("Daily from"),
    "hour_until": N_("until"),
    "type": N_("Kind"),
    "k": N_("Hits"),
    "min_score": N_("Minimum score"),
}


def note_what_is_not_there(facets: Facets, libraries: Sequence[str]) -> None:
    """Look at an address before widgets take it up; what they would leave out is kept.

    ``libraries`` is what it asked for before the library's own widget was drawn.
    """
    asked = {name: st.query_params.get_all(name) for name in _CALLED} | {LIBRARY: libraries}
    allowed: dict[str, Callable[[str], bool]] = {
        LIBRARY: _one_of([info.name for info in resources.libraries()]),
        "camera": _one_of([camera.camera for camera in facets.cameras]),
        "tag": _one_of(facets.tags),
        "after": _is_moment,
        "before": _is_moment,
        "hour_from": _is_hour,
        "hour_until": _is_hour,
        "type": _one_of(KINDS),
        "k": _one_of([str(count) for count in MOST_HITS]),
        "min_score": _is_score,
    }
    found = {
        name: wrong
        for name, is_there in allowed.items()
        if (wrong := [value for value in asked[name] if not is_there(value)])
    }
    if found:
        st.session_state.setdefault(_NOT_THERE, {}).update(found)


def is_stopped() -> bool:
    """Say what of the address is not there; return whether the reader has still to choose."""
    found: dict[str, list[str]] = st.session_state.get(_NOT_THERE, {})
    if not found:
        return False
    listed = [
        _(_CALLED[name]) + f" “{plain(value)}”"
        for name, values in found.items()
        for value in values
    ]
    text = _(
        "This link asks for what is not there, or is not for you to see: {what}. Nothing was "
        "searched."
    )
    st.warning(text.format(what=_(", ").join(listed)), icon=":material/link_off:")
    st.button(_("Ignore it and search"), icon=":material/search:", on_click=_go_on)
    return True


def _go_on() -> None:
    for name, wrong in st.session_state.pop(_NOT_THERE, {}).items():
        left = [value for value in st.query_params.get_all(name) if value not in wrong]
        if left:
            st.query_params[name] = left
        else:
            st.query_params.pop(name, None)


def _one_of(names: Collection[str]) -> Callable[[str], bool]:
    return lambda value: value in names


def _is_moment(value: str) -> bool:
    try:
        return EARLIEST <= datetime.fromisoformat(value).replace(tzinfo=None) <= LATEST
    except ValueError:
        return False


def _is_hour(value: str) -> bool:
    try:
        time.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_score(value: str) -> bool:
    try:
        return 0.0 <= float(value) <= 1.0
    except ValueError:
        return False
