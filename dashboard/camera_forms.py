"""What can be done with live cameras: test a stream, change how long its keyframes are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st
from pydantic import SecretStr

from dashboard import identity, resources
from dashboard.core_words import said
from dashboard.language import N_, _
from dashboard.problems import shown_in_words
from dashboard.wording import counted, plain
from ingest.streams.camera import Camera, configured_cameras
from ingest.streams.diary import Diary
from ingest.streams.glimpse import Glimpse, look_at
from ingest.streams.retention import Rule
from search_core.cameras import check_address, public_address
from search_core.durations import format_duration, parse_duration
from search_core.errors import LibraryNotFound, MediaError
from search_core.settings import load_settings

_ANOTHER = N_("Another address …")
_LOOK_S = 3.0
_SEEN = "stream_seen"
_CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4", "av1": "AV1"}


@st.fragment
@shown_in_words()
def stream_form() -> None:
    """Draw the form that opens a camera's stream for some seconds and shows what it sends."""
    access = identity.current()
    # Read anew: a camera that was just written into sightline.toml can be tested at once.
    cameras = {c.name: c for c in configured_cameras(load_settings()) if access.sees(c.name)}
    # Whoever may delete may do anything here: an address may lead to any host of the network.
    another = (_ANOTHER,) if access.may_remove else ()
    st.markdown("##### " + _("Test a stream"))
    if not cameras and not another:
        st.caption(_("No camera that you may see is in sightline.toml."))
        return
    name = st.selectbox(
        _("Camera"),
        [*cameras, *another],
        format_func=lambda name: _(name) if name == _ANOTHER else name,
        key="test-camera",
    )
    address = ""
    if name == _ANOTHER:
        address = st.text_input(
            _("Address"),
            placeholder="rtsp://user:password@host:554/path",
            type="password",
            autocomplete="off",
            help=_("It is used once, and kept nowhere."),
            key="test-address",
        )
    pressed = st.button(
        _("Test the stream"),
        icon=":material/play_circle:",
        disabled=name == _ANOTHER and not address,
    )
    if pressed and name == _ANOTHER:
        secret = SecretStr(check_address(address))
        _test(Camera("new camera", secret, resources.settings().library))
    elif pressed and name in cameras:
        _test(cameras[name])
    _show_seen(name)


def _test(camera: Camera) -> None:
    """Look at a camera, and remember what was seen for as long as the page shows it."""
    where = public_address(camera.url.get_secret_value())
    identity.record("view", "", {"camera": camera.name, "stream tested": where})
    with st.spinner(_("Looking at {address} …").format(address=where)):
        try:
            seen: Glimpse | str = look_at(camera, resources.settings().media.max_pixels)
        except MediaError as error:
            seen = _("{address} {what}.").format(address=where, what=said(error.message))
    name = st.session_state["test-camera"]
    st.session_state[_SEEN] = (name, seen)


def _show_seen(name: str | None) -> None:
    """Draw what the last test of this camera showed."""
    tested, seen = st.session_state.get(_SEEN, (None, ""))
    if tested != name:
        return
    if isinstance(seen, str):
        st.error(plain(seen), icon=":material/videocam_off:")
        return
    st.success(
        _("It answers: {width} × {height}, {codec}, {fps} frames a second.").format(
            width=seen.width,
            height=seen.height,
            codec=_CODECS.get(seen.codec, seen.codec),
            fps=f"{seen.fps:.0f}",
        ),
        icon=":material/videocam:",
    )
    alt = _("What the camera {name} sends").format(name=name)
    st.image(seen.still, width="stretch", alt=alt)


def retention_form(cameras: list[Camera]) -> None:
    """Draw the form that changes how long a camera's keyframes are kept."""
    st.markdown("##### " + _("How long keyframes are kept"))
    if not identity.current().may_remove:
        st.caption(_("An administrator of all cameras can change it."))
        return
    if not cameras:
        st.caption(_("There is no camera yet."))
        return
    by_name = {camera.name: camera for camera in cameras}
    name = st.selectbox(_("Camera"), list(by_name), key="retain-camera")
    camera = by_name[name or cameras[0].name]
    given = st.text_input(
        _("Kept for"),
        value=format_duration(camera.retain) if camera.retain else "",
        placeholder=_("for ever"),
        help=_(
            "Such as 12h, 30d or 2w; nothing for ever. What is older goes, with its pictures: "
            "every hour while cameras are watched, else at `sightline prune`."
        ),
        key=f"retain-{camera.name}",
    )
    if st.button(_("Change …"), icon=":material/schedule:"):
        _confirm(camera, parse_duration(given) if given.strip() else None)


def _confirm(camera: Camera, retain: timedelta | None) -> None:
    st.dialog(_("Change how long keyframes are kept?"))(_confirm_form)(camera, retain)


@shown_in_words()
def _confirm_form(camera: Camera, retain: timedelta | None) -> None:
    access = identity.current()
    access.require("delete", "changing how long keyframes are kept")
    access.require_all_cameras("changing how long keyframes are kept")
    lasting = format_duration(retain) if retain else N_("for ever")
    text = _("Keyframes of **{camera}** are kept **{time}** from now on.")
    st.markdown(text.format(camera=plain(camera.name), time=plain(_(lasting))))
    if retain and (due := _older(camera, retain)):
        gone = _("{keyframes} are older and will be gone for good.")
        st.warning(gone.format(keyframes=counted(due, "keyframe")))
    if st.button(_("Change"), type="primary"):
        detail = {"camera": camera.name, "kept": lasting}
        identity.record("delete", camera.library, detail)
        with Diary(resources.settings().ledger_path) as diary:
            diary.set_retention(camera.name, retain)
        st.toast(_("Kept {time}.").format(time=_(lasting)))
        st.rerun()


def _older(camera: Camera, retain: timedelta) -> int:
    where = Rule(camera.library, retain, camera.name).outdated(datetime.now(UTC))
    try:
        return resources.store().count(camera.library, where)
    except LibraryNotFound:
        return 0
