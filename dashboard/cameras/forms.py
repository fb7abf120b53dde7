"""Live cameras: one added, its address tried before it is kept; one tested, paused, given another
address or retention, and removed. A test looks at a stream for some seconds, and shows what it
sends, or says why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import streamlit as st
from pydantic import SecretStr

from dashboard import resources
from dashboard.auth import identity
from dashboard.cameras.changes import (
    add_camera,
    change_address,
    change_regions,
    keep_for,
    lasting,
    pause,
    remove,
    roster,
    watched_when,
)
from dashboard.components.errors import shown_in_words
from dashboard.components.regions import name_of_regions, pick_regions
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import _, said
from ingest.cameras.camera import Camera
from ingest.cameras.decode_process import Glimpse, look_at
from ingest.cameras.folders.folder import WatchedFolder
from ingest.media.regions.registry import OFF
from ingest.rows.retention import Rule
from search_core.errors import LibraryNotFound, MediaError, StoreError, UsageError
from search_core.schema.camera import with_login
from search_core.schema.clocks import format_duration, parse_duration
from search_core.schema.filters import Filter
from search_core.store.library import check_library_name

_CHOSEN = "one-camera"
_ROUND = "addresses_changed"
_PLACE = "new camera"
_ADDED = "cameras_added"
#: Where the session keeps the name of the camera that was added last, until it is shown.
_JUST_ADDED = "camera_just_added"
_SEEN = "stream_seen"
_CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4", "av1": "AV1"}


@st.fragment
@shown_in_words()
def camera_card() -> None:
    """Draw one camera, chosen from those that may be seen, with what may be done with it."""
    st.markdown("##### " + _("One camera"))
    cameras = _seen_cameras()
    if (new := st.session_state.pop(_JUST_ADDED, None)) in cameras:
        st.session_state[_CHOSEN] = new
    name = st.selectbox(_("Camera"), list(cameras), key=_CHOSEN)
    camera = cameras.get(name or "")
    if camera is None:
        st.caption(_("There is no camera that you may see."))
        return
    st.caption(_where_from(camera))
    may_change = identity.current().may_remove
    with st.container(horizontal=True):
        if camera.url.get_secret_value() and st.button(
            _("Test the stream"), icon=":material/play_circle:", key=f"test-{camera.name}"
        ):
            try_stream(camera, camera.name)
        if may_change and camera.added:
            paused = _("Paused {name}. No keyframes are kept until you resume it.")
            if pause_and_remove(camera.name, camera, paused):
                st.dialog(_("Remove the camera?"))(_removal_form)(camera)
    show_seen(camera.name)
    if not may_change:
        st.caption(_("An administrator of all cameras can change it."))
        return
    _retention_form(camera)
    if camera.added:
        _regions_form(camera)
        with st.expander(_("Another address"), icon=":material/edit:"):
            _address_form(camera)


def _seen_cameras() -> Mapping[str, Camera]:
    """Return the cameras that may be seen by name: of the roster, and others that were watched.

    How long keyframes are kept is what it is now.
    """
    access, known = identity.current(), roster()
    cameras = {camera.name: camera for camera in known.cameras()}
    unknown = SecretStr("")  # cameras outside the roster are never connected to from here
    found = {
        state.name: replace(
            cameras.get(state.name, Camera(state.name, unknown, state.library)),
            retain=state.retain,
        )
        for state in known.states()
    }
    return {name: camera for name, camera in found.items() if access.sees(name)}


def _where_from(camera: Camera) -> str:
    into = _("Library {library}.").format(library=plain(camera.library))
    if not camera.url.get_secret_value():
        return _("Started by hand on the server.") + " " + into
    if not camera.added:
        return _("From `sightline.toml` on the server; its address is changed there.") + " " + into
    if camera.regions != OFF:
        which = plain(name_of_regions(camera.regions))
        into = _("Regions: {which}").format(which=which) + " · " + into
    return plain(camera.address) + (" · " + _("paused") if camera.paused else "") + " · " + into


def pause_and_remove(key: str, item: Camera | WatchedFolder, paused: str) -> bool:
    """Draw the buttons of an added camera or folder; return whether it is to be removed.

    ``paused`` is said when it was paused, with its ``{name}``.
    """
    label, icon = (_("Pause"), ":material/pause:")
    if item.paused:
        label, icon = (_("Resume"), ":material/play_arrow:")
    if st.button(label, icon=icon, key=f"pause-{key}"):
        pause(item, paused=not item.paused)
        told = _("Resumed {name}. {when}") if item.paused else paused
        st.toast(told.format(name=plain(item.name), when=watched_when()))
        st.rerun()
    return st.button(_("Remove …"), icon=":material/delete:", key=f"remove-{key}")


def removal_buttons(item: Camera | WatchedFolder) -> None:
    """Draw the buttons of the question whether a camera or folder is to be removed."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(_("Cancel")):
            st.rerun()
        if st.button(_("Remove"), key="danger-remove"):
            remove(item)
            forget_seen()
            st.toast(_("Removed {name}.").format(name=plain(item.name)))
            st.rerun()


def _retention_form(camera: Camera) -> None:
    """Draw what changes how long a camera's keyframes are kept."""
    given = st.text_input(
        _("Kept for"),
        value=format_duration(camera.retain) if camera.retain else "",
        placeholder=_("indefinitely"),
        help=_(
            "For example 12h, 30d or 2w; empty keeps them indefinitely. "
            "Older keyframes are deleted every hour while cameras are watched."
        ),
        key=f"retain-{camera.name}",
    )
    if st.button(_("Change …"), icon=":material/schedule:", key=f"keep-{camera.name}"):
        retain = parse_duration(given) if given.strip() else None
        st.dialog(_("Change how long keyframes are kept?"))(_retention_question)(camera, retain)


def _regions_form(camera: Camera) -> None:
    """Draw what changes which regions of an added camera's keyframes are embedded."""
    key = f"regions-{camera.name}"
    chosen = pick_regions(f"{key}-{camera.regions}", camera.regions)
    if chosen != camera.regions:
        change_regions(camera, chosen)
        st.toast(_("Changed {name}.").format(name=plain(camera.name)))
        st.rerun()


@shown_in_words()
def _retention_question(camera: Camera, retain: timedelta | None) -> None:
    identity.require_removing("changing how long keyframes are kept")
    text = _("Keyframes of **{camera}** are kept **{time}** from now on.")
    st.markdown(text.format(camera=plain(camera.name), time=plain(_(lasting(retain)))))
    if retain and (due := _count(camera, Rule(camera.library, retain, camera.name))):
        gone = _("Older, and deleted permanently: {keyframes}.")
        st.warning(gone.format(keyframes=counted(due, "keyframe")))
    if st.button(_("Change"), type="primary"):
        keep_for(camera, retain)
        st.toast(_("Kept {time}.").format(time=_(lasting(retain))))
        st.rerun()


def _address_form(camera: Camera) -> None:
    """Draw the form that gives a camera another address, or another user and password at it."""
    number = int(st.session_state.get(_ROUND, 0))  # another one empties the fields
    key = f"change-{camera.name}-{number}"
    with st.form(key, border=False):
        address, user, password = address_fields(key, hint=_("current address"))
        with st.container(horizontal=True):
            tested = st.form_submit_button(_("Test it"), icon=":material/play_circle:")
            saved = st.form_submit_button(_("Save"), icon=":material/check:", type="primary")
    if tested or saved:
        if not (address or user or password):
            raise UsageError(
                _("Nothing was entered, so nothing changed."),
                _("Enter another address, or a user name and password for the current one."),
            )
        new = SecretStr(with_login(address or camera.url.get_secret_value(), user, password))
    if tested:
        try_stream(replace(camera, url=new), key)
    if saved:
        change_address(camera, new.get_secret_value())
        forget_seen()
        st.session_state[_ROUND] = number + 1
        st.toast(_("Changed {name}.").format(name=plain(camera.name)))
        st.rerun()
    show_seen(key)


@shown_in_words()
def _removal_form(camera: Camera) -> None:
    identity.require_removing("removing a camera")
    text = _("**{camera}** will no longer be watched, and its address is deleted.")
    st.markdown(text.format(camera=plain(camera.name)))
    with suppress(StoreError):  # while Milvus is away a camera can be removed all the same
        if kept := _count(camera, None):
            told = _("Kept in the library: {keyframes}, until you delete them in **Library**.")
            if camera.retain:
                told = _("Kept in the library: {keyframes}, each until it is {time} old.")
            keyframes, time = counted(kept, "keyframe"), lasting(camera.retain)
            st.markdown(told.format(keyframes=keyframes, time=time))
    removal_buttons(camera)


def _count(camera: Camera, rule: Rule | None) -> int:
    """Return how many keyframes a camera has, or a rule would let go now."""
    where = rule.outdated(datetime.now(UTC)) if rule else Filter(cameras=(camera.name,))
    try:
        return resources.store().count(camera.library, where)
    except LibraryNotFound:
        return 0


@st.fragment
@shown_in_words()
def adding_form() -> None:
    """Draw the form, for an administrator of all cameras."""
    st.markdown("##### " + _("Add a camera"))
    number = int(st.session_state.get(_ADDED, 0))  # another one empties the fields
    with st.form(f"add-camera-{number}", border=False):
        name = st.text_input(
            _("Name"), placeholder=_("for example front-gate"), key=f"name-{number}"
        )
        address, user, password = address_fields(f"new-{number}")
        left, right = st.columns(2)
        with left:
            library = st.selectbox(
                _("Library"),
                resources.library_names(),
                accept_new_options=True,
                key=f"camera-library-{number}",
            )
        with right:
            kept = st.text_input(
                _("Kept for"),
                placeholder=_("indefinitely"),
                help=_("How long keyframes are kept, for example 12h, 30d or 2w."),
                key=f"kept-{number}",
            )
        regions = pick_regions(f"camera-regions-{number}")
        with st.container(horizontal=True):
            tested = st.form_submit_button(_("Test"), icon=":material/play_circle:")
            added = st.form_submit_button(_("Add"), icon=":material/add:", type="primary")
    into = check_library_name(library or resources.settings().library)
    if tested:
        url = SecretStr(with_login(address, user, password))
        try_stream(Camera(name.strip() or _PLACE, url, into), _PLACE)
    if added:
        retain = parse_duration(kept) if kept.strip() else None
        url = SecretStr(with_login(address, user, password))
        camera = roster().make(
            name, url.get_secret_value(), library=into, retain=retain, regions=regions
        )
        add_camera(camera)
        forget_seen()
        st.session_state[_ADDED] = number + 1
        st.session_state[_JUST_ADDED] = camera.name
        st.toast(_("Added {name}. {when}").format(name=plain(camera.name), when=watched_when()))
        st.rerun()
    show_seen(_PLACE)


def address_fields(key: str, *, hint: str = "") -> tuple[str, str, str]:
    """Draw the fields of an address; return address, user name and password, "" if not given.

    What is typed into them is sent here, and never back. ``hint`` stands where nothing is typed.
    """
    address = st.text_input(
        _("Address"),
        placeholder=hint or "rtsp://192.0.2.10:554/stream1",
        type="password",
        autocomplete="off",
        help=_(
            "Begins with rtsp:// or rtsps://; see the camera's manual or web page. The address is "
            "stored on the server, readable by its owner only, and never shown."
        ),
        key=f"{key}-address",
    )
    left, right = st.columns(2)
    with left:
        user = st.text_input(
            _("User name"),
            autocomplete="off",
            help=_("The camera's user name, unless the address contains it."),
            key=f"{key}-user",
        )
    with right:
        password = st.text_input(
            _("Password"), type="password", autocomplete="new-password", key=f"{key}-password"
        )
    return address, user.strip(), password


def try_stream(camera: Camera, place: str) -> None:
    """Look at a camera, and remember what was seen for as long as ``place`` is shown."""
    identity.record("view", "", {"camera": camera.name, "stream tested": camera.address})
    with st.spinner(_("Connecting to {address} …").format(address=camera.address)):
        try:
            seen: Glimpse | str = look_at(camera, resources.settings().media.max_pixels)
        except MediaError as error:
            seen = _("{address} {what}.").format(address=camera.address, what=said(error.message))
    st.session_state[_SEEN] = (place, camera.name, seen)


def show_seen(place: str) -> None:
    """Draw what the last test showed, if it was made at this place."""
    tested, name, seen = st.session_state.get(_SEEN, ("", "", ""))
    if tested != place:
        return
    if isinstance(seen, str):
        st.error(plain(seen), icon=":material/videocam_off:")
        return
    st.success(
        _("The camera answers: {width} × {height}, {codec}, {fps} frames per second.").format(
            width=seen.width,
            height=seen.height,
            codec=_CODECS.get(seen.codec, seen.codec),
            fps=f"{seen.fps:.0f}",
        ),
        icon=":material/videocam:",
    )
    alt = _("Picture from the camera {name}").format(name=name)
    st.image(seen.still, width="stretch", alt=alt)


def forget_seen() -> None:
    """Forget what the last test showed."""
    st.session_state.pop(_SEEN, None)
