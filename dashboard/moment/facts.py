"""What is known of a moment, and its tags to change."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import video_serving as footage
from dashboard.components.cards import Card
from dashboard.components.errors import show
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
from search_core.errors import SightlineError
from search_core.schema.entity import TAGS_MAX_CAPACITY, MediaEntity

_CAPTURED_FROM = {
    "given": N_("as given or corrected"),
    "sidecar": N_("from Google Takeout's JSON file"),
    "container": N_("from the file's metadata"),
    "exif": N_("from the photograph's EXIF"),
    "xmp": N_("from the photograph's XMP"),
    "iptc": N_("from the photograph's IPTC"),
    "gps": N_("from the photograph's GPS"),
    "name": N_("from the file's name"),
    "modified": N_("when its metadata were last changed; when it was taken is not known"),
    "day": N_("the day alone is known, from the metadata or the name"),
    "file": N_("the file's time: nothing in the file says when it was taken"),
    "live": N_("by this machine's clock"),
}
_FAILED = "tags_failed"


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
        if hit.entity.id == entity.id and (sure := hit.strength) is not None
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
