"""Small parts of the page that Streamlit has none of: keys, pasting, dropping, a region to draw,
ranges of ticks."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from dashboard.components.image_input import Box, box_of
from dashboard.i18n.gettext import _

_KEYS_HTML = '<div class="veil" hidden></div>'
_KEYS_CSS = """
.veil {
  position: fixed; inset: 0; z-index: 1000000; display: grid; place-items: center;
  color: #fff; background: rgba(11, 15, 20, 0.72); font: 600 1.4rem var(--st-font);
  border: 3px dashed #4fb3d3; pointer-events: none;
}
.veil[hidden] { display: none; }
"""
_PICKER_HTML = """
<div class="frame"><img draggable="false"><div class="box" role="group" tabindex="0">
<i data-corner="nw"></i><i data-corner="ne"></i><i data-corner="sw"></i><i data-corner="se"></i>
</div></div>
"""
_PICKER_CSS = """
.frame {
  position: relative; width: fit-content; max-width: 100%; overflow: hidden; cursor: crosshair;
  touch-action: none; user-select: none; border-radius: var(--st-base-radius); margin: 0 auto;
}
img { display: block; max-width: 100%; width: 46rem; max-height: 60vh; }
.box {
  position: absolute; box-sizing: border-box; cursor: move; border: 2px solid #fff;
  outline: 1px solid #0b0f14; box-shadow: 0 0 0 9999px rgba(11, 15, 20, 0.55);
}
.box:focus-visible { border-color: #4fb3d3; }
i {
  position: absolute; width: 14px; height: 14px; background: #fff; border: 1px solid #0b0f14;
  border-radius: 50%;
}
i[data-corner=nw] { left: -8px; top: -8px; cursor: nwse-resize; }
i[data-corner=se] { right: -8px; bottom: -8px; cursor: nwse-resize; }
i[data-corner=ne] { right: -8px; top: -8px; cursor: nesw-resize; }
i[data-corner=sw] { left: -8px; bottom: -8px; cursor: nesw-resize; }
"""
_MIDDLE = Box(0.25, 0.25, 0.75, 0.75)


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_page_keys = st.components.v2.component(
    "sightline_page_keys", html=_KEYS_HTML, css=_KEYS_CSS, js=_script("page_keys.js")
)
_region_picker = st.components.v2.component(
    "sightline_region_picker", html=_PICKER_HTML, css=_PICKER_CSS, js=_script("region_picker.js")
)

_page_top = st.components.v2.component(
    "sightline_page_top", html="<span hidden></span>", js=_script("page_top.js")
)
_address = st.components.v2.component(
    "sightline_address", html="<span hidden></span>", js=_script("address.js")
)
_session_watch = st.components.v2.component(
    "sightline_session_watch",
    html="<span hidden></span>",
    js=_script("session_watch.js"),
)
_streamlit_words = st.components.v2.component(
    "sightline_streamlit_words",
    html="<span hidden></span>",
    js=_script("streamlit_words.js"),
)
_strip_view = st.components.v2.component(
    "sightline_strip_view", html="<span hidden></span>", js=_script("strip_view.js")
)
_tick_ranges = st.components.v2.component(
    "sightline_tick_ranges", html="<span hidden></span>", js=_script("tick_ranges.js")
)


def begin_strip_at(here: str) -> None:
    """Scroll the strip of keyframes to the one that is shown; ``here`` is its id."""
    _strip_view(key="strip-view", data={"here": here})


def translate_streamlit() -> None:
    """Say in the page's language what Streamlit says in English only."""
    words = {
        "Upload": _("Upload"),
        "{} per file": _("{} per file"),
        "Time": _("Time"),
        "No results": _("No results"),
        "No options to select": _("Nothing to choose from"),
        "Press Enter to apply": _("Press Enter to apply"),
        "Press Enter to submit form": _("Press Enter to submit"),
        "Add: {}": _("Add: {}"),
    }
    _streamlit_words(key="streamlit-words", data={"words": words})


def watch_session() -> None:
    """Lead to the login when the session ends, and cover the page while the server is away."""
    words = _("Sightline does not answer. This page comes back by itself as soon as it does.")
    _session_watch(key="session-watch", data={"no_answer": words})


def name_opened(parameter: str, value: str, title: str) -> None:
    """Name what a dialog shows now in its title and in the address, in place of what it showed.

    Back does not return to that. The address has the parameter already.
    """
    _address(key="address", data={"parameter": parameter, "value": value, "title": title})


def begin_page_at_top(shown: str, page: int) -> None:
    """Show the top of a grid whose page was turned below it.

    ``shown`` tells what the grid shows: other results are no page that was turned.
    """
    _page_top(key="page-top", data={"shown": shown, "page": page})


def tick_ranges(shown: str, on_range: Callable[[int, int, bool], None]) -> None:
    """Hear of cards that are ticked with Shift; ``shown`` tells what the grid shows.

    ``on_range`` is told the numbers of the first and the last of them, and whether to tick them.
    """
    key = "tick-ranges"

    def heard() -> None:
        sent = (st.session_state.get(key) or {}).get("range") or {}
        on_range(int(sent["first"]), int(sent["last"]), bool(sent["ticked"]))

    _tick_ranges(key=key, data={"shown": shown}, on_range_change=heard)


def page_keys(on_picture: Callable[[bytes | None], None]) -> None:
    """Let arrows move among the results, and take pictures that are pasted or dropped.

    ``on_picture`` hears of one before the page is drawn again: its bytes, at most 1,024 pixels a
    side, or None where the browser cannot read what it was given.
    """
    key = "page-keys"

    def heard() -> None:
        sent = str((st.session_state.get(key) or {}).get("picture") or "")
        encoded = sent.partition(";base64,")[2]
        try:
            on_picture(base64.b64decode(encoded, validate=True) or None)
        except ValueError:
            on_picture(None)

    _page_keys(
        key=key,
        data={"drop_here": _("Drop a picture to search by it")},
        on_picture_change=heard,
    )


def region_picker(image: Image.Image, region: Box | None, key: str) -> None:
    """Let a rectangle be drawn on a picture; ``region`` is where it begins, else the middle.

    Callbacks ask :func:`picked_region` for it, which is newer than the page that was drawn last.
    """
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=85)
    beginning = region or _MIDDLE
    sides = [beginning.left, beginning.top, beginning.right, beginning.bottom]
    data: dict[str, Any] = {
        "picture": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}",
        "region": sides,
        "alt": _("The picture to choose a region of"),
        "label": _("The region. Arrows move it, Shift with arrows resizes it."),
    }
    _region_picker(key=key, data=data, default={"region": sides}, on_region_change=lambda: None)


def picked_region(key: str) -> Box | None:
    """Return the rectangle of a picker, None where it is all of the picture."""
    sides = (st.session_state.get(key) or {}).get("region")
    return _MIDDLE if sides is None else box_of([float(side) for side in sides])
