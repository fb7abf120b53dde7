"""The page Cameras: status of live cameras and watched folders; administrators change them."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cameras.folders import folder_section, gap_frame, state_words, time_or_dash
from dashboard.cameras.forms import adding_form, camera_card
from dashboard.components.errors import shown_in_words
from dashboard.components.newest import newest_entities
from dashboard.components.routes import Page
from dashboard.components.stills import show_thumbnail
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import N_, _, said
from ingest.cameras.camera import is_watched
from ingest.cameras.roster import Roster
from ingest.cameras.status_log import CameraState, Diary, Gap, State
from search_core.access.roles import Access
from search_core.errors import SightlineError, StoreError
from search_core.schema.clocks import format_duration
from search_core.schema.filters import Filter
from search_core.system.machine import now_ms

_DAY_MS = 24 * 3_600_000
_FORM_PX = 640
_COLOURS: dict[State, Literal["green", "red", "orange", "gray"]] = {
    "live": "green",
    "lost": "red",
    "connecting": "orange",
    "stopped": "gray",
    "paused": "gray",
    "removed": "gray",
}


def page() -> None:
    """Draw the page."""
    st.fragment(_cameras, run_every=5.0)()
    may_change = identity.current().may_remove
    if not _states():
        if may_change:
            with st.container(border=True, width=_FORM_PX):
                adding_form()
    else:
        left, right = st.columns(2, gap="large")
        with left, st.container(border=True):
            camera_card()
        if may_change:
            with right, st.container(border=True):
                adding_form()
    folder_section()


def lost_cameras(access: Access) -> int:
    """Return how many cameras that a user may see are watched and send nothing."""
    return sum(map(access.sees, Roster(resources.settings()).lost()))


def _badge(access: Access) -> str:
    try:
        lost = lost_cameras(access)
    except SightlineError:  # the page itself says it
        return ""
    return _("{count} lost").format(count=f"{lost:,}") if lost else ""


PAGE = Page("cameras", N_("Cameras"), ":material/videocam:", page, right="ingest", badge=_badge)


def _states() -> list[CameraState]:
    """Return the status of each camera that may be seen."""
    access = identity.current()
    return [state for state in Roster(resources.settings()).states() if access.sees(state.name)]


def camera_frame(states: list[CameraState], watched: set[str], gaps: list[Gap]) -> pd.DataFrame:
    """Return one row a camera: its state in a word, its last frame, and how long it was not seen.

    ``gaps`` are those of the last day.
    """
    at_ms = now_ms()
    lost_ms = {
        state.name: sum(
            (gap.ended_ms or at_ms) - max(gap.began_ms, at_ms - _DAY_MS)
            for gap in gaps
            if gap.name == state.name
        )
        for state in states
    }
    return pd.DataFrame(
        {
            _("Camera"): [state.name for state in states],
            _("State"): state_words(states, watched),
            _("Last frame"): [time_or_dash(state.last_frame_ms) for state in states],
            _("Keyframes"): [state.keyframes for state in states],
            _("Lost, last 24 hours"): [
                _("{count} min").format(count=f"{lost_ms[state.name] / 60_000:,.0f}")
                for state in states
            ],
            _("Kept"): [
                format_duration(state.retain) if state.retain else _("indefinitely")
                for state in states
            ],
            _("Library"): [state.library for state in states],
            _("Address"): [state.address for state in states],
            _("Why"): [said(state.reason) for state in states],
        }
    )


def _wall(states: list[CameraState], watched: set[str]) -> None:
    """Draw each camera's last picture with its state in its colour, and why it is lost."""
    with st.container(key="wall"):
        for state, word in zip(states, state_words(states, watched), strict=True):
            with st.container(border=True, key=f"tile-{state.name}"):
                about = _("The last picture of {camera}").format(camera=state.name)
                picture = last_picture(state.library, state.name, state.keyframes)
                if picture:
                    show_thumbnail(picture, alt=about)
                else:
                    st.caption(_("No picture yet"))
                st.markdown(f"**{plain(state.name)}**")
                is_seen = state.name in watched or state.state == "paused"
                st.badge(word, color=_COLOURS[state.state] if is_seen else "gray")
                st.caption(_("Last frame {time}").format(time=time_or_dash(state.last_frame_ms)))
                if state.reason and state.state == "lost":
                    st.caption(plain(said(state.reason)))


@st.cache_data(ttl=600, max_entries=256, show_spinner=False)
def last_picture(library: str, camera: str, keyframes: int) -> str:
    """Return the thumbnail of a camera's newest keyframe, "" without one.

    It is read anew when the camera has another number of ``keyframes``.
    """
    where = Filter(cameras=(camera,))
    store = resources.store()
    try:
        facets = store.facets(library, where)
        newest = newest_entities(store, library, where, facets, 1)
    except StoreError:  # it has given nothing yet, or its library is gone
        return ""
    return newest[0].thumbnail if newest else ""


@shown_in_words()
def _cameras() -> None:
    settings, access = resources.settings(), identity.current()
    states = _states()
    if not states:
        text = _("No camera is set up. An administrator of all cameras can add one.")
        if access.may_remove:
            text = _(
                "No camera is set up. Add one by its address: motion becomes a keyframe that can "
                "be searched within seconds. No video is recorded."
            )
        st.info(text, icon=":material/videocam:")
        return
    gaps: list[Gap] = []
    if settings.ledger_path.exists():
        with Diary(settings.ledger_path) as diary:
            gaps = [gap for gap in diary.gaps(None, now_ms() - _DAY_MS) if access.sees(gap.name)]
    watched = {state.name for state in states if is_watched(settings, state.name)}
    live = sum(state.state == "live" and state.name in watched for state in states)
    with st.container(horizontal=True, gap="large", key="overview"):
        st.metric(_("Cameras"), len(states), width="content")
        st.metric(_("Live"), live, width="content")
    _wall(states, watched)
    with st.expander(_("As a table")):
        st.dataframe(camera_frame(states, watched, gaps), hide_index=True, width="stretch")
    if gaps:
        with st.expander(_("{gaps} in the last 24 hours").format(gaps=counted(len(gaps), "gap"))):
            st.dataframe(gap_frame(gaps, _("Camera")), hide_index=True, width="stretch")
