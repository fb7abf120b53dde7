"""The watched folders on the page Cameras: their state, what failed, when they were away; one
added, and one changed, paused and removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity, server_files
from dashboard.cameras.changes import add_folder, change_folder, folder_roster, watched_when
from dashboard.cameras.forms import pause_and_remove, removal_buttons
from dashboard.components.errors import shown_in_words
from dashboard.components.regions import name_of_regions, pick_regions
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import _, said
from ingest.cameras.folders.folder import AddedFolder, WatchedFolder
from ingest.cameras.folders.log import FolderFailure, FolderLog, FolderState
from ingest.cameras.status_log import CameraState, Gap
from ingest.media.keyframes.registry import selector_examples
from ingest.media.regions.registry import OFF
from search_core.errors import UsageError
from search_core.store.library import check_library_name
from search_core.system.machine import now_ms

_DAY_MS = 24 * 3_600_000
_SHOWN_FAILURES = 200

EXAMPLE = """[folders.nvr]
path = "/srv/recordings"
library = "main"
"""
_FORM_PX = 640
_CHOSEN = "one-folder"
_ROUND = "folders_added"
#: Where the session keeps the name of the folder that was added last, until it is shown.
_JUST_ADDED = "folder_just_added"


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
                "No folder is watched. New recordings in a watched folder are ingested within a "
                "minute of being complete. Deleting a file does not remove it from the library."
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
        with st.expander(_("{files} could not be ingested").format(files=counted(failed, "file"))):
            st.dataframe(failure_frame(failures), hide_index=True, width="stretch")
    if gaps:
        with st.expander(_("{gaps} in the last 24 hours").format(gaps=counted(len(gaps), "gap"))):
            st.dataframe(gap_frame(gaps, _("Folder")), hide_index=True, width="stretch")


def folder_frame(states: Sequence[FolderState], watched: set[str]) -> pd.DataFrame:
    """Return one row a folder: its state in a word, and counts of its files."""
    return pd.DataFrame(
        {
            _("Folder"): [state.name for state in states],
            _("State"): state_words(states, watched),
            _("Why"): [said(state.reason) for state in states],
            _("Waiting"): [state.waiting for state in states],
            _("Ingested"): [state.taken for state in states],
            _("Failed"): [state.failed for state in states],
            _("Keyframes"): [state.keyframes for state in states],
            _("Last ingested"): [time_or_dash(state.taken_ms) for state in states],
            _("Last scan"): [time_or_dash(state.looked_ms) for state in states],
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


@st.fragment
@shown_in_words()
def folder_adding_form() -> None:
    """Draw the form that adds a folder, for an administrator of all cameras."""
    st.markdown("##### " + _("Add a folder"))
    if not resources.settings().media.server_folders:
        st.markdown(
            _(
                "Folders that a recorder writes to can be added here once `sightline.toml` on the "
                "server names the folders that may be added:"
            )
        )
        st.code('[media]\nserver_folders = ["/srv/recordings"]', language="toml")
        return
    number = int(st.session_state.get(_ROUND, 0))  # another one empties the fields
    with st.form(f"add-folder-{number}", border=False):
        name = st.text_input(
            _("Name"), placeholder=_("for example nvr"), key=f"folder-name-{number}"
        )
        given = _fields(f"new-folder-{number}", None)
        added = st.form_submit_button(_("Add"), icon=":material/add:", type="primary")
    if added:
        folder = add_folder(name, _checked(given))
        st.session_state[_ROUND] = number + 1
        st.session_state[_JUST_ADDED] = folder.name
        text = _("Added {name}. {when}")
        st.toast(text.format(name=plain(folder.name), when=watched_when()))
        st.rerun()


@st.fragment
@shown_in_words()
def folder_card() -> None:
    """Draw one folder, chosen from those on the roster, with what may be done with it."""
    st.markdown("##### " + _("One folder"))
    folders = {folder.name: folder for folder in folder_roster().folders()}
    if (new := st.session_state.pop(_JUST_ADDED, None)) in folders:
        st.session_state[_CHOSEN] = new
    name = st.selectbox(_("Folder"), list(folders), key=_CHOSEN)
    folder = folders.get(name or "")
    if folder is None:
        st.caption(_("No folder is to be watched."))
        return
    st.caption(_about(folder))
    if not identity.current().may_remove:
        st.caption(_("An administrator of all cameras can change it."))
        return
    if folder.added:
        with st.container(horizontal=True):
            paused = _("Paused {name}. New files in it are ingested when you resume it.")
            if pause_and_remove(f"folder-{folder.name}", folder, paused):
                st.dialog(_("Remove the folder?"))(_removal_form)(folder)
        with st.expander(_("Change it"), icon=":material/edit:"):
            _changing_form(folder)


def _about(folder: WatchedFolder) -> str:
    """Return where a folder is, and how what appears in it is taken in."""
    parts = [plain(str(folder.path))]
    if folder.paused:
        parts.append(_("paused"))
    if folder.camera:
        parts.append(_("Camera {camera}").format(camera=plain(folder.camera)))
    if folder.keyframes != "auto":
        parts.append(_("Keyframes {how}").format(how=plain(folder.keyframes)))
    if folder.regions != OFF:
        parts.append(_("Regions: {which}").format(which=plain(name_of_regions(folder.regions))))
    if folder.tags:
        parts.append(_("Tags {tags}").format(tags=plain(", ".join(folder.tags))))
    parts.append(_("Library {library}.").format(library=plain(folder.library)))
    text = " · ".join(parts)
    if not folder.added:
        text += " " + _("From `sightline.toml` on the server; it is changed there.")
    return text


def _fields(key: str, folder: WatchedFolder | None) -> AddedFolder:
    """Draw what is asked of a folder, as ``folder`` has it now; return what was given."""
    choices = server_files.choices(resources.settings())
    if folder is not None and str(folder.path) not in choices:
        choices = [str(folder.path), *choices]
    path = st.selectbox(
        _("Folder on the server"),
        choices,
        index=choices.index(str(folder.path)) if folder else None,
        accept_new_options=True,
        placeholder=_("Choose a folder, or type the path of a subfolder"),
        help=_(
            "Everything in the folder and its subfolders is ingested, then whatever is added to it."
        ),
        key=f"{key}-path",
    )
    left, right = st.columns(2)
    with left:
        names = resources.library_names(folder.library if folder else None)
        library = st.selectbox(_("Library"), names, accept_new_options=True, key=f"{key}-library")
    with right:
        camera = st.text_input(
            _("Camera"),
            value=(folder and folder.camera) or "",
            placeholder=_("from file and folder names"),
            help=_("The camera that recorded everything in it. Leave empty if there are several."),
            key=f"{key}-camera",
        )
    left, right = st.columns(2)
    with left:
        keyframes = st.text_input(
            _("Keyframes"),
            value=folder.keyframes if folder else "auto",
            help=_("Which frames of a video become keyframes: {ways}.").format(
                ways=", ".join(selector_examples())
            ),
            key=f"{key}-keyframes",
        )
    with right:
        regions = pick_regions(f"{key}-regions", folder.regions if folder else OFF)
    tags = st.multiselect(
        _("Tags"),
        folder.tags if folder else (),
        default=folder.tags if folder else None,
        accept_new_options=True,
        placeholder=_("none"),
        key=f"{key}-tags",
    )
    return AddedFolder(
        path=Path((path or "").strip()),
        library=library or resources.settings().library,
        camera=camera.strip() or None,
        keyframes=keyframes.strip() or "auto",
        regions=regions,
        tags=tuple(tags),
    )


def _checked(given: AddedFolder) -> AddedFolder:
    if given.path == Path():
        raise UsageError(_("No folder was given."), _("Choose one, or type its path."))
    check_library_name(given.library or "")
    return given


def _changing_form(folder: WatchedFolder) -> None:
    # Another key when it was changed: the fields then hold what it is now.
    key = f"change-folder-{folder.name}-{hash(folder)}"
    with st.form(key, border=False):
        given = _fields(key, folder)
        st.caption(
            _(
                "Ingested footage stays as it is. With another library, or another choice of "
                "keyframes or regions, the files are ingested again."
            )
        )
        saved = st.form_submit_button(_("Save"), icon=":material/check:", type="primary")
    if saved:
        change_folder(folder.name, _checked(given))
        st.toast(_("Changed {name}.").format(name=plain(folder.name)))
        st.rerun()


@shown_in_words()
def _removal_form(folder: WatchedFolder) -> None:
    identity.require_removing("removing a folder")
    text = _("**{folder}** will no longer be watched.")
    st.markdown(text.format(folder=plain(folder.name)))
    taken = {state.name: state.taken for state in folder_roster().states()}.get(folder.name, 0)
    if taken:
        told = _("Kept in the library: {files} ingested from it.")
        st.markdown(told.format(files=counted(taken, "file")))
    st.caption(_("The files themselves are not changed."))
    removal_buttons(folder)
