"""Why a moment matched: its still, the patches that carry the similarity in colours of heat."""

from __future__ import annotations

import io
from dataclasses import dataclass

import streamlit as st

from dashboard import resources
from dashboard.components.stills import still_of
from dashboard.i18n.gettext import _
from search_core.encoders.base import Embeddings, explain
from search_core.schema.entity import MediaEntity
from search_core.search.heat_map import SCALE, draw_heat, hottest_point

_ASKED = "why"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A still with its heat, as a PNG file, and where it is hottest."""

    png: bytes
    hottest: tuple[float, float] | None


def is_asked() -> bool:
    """Whether to show why in place of the picture or the video."""
    return bool(st.session_state.get(_ASKED))


def switch() -> None:
    """Draw the switch that asks for it, and what the colours mean where it is on."""
    with st.container(horizontal=True, vertical_alignment="center", key="why-it-matched"):
        if st.toggle(_("Why it matched"), key=_ASKED, width="content"):
            st.html(_legend(), width="content")


def show_why(entity: MediaEntity, looked_for: Embeddings) -> None:
    """Draw an entity's still with its heat map for what was searched by (dim,).

    Raises MediaError where nothing of it is left.
    """
    found = _drawn(entity.id, looked_for, entity)
    if found is None:
        st.image(still_of(entity), width="stretch", alt=_("The still"))
        st.caption(_("This encoder does not tell which parts of a picture match."))
        return
    place = _place(found.hottest)
    alt = _("Heat map of the still. The warmest part: {place}.").format(place=place)
    st.image(found.png, width="stretch", alt=alt)
    if entity.in_video:  # a line below the video too: what is below both stays where it is
        st.caption(_("The warmest part: {place}.").format(place=place))


@st.cache_data(max_entries=100, show_spinner=False)
def _drawn(entity_id: str, looked_for: Embeddings, _entity: MediaEntity) -> _Drawn | None:
    """Return the drawn map of an entity, kept by its id; None where the encoder offers none."""
    still = still_of(_entity)
    encoder = resources.encoder()
    heat = explain(encoder, still, looked_for)
    if heat is None:
        return None
    file = io.BytesIO()
    draw_heat(still, heat, encoder.preprocess.seen(still.size)).save(file, "PNG")
    return _Drawn(file.getvalue(), hottest_point(heat))


def _place(hottest: tuple[float, float] | None) -> str:
    """Return in words where in the picture a point (across, down; 0 to 1) is."""
    if hottest is None:
        return _("none")
    across, down = (min(2, int(share * 3)) for share in hottest)
    places = (
        (_("top left"), _("top"), _("top right")),
        (_("left"), _("middle"), _("right")),
        (_("bottom left"), _("bottom"), _("bottom right")),
    )
    return places[down][across]


def _legend() -> str:
    """Return the scale as HTML, in the page's own text colour."""
    stops = ", ".join(f"rgb({r} {g} {b} / {max(a, 0.1):.2f}) {s:.0%}" for s, r, g, b, a in SCALE)
    least, most = _("little"), _("most of the likeness, within this picture")
    return (
        f'<div class="heat-scale"><span>{least}</span>'
        f'<i style="background: linear-gradient(90deg, {stops})"></i><span>{most}</span></div>'
    )
