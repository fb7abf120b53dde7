"""Parts of the page that Streamlit lacks, each a script in this folder: keys, pasting, regions,
zoom, playing under the pointer, a scrubber, the ticks of cards, and the watch over the session."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
</div><div class="stored"></div></div>
"""
_PICKER_CSS = """
/* As wide as there is room, and no higher than can be seen: a portrait is narrower. */
.frame {
  position: relative; width: min(100%, 46rem, 60vh * var(--ratio)); overflow: hidden;
  cursor: crosshair; touch-action: none; user-select: none; margin: 0 auto;
  border-radius: var(--st-base-radius);
}
img { display: block; width: 100%; aspect-ratio: var(--ratio); }
.box {
  position: absolute; box-sizing: border-box; cursor: move; border: 2px solid #fff;
  outline: 1px solid #0b0f14; box-shadow: 0 0 0 9999px rgba(11, 15, 20, 0.55);
}
.box:focus-visible { border-color: #4fb3d3; }
i {
  position: absolute; width: 14px; height: 14px; background: #fff; border: 1px solid #0b0f14;
  border-radius: 50%;
}
/* The pointer draws on the picture below them; keys choose them as buttons. */
.stored button {
  position: absolute; padding: 0; background: none; pointer-events: none;
  border: 2px dashed #ffd166; outline: 1px solid #0b0f14; outline-offset: -3px;
}
.stored button[aria-pressed=true] { border-style: solid; }
.stored button:focus-visible { border: 3px solid #4fb3d3; }
i[data-corner=nw] { left: -8px; top: -8px; cursor: nwse-resize; }
i[data-corner=se] { right: -8px; bottom: -8px; cursor: nwse-resize; }
i[data-corner=ne] { right: -8px; top: -8px; cursor: nesw-resize; }
i[data-corner=sw] { left: -8px; bottom: -8px; cursor: nesw-resize; }
"""
_LOOK_HTML = """
<div class="bar" role="toolbar">
<span class="video" hidden>
<button data-do="back"><svg viewBox="0 0 24 24"><path d="M7 6v12M18 6l-8 6 8 6z"/></svg></button>
<button data-do="play"><svg viewBox="0 0 24 24"><path class="paused" d="M8 5l11 7-11 7z"/>
<path class="playing" d="M8 5v14M16 5v14"/></svg></button>
<button data-do="on"><svg viewBox="0 0 24 24"><path d="M17 6v12M6 6l8 6-8 6z"/></svg></button>
<output></output>
<select></select>
</span>
<span>
<button data-do="out"><svg viewBox="0 0 24 24"><path d="M6 12h12"/></svg></button>
<button data-do="reset"></button>
<button data-do="in"><svg viewBox="0 0 24 24"><path d="M6 12h12M12 6v12"/></svg></button>
</span>
</div>
"""
_LOOK_CSS = """
.bar, .bar span { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem; }
.bar { gap: 0.25rem 1rem; justify-content: space-between; }
.bar [hidden] { display: none; }
button, select, output {
  font: 0.82rem var(--st-font); color: var(--st-text-color); min-height: 2rem;
  font-variant-numeric: tabular-nums;
}
button, select {
  padding: 0 0.4rem; cursor: pointer; border-radius: var(--st-button-radius);
  background: var(--st-background-color);
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
}
button { display: grid; place-items: center; min-width: 2rem; }
button[data-do="reset"] { min-width: 3.6rem; }
button:hover:not(:disabled), select:hover { border-color: #2a8fb0; }
button:focus-visible, select:focus-visible { outline: 2px solid #2a8fb0; outline-offset: 1px; }
button:disabled { opacity: 0.4; cursor: default; }
output { display: grid; align-items: center; min-width: 5rem; padding: 0 0.4rem; }
svg {
  width: 1.1rem; fill: currentColor; stroke: currentColor; stroke-width: 2;
  stroke-linejoin: round;
}
@media (max-width: 640px) {
  .bar, .bar span { flex-wrap: nowrap; gap: 0.2rem; }
  button { min-width: 1.75rem; padding: 0 0.2rem; }
  button[data-do="reset"] { min-width: 3rem; }
  output { display: none; } /* no room, and the player shows the time */
}
[data-now="playing"] .paused, :not([data-now="playing"]) > svg > .playing { display: none; }
"""
_SCRUBBER_HTML = """
<div class="scrubber" role="slider" tabindex="0"><div class="bars"></div>
<div class="words"><span></span><output></output><span></span></div></div>
"""
_SCRUBBER_CSS = """
.scrubber {
  font: 0.75rem var(--st-font); color: var(--st-text-color); cursor: pointer; user-select: none;
  touch-action: pan-y; border-radius: var(--st-base-radius);
}
.scrubber:focus-visible { outline: 2px solid #2a8fb0; outline-offset: 3px; }
.bars {
  position: relative; height: 2rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 30%, transparent);
}
.bars i { position: absolute; bottom: 0; box-sizing: border-box; padding: 0 0.5px; }
.bars i::before {
  content: ""; display: block; height: 100%; border-radius: 1px 1px 0 0;
  background: color-mix(in srgb, currentColor 45%, transparent);
}
.bars i.over::before { background: currentColor; }
.bars i.chosen::before { background: #2a8fb0; }
.words { display: flex; justify-content: space-between; gap: 0.5rem; line-height: 1.5; }
.words span { opacity: 0.8; }
.words output { font-weight: 600; text-align: center; }
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
_closer_look = st.components.v2.component(
    "sightline_closer_look", html=_LOOK_HTML, css=_LOOK_CSS, js=_script("closer_look.js")
)
_hover_play = st.components.v2.component(
    "sightline_hover_play", html="<span hidden></span>", js=_script("hover_play.js")
)
_scrubber = st.components.v2.component(
    "sightline_scrubber", html=_SCRUBBER_HTML, css=_SCRUBBER_CSS, js=_script("scrubber.js")
)
_ticks = st.components.v2.component(
    "sightline_ticks", html="<span hidden></span>", js=_script("ticks.js")
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a scrubber: its place from the left, its height (0 to 1), and what it is called."""

    slot: int
    height: float
    words: str


def scrubber(
    bars: Sequence[Bar],
    chosen: int | None,
    *,
    slots: int,
    label: str,
    ends: Sequence[str],
    key: str,
    on_choose: Callable[[int | None], None],
) -> None:
    """Draw a slim histogram to go to one of its bars by; ``chosen`` is the one that was gone to.

    Bars lie in ``slots`` of equal width; ``ends`` says what the first and the last of them are.

    ``on_choose`` hears which it is, None for none, before the page is drawn again.
    """

    def heard() -> None:
        sent = str((st.session_state.get(key) or {}).get("chosen") or "none")
        place = int(sent) if sent.isdecimal() else None
        on_choose(place if place is None or place < len(bars) else None)

    data = {
        "bars": [asdict(bar) for bar in bars],
        "slots": slots,
        "chosen": chosen,
        "begins": ends[0],
        "ends": ends[1],
        "label": label,
        "nothing": _("the newest pictures"),
    }
    _scrubber(key=key, data=data, on_chosen_change=heard)


def play_on_hover(moments: Mapping[str, tuple[str, float]]) -> None:
    """Let cards play while the pointer rests on them, by the keys of their containers.

    Each has its video's address, and where to begin in it (s).
    """
    _hover_play(key="hover-play", data={"moments": moments})


def closer_look(of: str, frame_s: float | None) -> None:
    """Draw what zooms into the picture of an opened moment, and steps through its video.

    ``of`` is the moment's id: another begins as it is. ``frame_s`` is how long a frame of the video
    is shown, at the least; None where none plays.
    """
    words = {
        "back": _("Previous frame (,)"),
        "on": _("Next frame (.)"),
        "play": _("Play or pause"),
        "speed": _("Speed (< and >)"),
        "out": _("Zoom out (-)"),
        "in": _("Zoom in (+, or the wheel over the picture)"),
        "reset": _("Zoom: the whole picture (0)"),
    }
    _closer_look(key="closer-look", data={"of": of, "frame_s": frame_s, "words": words})


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


@dataclass(frozen=True, slots=True)
class Tick:
    """The check box of a card: the card's number and identity, its label, whether it is checked."""

    number: int
    card: str
    label: str
    checked: bool


def ticks(
    shown: str, boxes: Mapping[str, Tick], on_change: Callable[[int, int, bool], None]
) -> None:
    """Draw a check box into each card, by the key of its container.

    ``shown`` identifies what the grid shows. ``on_change`` gets the numbers of the first and the
    last card that were ticked, several with Shift, and whether they are checked now.
    """
    key, latest = "ticks", "ticks_heard"

    def heard() -> None:
        for change in (st.session_state.get(key) or {}).get("changes") or ():
            if int(change["n"]) > st.session_state.get(latest, 0):
                st.session_state[latest] = int(change["n"])
                if change["shown"] == shown:  # else of cards that were replaced meanwhile
                    on_change(int(change["first"]), int(change["last"]), bool(change["ticked"]))

    data = {
        "shown": shown,
        "heard": st.session_state.get(latest, 0),
        "ticks": {name: asdict(box) for name, box in boxes.items()},
    }
    _ticks(key=key, data=data, on_changes_change=heard)


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


def region_picker(
    image: Image.Image, region: Box | None, key: str, stored: Mapping[str, Box] | None = None
) -> None:
    """Let a rectangle be drawn on a picture; ``region`` is where it begins, else the middle.

    ``stored`` are regions by their labels that are drawn on it, to be chosen by a click or by keys:
    the rectangle is the same then.

    Callbacks ask :func:`picked_region` for it, which is newer than the page that was drawn last.
    """
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=85)
    beginning = region or _MIDDLE
    sides = [beginning.left, beginning.top, beginning.right, beginning.bottom]
    data: dict[str, Any] = {
        "picture": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}",
        "ratio": image.width / image.height,
        "region": sides,
        "stored": [
            {"label": label, "sides": [box.left, box.top, box.right, box.bottom]}
            for label, box in (stored or {}).items()
        ],
        "alt": _("The picture to choose a region of"),
        "label": _("The region. Arrows move it, Shift with arrows resizes it."),
    }
    _region_picker(key=key, data=data, default={"region": sides}, on_region_change=lambda: None)


def picked_region(key: str) -> Box | None:
    """Return the rectangle of a picker, None where it is all of the picture."""
    sides = (st.session_state.get(key) or {}).get("region")
    return _MIDDLE if sides is None else box_of([float(side) for side in sides])
