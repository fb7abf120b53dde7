"""What is known of a moment, with its tags to change, and why it matched: its still, the patches
that carry the similarity in colours of heat.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import video_serving as footage
from dashboard.components.cards import Card, words_read
from dashboard.components.errors import show
from dashboard.components.stills import still_of
from dashboard.i18n.formatting import (
    clock,
    counted,
    local_time,
    megabytes,
    plain,
    time_range,
    viewer_zone,
)
from dashboard.i18n.gettext import N_, _
from dashboard.query.request import forget_answer
from ingest.curation.tagging import set_tags
from search_core.encoders.base import Embeddings, explain
from search_core.errors import SightlineError
from search_core.schema.entity import TAGS_MAX_CAPACITY, MediaEntity
from search_core.schema.lettering import Line
from search_core.search.heat_map import SCALE, Sides, draw_frames, draw_heat, hottest_point

_CAPTURED_FROM = {
    "given": N_("as given or corrected"),
    "sidecar": N_("from Google Takeout's JSON file"),
    "container": N_("from the file's metadata"),
    "exif": N_("from the photograph's EXIF"),
    "xmp": N_("from the photograph's XMP"),
    "iptc": N_("from the photograph's IPTC"),
    "gps": N_("from the photograph's GPS"),
    "name": N_("from the file's name"),
    "overlay": N_("from the clock burned into the picture"),
    "modified": N_("when its metadata last changed; the capture time is unknown"),
    "day": N_("only the day is known, from the metadata or the name"),
    "file": N_("the file's modification time: the file has no capture time"),
    "live": N_("by this machine's clock"),
}
_FOUND_BY = {
    "seen": N_("what is seen"),
    "read": N_("what was read"),
    "seen and read": N_("what is seen and what was read"),
}
_MOST_LINES = 20
_FAILED = "tags_failed"
_ASKED = "why"


def show_facts(library: str, entity: MediaEntity, card: Card) -> None:
    """Draw an entity's facts, and how well it fits where the card's search found it."""
    st.markdown(
        "  \n".join(
            f":gray[{label}] {plain(value)}" if label else f":small[:gray[{plain(value)}]]"
            for label, value in [*_fit(entity, card), *_facts(entity)]
        )
    )
    _tags(library, entity)
    with st.expander(_("Id")):
        st.code(entity.id, language=None, wrap_lines=True)


def _fit(entity: MediaEntity, card: Card) -> list[tuple[str, str]]:
    if card.moment is None:
        return []
    rows = [
        (_("Score"), _("{score}, rank {rank}").format(score=f"{hit.score:.4f}", rank=hit.rank))
        for hit in card.moment.hits
        if hit.entity.id == entity.id
    ] or [("", _("Beside the hit"))]
    rows += [
        (_("Match"), (_("weak, {share}") if hit.is_weak else "{share}").format(share=f"{sure:.0%}"))
        for hit in card.moment.hits
        if hit.entity.id == entity.id
        and (sure := hit.strength) is not None
        and hit.found_by != "read"
    ]
    rows += [
        (_("Found by"), _(_FOUND_BY[hit.found_by]))
        for hit in card.moment.hits
        if hit.entity.id == entity.id and hit.lines
    ]
    if len(card.moment.hits) > 1:
        when = time_range(card.moment.first_ms, card.moment.last_ms)
        hits = counted(len(card.moment.hits), "hit")
        rows.append((_("Moment"), _("{hits}, {when}").format(hits=hits, when=when)))
    return rows


def _facts(entity: MediaEntity) -> list[tuple[str, str]]:
    path = footage.file_of(entity)
    source = _(_CAPTURED_FROM[entity.captured_from])
    rows = [
        (_("Camera"), entity.camera or "–"),
        (_("Captured"), local_time(entity.captured_at)),
        ("", _("{source}, shown in {zone}").format(source=source, zone=viewer_zone())),
    ]
    if entity.in_video:
        text = _("{position} of {length}")
        at, length = clock(entity.pts_ms), clock(entity.duration_ms)
        known = text.format(position=at, length=length) if entity.duration_ms else at
        rows.append((_("Position"), known))
    rows.append((_("Size"), f"{entity.width} × {entity.height} px"))
    if entity.caption:
        rows.append((_("Caption"), entity.caption))
    for label, is_overlay in ((_("Lettering"), False), (_("Burned in"), True)):
        read = [line.text for line in entity.lines if line.is_overlay == is_overlay]
        if read:
            more = [] if len(read) <= _MOST_LINES else ["…"]
            rows.append((label, " · ".join([*read[:_MOST_LINES], *more])))
    rows.append((_("File"), entity.uri if path is None else path.name))
    if path is not None:
        size = megabytes(path.stat().st_size)
        rows.append(("", _("{size} in {folder}").format(size=size, folder=path.parent)))
    return rows


def _tags(library: str, entity: MediaEntity) -> None:
    key = f"tags-{entity.id}"
    known = resources.facets(library).tags
    st.multiselect(
        _("Tags"),
        sorted({*known, *entity.tags}),
        default=list(entity.tags),
        key=key,
        accept_new_options=True,
        max_selections=TAGS_MAX_CAPACITY,
        disabled=not identity.current().may("tag"),
        placeholder=_("none"),
        on_change=_save_tags,
        args=(library, entity.id, key),
    )
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        show(failed)


def _save_tags(library: str, entity_id: str, key: str) -> None:
    try:
        set_tags(resources.store(), library, entity_id, st.session_state[key])
    except SightlineError as error:
        st.session_state[_FAILED] = error
        return
    resources.forget_what_was_read()
    forget_answer()
    st.toast(_("Tags saved."))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A still with its heat, as a PNG file, and where it is hottest."""

    png: bytes
    hottest: tuple[float, float] | None


def is_why_asked() -> bool:
    """Whether to show why in place of the picture or the video."""
    return bool(st.session_state.get(_ASKED))


def why_switch() -> None:
    """Draw the why_switch that asks for it, and what the colours mean where it is on."""
    with st.container(horizontal=True, vertical_alignment="center", key="why-it-matched"):
        if st.toggle(_("Why it matched"), key=_ASKED, width="content"):
            st.html(_legend(), width="content")


def show_why(
    library: str, entity: MediaEntity, looked_for: Embeddings, lines: Sequence[Line] = ()
) -> None:
    """Draw an entity's still with its heat map for what was searched by (dim,).

    ``lines`` are those it was found by: each has a frame. Raises MediaError where nothing of it is
    left.
    """
    found = _drawn(library, entity.id, looked_for, tuple(line.box for line in lines), entity)
    if found is None:
        st.image(still_of(entity), width="stretch", alt=_("The still"))
        st.caption(_("This encoder cannot show which parts of a picture match."))
        return
    place = _place(found.hottest)
    alt = _("Heat map of the still. The warmest part: {place}.").format(place=place)
    st.image(found.png, width="stretch", alt=alt)
    if lines:
        words = words_read(lines)
        st.caption(_("Framed: the words that were read, {words}.").format(words=words))
    if entity.in_video:  # a line below the video too: what is below both stays where it is
        st.caption(_("The warmest part: {place}.").format(place=place))


@st.cache_data(max_entries=100, show_spinner=False)
def _drawn(
    library: str,
    entity_id: str,
    looked_for: Embeddings,
    boxes: tuple[Sides, ...],
    _entity: MediaEntity,
) -> _Drawn | None:
    """Return the drawn map of an entity, kept by its id; None where the encoder offers none."""
    still = still_of(_entity)
    encoder = resources.encoder(library)
    heat = explain(encoder, still, looked_for)
    if heat is None:
        return None
    file = io.BytesIO()
    drawn = draw_heat(still, heat, encoder.preprocess.seen(still.size))
    draw_frames(drawn, boxes)
    drawn.save(file, "PNG")
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
    least, most = _("low"), _("highest similarity within this picture")
    return (
        f'<div class="heat-scale"><span>{least}</span>'
        f'<i style="background: linear-gradient(90deg, {stops})"></i><span>{most}</span></div>'
    )
