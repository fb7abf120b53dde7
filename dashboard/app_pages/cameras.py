"""Cameras: the live ones, what became of each, and how to add one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import streamlit as st
from pydantic import SecretStr

from dashboard import identity, resources
from dashboard.camera_forms import retention_form, stream_form
from dashboard.core_words import said
from dashboard.language import _
from dashboard.problems import shown_in_words
from dashboard.wording import counted, local_time
from ingest.streams.camera import Camera, configured_cameras, is_watched
from ingest.streams.diary import CameraState, Diary, Gap
from search_core.durations import format_duration

_DAY_MS = 24 * 3_600_000
_EXAMPLE = """[cameras.front-gate]
url = "rtsp://user:password@192.0.2.10:554/stream1"
retain = "30d"      # how long its keyframes are kept; without it, for ever
library = "main"
"""


def page() -> None:
    """Draw the page."""
    st.fragment(_cameras, run_every=5.0)()
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        stream_form()
    with right, st.container(border=True):
        retention_form(_all_cameras())
    with st.expander(_("Add, change or remove a camera")):
        st.markdown(
            _(
                "Cameras are named in `sightline.toml`, beside which `sightline serve` is started: "
                "their addresses hold passwords, which stay on the server. **Test the stream** "
                "tries one as soon as it is in there; `sightline serve` watches it from its next "
                "start on."
            )
        )
        st.code(_EXAMPLE, language="toml")
        st.code(
            "sightline watch --camera test rtsp://user:password@192.0.2.10:554/stream1",
            language="bash",
        )


def _all_cameras() -> list[Camera]:
    """Return the cameras that may be seen: those of the settings, and others that were watched.

    How long a camera's keyframes are kept is what it is now.
    """
    settings, access = resources.settings(), identity.current()
    states, changed = [], {}
    if settings.ledger_path.exists():
        with Diary(settings.ledger_path) as diary:
            states, changed = diary.cameras(), diary.retentions()
    unknown = SecretStr("")  # nobody connects from here to what the settings do not name
    found = {s.name: Camera(s.name, unknown, s.library, s.retain) for s in states}
    found |= {camera.name: camera for camera in configured_cameras(settings)}
    return [
        replace(camera, retain=changed.get(name, camera.retain))
        for name, camera in sorted(found.items())
        if access.sees(name)
    ]


def camera_frame(
    states: list[CameraState],
    watched: set[str],
    gaps: list[Gap],
    kept: Mapping[str, timedelta | None],
) -> pd.DataFrame:
    """Return one row a camera: its state in a word, its last frame, and how long it was not seen.

    ``gaps`` are those of the last day, ``kept`` is how long each camera's keyframes are, None for
    ever.
    """
    now_ms = _now_ms()
    lost_ms = {
        state.name: sum(
            (gap.ended_ms or now_ms) - max(gap.began_ms, now_ms - _DAY_MS)
            for gap in gaps
            if gap.camera == state.name
        )
        for state in states
    }
    return pd.DataFrame(
        {
            _("Camera"): [state.name for state in states],
            _("State"): [
                said(state.state) if state.name in watched else _("not watched") for state in states
            ],
            _("Last frame"): [
                local_time(state.last_frame_ms) if state.last_frame_ms else "–" for state in states
            ],
            _("Keyframes"): [state.keyframes for state in states],
            _("Not seen, last day"): [
                _("{count} min").format(count=f"{lost_ms[state.name] / 60_000:,.0f}")
                for state in states
            ],
            _("Kept"): [
                format_duration(lasting) if (lasting := kept.get(state.name)) else _("for ever")
                for state in states
            ],
            _("Library"): [state.library for state in states],
            _("Address"): [state.address for state in states],
            _("Why"): [said(state.reason) for state in states],
        }
    )


@shown_in_words()
def _cameras() -> None:
    settings, access = resources.settings(), identity.current()
    kept = {camera.name: camera.retain for camera in _all_cameras()}
    states: list[CameraState] = []
    gaps: list[Gap] = []
    if settings.ledger_path.exists():
        with Diary(settings.ledger_path) as diary:
            states = [state for state in diary.cameras() if access.sees(state.name)]
            gaps = [gap for gap in diary.gaps(None, _now_ms() - _DAY_MS) if access.sees(gap.camera)]
    known = {state.name for state in states}
    names = [camera.name for camera in configured_cameras(settings) if access.sees(camera.name)]
    unseen = [name for name in names if name not in known]
    if not states and not unseen:
        st.info(_("No camera has been watched yet."))
        return
    watched = {state.name for state in states if is_watched(settings, state.name)}
    live = sum(state.state == "live" and state.name in watched for state in states)
    with st.container(horizontal=True, gap="large", key="overview"):
        st.metric(_("Cameras"), len(states) + len(unseen), width="content")
        st.metric(_("Live"), live, width="content")
    if unseen:
        st.caption(_("Not watched yet: {names}").format(names=", ".join(unseen)))
    if states:
        st.dataframe(camera_frame(states, watched, gaps, kept), hide_index=True, width="stretch")
    if gaps:
        with st.expander(_("{gaps} in the last day").format(gaps=counted(len(gaps), "gap"))):
            st.dataframe(_gap_frame(gaps), hide_index=True, width="stretch")


def _gap_frame(gaps: list[Gap]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            _("Camera"): [gap.camera for gap in gaps],
            _("From"): [local_time(gap.began_ms) for gap in gaps],
            _("To"): [local_time(gap.ended_ms) if gap.ended_ms else _("now") for gap in gaps],
            _("Why"): [said(gap.reason) for gap in gaps],
        }
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
