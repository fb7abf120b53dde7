"""The watched folders on the page Cameras: their state, what failed, and when they were away."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cameras.changes import folder_roster
from dashboard.cameras.folder_forms import folder_adding_form, folder_card
from dashboard.components.errors import shown_in_words
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, local_time
from dashboard.i18n.gettext import _
from ingest.cameras.folders.log import FolderFailure, FolderLog, FolderState
from ingest.cameras.status_log import CameraState, Gap
from search_core.system.machine import now_ms

_DAY_MS = 24 * 3_600_000
_SHOWN_FAILURES = 200

EXAMPLE = """[folders.nvr]
path = "/srv/recordings"
library = "main"
"""
_FORM_PX = 640


@shown_in_words()
def folder_section() -> None:
    """Draw the watched folders and what may be done with them, for those who see all cameras."""
    may_change = identity.current().may_remove
    if identity.current().cameras is not None or not (may_change or folder_roster().states()):
        return
    st.markdown("#### " + _("Watched folders"))
    if not folder_roster().states():
        st.info(
            _(
                "No folder is watched. Recordings that appear in one are taken in within a minute "
                "of being whole; what is deleted from it stays in the library."
            ),
            icon=":material/folder_eye:",
        )
        with st.container(border=True, width=_FORM_PX):
            folder_adding_form()
        return
    st.fragment(folder_list, run_every=5.0)()
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        folder_card()
    if may_change:
        with right, st.container(border=True):
            folder_adding_form()


@shown_in_words()
def folder_list() -> None:
    """Draw the watched folders: how each is, what failed, and when it was not watched."""
    settings = resources.settings()
    states = folder_roster().states()
    at_ms = now_ms()
    failures: list[FolderFailure] = []
    gaps: list[Gap] = []
    if settings.ledger_path.exists():
        with FolderLog(settings.ledger_path) as log:
            failures = log.failures(limit=_SHOWN_FAILURES)
            gaps = log.gaps(None, at_ms - _DAY_MS)
    watched = {state.name for state in states if state.is_watched(settings)}
    st.dataframe(folder_frame(states, watched), hide_index=True, width="stretch")
    if failures:
        failed = sum(state.failed for state in states)
        with st.expander(_("{files} could not be taken in").format(files=counted(failed, "file"))):
            st.dataframe(failure_frame(failures), hide_index=True, width="stretch")
    if gaps:
        with st.expander(_("{gaps} in the last day").format(gaps=counted(len(gaps), "gap"))):
            st.dataframe(gap_frame(gaps, _("Folder")), hide_index=True, width="stretch")


def folder_frame(states: Sequence[FolderState], watched: set[str]) -> pd.DataFrame:
    """Return one row a folder: its state in a word, and counts of its files."""
    return pd.DataFrame(
        {
            _("Folder"): [state.name for state in states],
            _("State"): state_words(states, watched),
            _("Why"): [said(state.reason) for state in states],
            _("Waiting"): [state.waiting for state in states],
            _("Taken in"): [state.taken for state in states],
            _("Failed"): [state.failed for state in states],
            _("Keyframes"): [state.keyframes for state in states],
            _("Last taken in"): [time_or_dash(state.taken_ms) for state in states],
            _("Looked at"): [time_or_dash(state.looked_ms) for state in states],
            _("Library"): [state.library for state in states],
            _("Path"): [state.path for state in states],
        }
    )


def failure_frame(failures: Sequence[FolderFailure]) -> pd.DataFrame:
    """Return one row a file that could not be taken in, and why."""
    return pd.DataFrame(
        {
            _("Folder"): [one.folder for one in failures],
            _("File"): [one.path for one in failures],
            _("Why"): [said(one.reason) for one in failures],
            _("When"): [local_time(one.at_ms) for one in failures],
        }
    )


def state_words(states: Sequence[CameraState | FolderState], watched: set[str]) -> list[str]:
    """Return each state in a word; what no process watches is not watched, whatever was noted."""
    return [
        said(state.state) if state.name in watched or state.state == "paused" else _("not watched")
        for state in states
    ]


def gap_frame(gaps: Sequence[Gap], heading: str) -> pd.DataFrame:
    """Return one row a gap; ``heading`` is over the names."""
    return pd.DataFrame(
        {
            heading: [gap.name for gap in gaps],
            _("From"): [local_time(gap.began_ms) for gap in gaps],
            _("To"): [local_time(gap.ended_ms) if gap.ended_ms else _("now") for gap in gaps],
            _("Why"): [said(gap.reason) for gap in gaps],
        }
    )


def time_or_dash(epoch_ms: int | None) -> str:
    """Return a local time, a dash where there is none."""
    return local_time(epoch_ms) if epoch_ms else "–"
