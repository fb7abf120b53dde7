"""Testing a stream: it is looked at for some seconds, and what it sends is shown, or why not."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import _
from ingest.cameras.camera import Camera
from ingest.cameras.decode_process import Glimpse, look_at
from search_core.errors import MediaError

_SEEN = "stream_seen"
_CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4", "av1": "AV1"}


def try_stream(camera: Camera, place: str) -> None:
    """Look at a camera, and remember what was seen for as long as ``place`` is shown."""
    identity.record("view", "", {"camera": camera.name, "stream tested": camera.address})
    with st.spinner(_("Looking at {address} …").format(address=camera.address)):
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


def forget_seen() -> None:
    """Forget what the last test showed."""
    st.session_state.pop(_SEEN, None)
