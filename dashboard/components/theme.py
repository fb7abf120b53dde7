"""The little that themes cannot say: the grid of results, denser pages, the cameras' colours."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import streamlit as st

from search_core.schema.entity import Box, MediaEntity
from search_core.schema.facets import CameraFacet

#: The twelve most distinct colours with a contrast of at least 3:1 on the light and the dark page;
#: distance is measured in CIELAB, for normal sight and each kind of colour blindness.
COLOURS = (
    "#004bff", "#e1784b", "#2da587", "#e12d5a", "#5a87f0", "#5a6900", "#c30087", "#c38700",
    "#1e6987", "#a587c3", "#a51eb4", "#ff0ff0",
)  # fmt: skip
#: The colour of pictures without a camera of the library.
NO_COLOUR = "#7f7f7f"

#: Names in it are keys of containers, which Streamlit writes as classes ``st-key-…``.
_CSS = """
.stMainBlockContainer { padding: 4.2rem 2rem 2rem; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding: 4.2rem 1rem 2rem; }
  .st-key-search-bar > .stElementContainer:has(.stTextInput) { flex: 1 0 100%; }
  /* On a phone the buttons above the results are their icons, and times go on in the next line. */
  .st-key-results-head { column-gap: 0.4rem; }
  .st-key-results-head .stPopover button p, .st-key-search-bar .stPopover button p {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
}
section[data-testid="stSidebar"] .stVerticalBlock { gap: 0.6rem; }
/* The menu stands at the same place on every page, with a sidebar before it or without. */
@media (min-width: 768px) {
  .stApp:not(:has([data-testid="stSidebar"][data-collapsed="false"]))
    [data-testid="stToolbar"] > div > div:first-child { min-width: 300px; }
  [data-testid="stToolbar"] > div { padding-right: 7rem; } /* for the other language */
}
.st-key-overview, .st-key-current-index { row-gap: 0.6rem; }
/* On a phone the pictures come soon: the view Libraries says the rest, and the views are a row. */
@media (max-width: 640px) {
  .st-key-overview { column-gap: 1.2rem; }
  .st-key-overview > :nth-child(n+5) { display: none; }
  .st-key-view button { padding-inline: 0.45rem; }
}
/* As pale as Streamlit makes captions, they are too pale to be read by everybody. */
body [data-testid="stCaptionContainer"] { opacity: 0.75; }
/* White is too pale upon the dark theme's colour. */
button[data-testid^="stBaseButton-primary"]:not(:disabled) {
  color: light-dark(#ffffff, #0b1319);
}
/* What deletes for good, or asks for the last time before it does. */
[class*="st-key-danger-"] button:not(:disabled) {
  color: #ffffff; background: #b3262f; border-color: #b3262f;
}
[class*="st-key-danger-"] button:not(:disabled):hover { background: #8f1d25; }
/* Columns that stand below each other on a phone need no more room than what is in them. */
@media (max-width: 640px) { .stHorizontalBlock:has(> .stColumn) { row-gap: 1rem; } }
.stMetric label p { font-size: 0.8rem; }
.stMetric [data-testid="stMetricValue"] { font-size: 1.15rem; }

/* The other language, in the header. */
[data-testid="stLayoutWrapper"]:has(> .st-key-language) {
  position: fixed; top: 0.6rem; right: 1.5rem; z-index: 999990; width: auto;
}
.st-key-language { width: auto; gap: 0; }

/* Listens to keys and pasting, or holds this style; there is nothing to see of it. */
.st-key-page-keys, .stElementContainer:has(> .st-key-page-keys),
.st-key-page-top, .stElementContainer:has(> .st-key-page-top),
.st-key-strip-view, .stElementContainer:has(> .st-key-strip-view),
.st-key-session-watch, .stElementContainer:has(> .st-key-session-watch),
.st-key-streamlit-words, .stElementContainer:has(> .st-key-streamlit-words),
.st-key-hover-play, .stElementContainer:has(> .st-key-hover-play),
.stElementContainer:has(.page-style) {
  position: absolute; width: 0; height: 0;
}
.st-key-results-head, .st-key-terms, .st-key-brushed { row-gap: 0.4rem; }
/* The chart comes after the cards, which keep their place. */
.st-key-timeline { gap: 0; min-height: 120px; }
/* Streamlit's own buttons for charts would lie over what is above this one. */
.st-key-timeline [data-testid="stElementToolbar"] { display: none; }
/* Where nothing hovers, Streamlit always shows the buttons of a table or a chart, above it. */
@media (hover: none) {
  .stElementContainer:has([data-testid="stElementToolbar"]) { margin-top: 2.2rem; }
  .st-key-timeline .stElementContainer, [class*="st-key-card-"] .stElementContainer {
    margin-top: 0 !important;
  }
}

/* Cameras and results: as many columns as fit, two on a phone. */
.st-key-wall {
  display: grid; gap: 0.75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(220px, 46%), 1fr));
}
.st-key-wall > div { height: 100%; }
[class*="st-key-tile-"] { padding: 0.6rem; gap: 0.35rem; }
.st-key-results {
  display: grid; gap: 0.75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(200px, 46%), 1fr));
}
.st-key-results > div { height: 100%; }
.st-key-results { scroll-margin-top: 4.5rem; } /* the header lies over the page */
.st-key-results > div:has(> [class*="st-key-heading-"]) {
  grid-column: 1 / -1; height: auto;
  border-top: 1px solid color-mix(in srgb, currentColor 35%, transparent); padding-top: 0.35rem;
}
[class*="st-key-card-"] {
  position: relative; overflow: hidden; gap: 0; padding: 0;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 0.4rem;
  transition: border-color 120ms;
}
[class*="st-key-card-"]:hover, [class*="st-key-card-"]:focus-within {
  border-color: #2a8fb0;
}
[class*="st-key-card-"]:has(button:focus-visible) { outline: 3px solid #2a8fb0; }
[class*="st-key-card-"] .stImage, [class*="st-key-card-"] .stImage > * { width: 100%; }
[class*="st-key-card-"] img {
  width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #0b0f14; border-radius: 0;
}
[class*="st-key-card-"] [data-testid="stImageCaption"],
[class*="st-key-card-"] .stMarkdown {
  margin: 0; padding: 0.35rem 0.6rem 0.5rem; text-align: left; color: inherit;
}
[class*="st-key-card-"] [data-testid="stMarkdownContainer"] { margin: 0; }
[class*="st-key-card-"] [data-testid="stCaptionContainer"] { opacity: 1; }
[class*="st-key-card-"] p span { font-size: 0.78rem !important; }
[class*="st-key-card-"] p {
  margin: 0; padding: 0; font-size: 0.82rem; line-height: 1.35;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.st-key-results [class*="st-key-card-"] p { white-space: normal; }
/* Its camera has the colour that it has everywhere. */
.st-key-results [data-testid="stImageCaption"] p::before {
  content: ""; display: inline-block; width: 0.62rem; height: 0.62rem; border-radius: 50%;
  margin-right: 0.35rem; background: var(--camera, transparent);
}
/* The check box that selects a card lies in the corner of its picture, above its button. */
.tick {
  --room: 0.6rem;
  appearance: none; position: absolute; top: 0; left: 0; z-index: 2; margin: 0; cursor: pointer;
  box-sizing: border-box; padding: var(--room);
  width: calc(1rem + 2 * var(--room)); height: calc(1rem + 2 * var(--room));
}
/* Seen on any picture. */
.tick::before {
  content: ""; display: block; width: 1rem; height: 1rem; border-radius: 0.25rem;
  background: light-dark(#ffffff, #131a22);
  box-shadow: 0 0 0 1.5px rgba(255, 255, 255, 0.8), 0 0 5px 2px rgba(11, 15, 20, 0.5);
}
.tick:checked::before { background: #1f7fa0; }
.tick:checked::after {
  content: ""; position: absolute; rotate: 45deg;
  top: calc(var(--room) + 0.14rem); left: calc(var(--room) + 0.34rem);
  width: 0.3rem; height: 0.58rem; border: solid #ffffff; border-width: 0 0.13rem 0.13rem 0;
}
.tick:focus-visible { outline: none; }
.tick:focus-visible::before { outline: 2px solid #4fb3d3; outline-offset: 2px; }
.st-key-results [class*="st-key-card-"]:has(> .tick:checked) {
  border-color: #2a8fb0; outline: 2px solid #2a8fb0;
}
/* What can be done with what is selected: it stays in view while the results are, and is below
   them at their end. */
[data-testid="stLayoutWrapper"]:has(> .st-key-selection) {
  position: sticky; bottom: 0.5rem; z-index: 100;
}
.st-key-selection {
  gap: 0.4rem; padding: 0.6rem 0.8rem; border-radius: 0.5rem; border: 1px solid #2a8fb0;
  background: light-dark(#ffffff, #131a22); box-shadow: 0 2px 14px rgba(11, 15, 20, 0.35);
}
.st-key-selection-what, .st-key-selection-actions { gap: 0.4rem; }
.st-key-selection .st-key-selection-what { align-items: baseline; }
.st-key-selection-what .stButton button { min-height: 0; padding-block: 0; }
.st-key-selection-actions button { min-height: 0; padding: 0.15rem 0.55rem; }
.st-key-selection-actions button p { font-size: 0.88rem; }
@media (max-width: 640px) {
  .tick { --room: 0.9rem; }
  .st-key-selection { padding: 0.4rem 0.5rem; }
  /* All of them in one row, for the thumb. */
  .st-key-selection-actions { gap: 0; justify-content: space-between; flex-wrap: nowrap; }
  .st-key-selection-actions button { padding: 0.45rem; border: none; }
  .st-key-selection-actions .stPopover button div[aria-hidden] { display: none; }
  .st-key-selection-actions button p {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
}
/* What a card stands for besides its picture: a row of small ones below its text. */
.st-key-results .stImage:has(> :nth-child(2)) {
  display: flex; flex-wrap: wrap; gap: 2px; padding-bottom: 0.5rem;
}
.st-key-results .stImage > :nth-child(n + 2) {
  flex: 0 0 calc(25% - 0.45rem) !important; min-width: 0; width: auto;
}
.st-key-results .stImage > :nth-child(2) { margin-left: 0.6rem; }
/* A card opens its moment: Streamlit's button for the full screen would be a stop of the Tab key
   that nobody sees. */
[class*="st-key-card-"] [data-testid="stElementToolbar"] { display: none; }
/* Keyframes before and after: a row that scrolls. */
.st-key-strip { flex-wrap: nowrap; overflow-x: auto; gap: 0.4rem; padding: 2px; }
.st-key-strip > div { flex: 1 1 0; min-width: 76px; max-width: 140px; }
[class*="st-key-card-here-"] { outline: 2px solid #2a8fb0; }

/* On a laptop's screen an opened moment is seen with what can be done with it. */
.st-key-moment-picture video, .st-key-moment-picture .stImage img {
  max-height: 50vh; object-fit: contain; background: #0b0f14;
}
.stColumn > .stVerticalBlock:has(> .st-key-moment-picture) { gap: 0.6rem; }
.st-key-moment-picture { gap: 0.4rem; }
.st-key-moment-actions { gap: 0.5rem; }
/* Arrows are enough to see; their words are for those who hear them. */
.st-key-moment-steps { flex-wrap: nowrap; gap: 0.25rem; }
.st-key-moment-steps button p {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
@media (max-width: 640px) {
  .st-key-moment-actions button { padding-inline: 0.55rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-moment-plays) { display: none; }
}
/* What a link is shown for is to be copied: the button is there without being looked for. */
.st-key-moment-link .stCode > div, .st-key-moment-link .stCode > div * {
  opacity: 1; visibility: visible;
}

/* What the colours of a heat map mean. */
.heat-scale { display: flex; align-items: center; gap: 0.5rem; font-size: 0.8rem; opacity: 0.85; }
.heat-scale i {
  flex: 0 0 6rem; height: 0.7rem; border-radius: 0.35rem;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent);
}

/* The whole card is its button. */
[class*="st-key-card-"] .stElementContainer:has(.stButton) {
  position: absolute; inset: 0; width: 100% !important; height: 100%; z-index: 1;
}
[class*="st-key-card-"] .stButton, [class*="st-key-card-"] .stButton button {
  width: 100%; height: 100%;
}
[class*="st-key-card-"] .stButton button { opacity: 0; cursor: pointer; }
"""


#: A magnifier over a frame; a colour that is seen on light and dark alike.
MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#2a8fb0" '
    'stroke-width="3" stroke-linecap="round"><path d="M3 10V5q0-2 2-2h5M22 3h5q2 0 2 2v5M10 '
    '29H5q-2 0-2-2v-5"/><circle cx="17" cy="17" r="6.5"/><path d="m22 22 7 7"/></svg>'
)
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" fill="none" stroke="#2a8fb0" '
    'stroke-width="3" stroke-linecap="round"><path d="M3 10V5q0-2 2-2h5M22 3h5q2 0 2 2v5M10 '
    '29H5q-2 0-2-2v-5"/><circle cx="17" cy="17" r="6.5"/><path d="m22 22 7 7"/>'
    '<text x="40" y="24" stroke="none" fill="#2a8fb0" font-size="23" font-weight="600" '
    'textLength="106" lengthAdjust="spacingAndGlyphs" '
    'font-family="Source Sans, Segoe UI, Helvetica, Arial, sans-serif">Sightline</text></svg>'
)


def camera_colours(cameras: Sequence[CameraFacet]) -> Mapping[str, str]:
    """Return each camera's colour, whatever is shown of them, from its name.

    Of a library's cameras none shares a colour as long as there are enough: the name's own is the
    next free one where an older camera has it, so that a new camera changes no other's.
    """
    found: dict[str, str] = {}
    oldest_first = sorted(cameras, key=lambda one: (one.first_ms, one.camera))
    for name in filter(None, (one.camera for one in oldest_first)):
        own = zlib.crc32(name.encode()) % len(COLOURS)
        nexts = [*COLOURS[own:], *COLOURS[:own]]
        taken = set(found.values())
        found[name] = next((colour for colour in nexts if colour not in taken), nexts[0])
    return found


def colour_cards(cameras: Mapping[str, str]) -> None:
    """Give cards, by the keys of their containers, the colours of their cameras."""
    rules = "".join(f".st-key-{key}{{--camera:{colour}}}" for key, colour in cameras.items())
    st.html(f'<style>{rules}</style><i class="page-style"></i>')


def mark_boxes(boxes: Mapping[str, tuple[MediaEntity, Box]]) -> None:
    """Draw the regions that pictures were found by over those of cards, by their containers' keys.

    A card shows all of a picture in the middle of 16:9, and so is its region drawn.
    """
    rules = "".join(
        f".st-key-{key} .stImage:not([class*='st-key-folded-'] *)"
        f'{{position:relative}}.st-key-{key} .stImage:not([class*="st-key-folded-"] *)::after'
        f'{{content:"";position:absolute;inset:0 0 auto;aspect-ratio:16/9;pointer-events:none;'
        f"background:{_outline(entity, box, 0.007)} center/contain no-repeat}}"
        for key, (entity, box) in boxes.items()
    )
    if rules:
        st.html(f'<style>{rules}</style><i class="page-style"></i>')


def mark_in_video(entity: MediaEntity, box: Box) -> None:
    """Draw a region over the opened moment's video for a few seconds: its keyframe comes first."""
    picture = ".st-key-moment-picture .stElementContainer:has(.stVideo)"
    st.html(
        f"<style>{picture}{{position:relative}}{picture}::after"
        '{content:"";position:absolute;inset:0;pointer-events:none;'
        "animation:region-fades 4s forwards;"
        f"background:{_outline(entity, box, 0.003)} center/contain no-repeat}}"
        "@keyframes region-fades{75%{opacity:1}100%{opacity:0}}</style>"
        '<i class="page-style"></i>'
    )


def _outline(entity: MediaEntity, box: Box, line: float) -> str:
    """Return a region's outline as a CSS image of the picture's shape, light on dark.

    ``line`` is how wide it is, as a share of the picture's width.
    """
    width, height = max(1, entity.width), max(1, entity.height)
    left, top, right, bottom = box
    place = (
        f"x='{left * width:.1f}' y='{top * height:.1f}' "
        f"width='{(right - left) * width:.1f}' height='{(bottom - top) * height:.1f}' "
        f"rx='{0.006 * width:.1f}' fill='none'"
    )
    drawn = "".join(
        f"<rect {place} stroke='{colour}' stroke-width='{share * width:.1f}'/>"
        for colour, share in (("#0b0f14", 2 * line), ("#ffd166", line))
    )
    size = f"width='{width}' height='{height}' viewBox='0 0 {width} {height}'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{drawn}</svg>"
    return f'url("data:image/svg+xml,{quote(svg)}")'


def apply() -> None:
    """Add the style to the page."""
    # A fragment's toast takes the first place among the toasts and dialogs of the page, whatever is
    # there: let it be this, which is nothing, and not an open dialog.
    st.html("<style></style>")
    # Streamlit says it of its page, but not of dialogs and menus, which lie beside that.
    scheme = "dark" if st.context.theme.type == "dark" else "light"
    # With something beside the style it lies in the page itself, where no toast takes its place.
    style = f"<style>:root {{ color-scheme: {scheme}; }}{_CSS}</style>"
    st.html(f'{style}<i class="page-style"></i>')
