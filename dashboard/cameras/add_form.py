"""The form that adds a live camera: its address is tried before it is kept."""

from __future__ import annotations

import streamlit as st
from pydantic import SecretStr

from dashboard import resources
from dashboard.cameras.changes import add_camera, roster, watched_when
from dashboard.cameras.stream_test import forget_seen, show_seen, try_stream
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import _
from ingest.cameras.camera import Camera
from search_core.schema.camera import with_login
from search_core.schema.clocks import parse_duration
from search_core.store.library import check_library_name

_PLACE = "new camera"
_ROUND = "cameras_added"
#: Where the session keeps the name of the camera that was added last, until it is shown.
JUST_ADDED = "camera_just_added"


@st.fragment
@shown_in_words()
def adding_form() -> None:
    """Draw the form, for an administrator of all cameras."""
    st.markdown("##### " + _("Add a camera"))
    number = int(st.session_state.get(_ROUND, 0))  # another one empties the fields
    with st.form(f"add-camera-{number}", border=False):
        name = st.text_input(_("Name"), placeholder=_("such as front-gate"), key=f"name-{number}")
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
                placeholder=_("for ever"),
                help=_("How long its keyframes are kept, such as 12h, 30d or 2w."),
                key=f"kept-{number}",
            )
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
        camera = roster().make(name, url.get_secret_value(), library=into, retain=retain)
        add_camera(camera)
        forget_seen()
        st.session_state[_ROUND] = number + 1
        st.session_state[JUST_ADDED] = camera.name
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
            "It begins with rtsp:// or rtsps://; the camera's manual or its own page says it. It "
            "is kept on the server, where only its owner can read it, and never shown."
        ),
        key=f"{key}-address",
    )
    left, right = st.columns(2)
    with left:
        user = st.text_input(
            _("User name"),
            autocomplete="off",
            help=_("As the camera knows it, unless it is in the address."),
            key=f"{key}-user",
        )
    with right:
        password = st.text_input(
            _("Password"), type="password", autocomplete="new-password", key=f"{key}-password"
        )
    return address, user.strip(), password
