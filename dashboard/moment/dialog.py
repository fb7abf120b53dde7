"""One card, opened: the video playing from its moment, or the photograph or still; its facts; what
can be done with it (search by it, link to it, take it along, delete it); and the keyframes before
and after it, as a strip to walk along.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cases.adding import add_moment, may_collect
from dashboard.components import image_input as query_image
from dashboard.components import routes as pages
from dashboard.components import video_serving as footage
from dashboard.components.browser import (
    begin_strip_at,
    closer_look,
    name_opened,
    picked_region,
    region_picker,
)
from dashboard.components.cards import Card
from dashboard.components.errors import show, shown_in_words
from dashboard.components.image_input import Box
from dashboard.components.stills import show_thumbnail, still_of
from dashboard.components.theme import mark_in_video
from dashboard.components.undo import offer_undo
from dashboard.i18n.formatting import clock, local_time, plain
from dashboard.i18n.gettext import _
from dashboard.moment.downloads import offer_downloads
from dashboard.moment.facts import is_why_asked, show_facts, show_why, why_switch
from dashboard.moment.regions import offer_regions, stored_regions
from dashboard.moment.selection import unselect
from dashboard.query import terms as search_terms
from dashboard.query.request import forget_answer
from ingest.evidence.originals import shortest_frame_s
from ingest.rows.deletion import KEPT, discard
from search_core.encoders.base import Embeddings
from search_core.errors import MediaError
from search_core.schema.entity import Box as RegionBox
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line
from search_core.search.engine import Hit
from search_core.search.query_log import filter_to_dict
from search_core.store.library import Store

#: What an address opens: the id of an entity.
MOMENT = "moment"
_AIM = "opened_card"
_BESIDE = "opened_neighbour"
_OPENING = "opening"
_IN_CARDS = "opened_in_cards"
_LOOK_PX = 1600
#: Without the dashboard's own server a whole file goes through its memory.
_WHOLE_FILE_BYTES = 256 * 1024 * 1024
_CHOOSING = "choosing_region_of"
_DONE = "deleted_just_now"
EACH_WAY = 4
#: Ever longer times around a moment are asked for until they hold enough: rows come in no order.
_REACHES_MS = (20_000, 200_000, 3_600_000)
_READ_ROWS = 2000


def aim_at(index: int) -> None:
    """Open the card at this index when the results are drawn next."""
    _step(index)
    st.session_state[_OPENING] = True


def open_when_aimed(
    library: str, cards: list[Card], *, searching: bool, looked_for: Embeddings | None = None
) -> None:
    """Open the dialog once for a card that was clicked.

    ``looked_for`` is what was searched by, where the cards are what was found.
    """
    if st.session_state.pop(_OPENING, False) and st.session_state[_AIM] < len(cards):
        _stop_choosing()
        _dialog(library, cards, searching, looked_for)
        return
    wanted = st.query_params.get(MOMENT)
    shown = [[one.id for one in (card.entity, card.then) if one] for card in cards if wanted]
    index = next((place for place, ids in enumerate(shown) if wanted in ids), None)
    if wanted and index is not None:
        _step(index)
        _look_beside(wanted)
        _dialog(library, cards, searching, looked_for)


def open_from_address(library: str, *, searching: bool) -> None:
    """Open the dialog for the entity that the page's address names, where no card did.

    To be called when the page's cards were drawn.
    """
    in_cards = st.session_state.pop(_IN_CARDS, False)
    entity_id = st.query_params.get(MOMENT)
    if not entity_id or in_cards:
        return
    entity = resources.entity(library, entity_id)
    if entity is None:
        close()
        text = _("The moment {id} is not in the library {library}.")
        st.warning(text.format(id=plain(entity_id), library=plain(library)))
        return
    _step(0)
    _dialog(library, [Card(1, entity)], searching)
    st.session_state.pop(_IN_CARDS, None)


def close() -> None:
    """Take the open moment out of the address: what is drawn next does not open it."""
    st.query_params.pop(MOMENT, None)


def _dialog(
    library: str, cards: list[Card], searching: bool, looked_for: Embeddings | None = None
) -> None:
    st.session_state[_IN_CARDS] = True
    card = cards[st.session_state[_AIM]]
    entity = card.entity
    if card.then is not None and card.then.id == st.session_state.get(_BESIDE):
        entity = card.then
    if st.query_params.get(MOMENT) != entity.id:
        st.query_params[MOMENT] = entity.id
    dialog = st.dialog(plain(_title(entity)), width="large", on_dismiss=close)
    dialog(_opened)(library, cards, searching, looked_for)


def _title(entity: MediaEntity) -> str:
    return " · ".join((entity.camera or _("no camera"), local_time(entity.captured_at)))


@shown_in_words()
def _opened(
    library: str, cards: list[Card], searching: bool, looked_for: Embeddings | None
) -> None:
    if st.session_state.pop(_DONE, False):
        st.rerun()
    index = min(st.session_state[_AIM], len(cards) - 1)
    card = cards[index]
    entity = resources.entity(library, st.session_state.get(_BESIDE) or card.entity.id)
    if entity is None:
        st.info(_("This picture was deleted."))
        _steps(index, len(cards))
        return
    identity.record_view(library, entity)
    name_opened(MOMENT, entity.id, _title(entity))
    picture, facts = st.columns([5, 2], gap="medium")
    with picture:
        _pair_switch(card, entity)
        with st.container(key="moment-picture"):
            hit = _hit_of(card, entity)
            box, lines = (hit.box, hit.lines) if hit is not None else (None, ())
            _picture(library, entity, box, searching, looked_for, lines)
        if not _is_choosing(entity):  # which has buttons of its own
            with st.container(horizontal=True, key="moment-actions"):
                _steps(index, len(cards))
                _actions(library, entity, searching)
            if looked_for is not None:
                why_switch()
        _strip(library, entity, _look_beside)
    with facts:
        show_facts(library, entity, card)
        if identity.current().may_remove:
            with st.popover(_("Delete"), icon=":material/delete:"):
                _delete(library, entity)


def _hit_of(card: Card, entity: MediaEntity) -> Hit | None:
    """Return what a search said of an entity of a card, None where it was not found."""
    hits = card.moment.hits if card.moment is not None else ()
    return next((hit for hit in hits if hit.entity.id == entity.id), None)


def _pair_switch(card: Card, shown: MediaEntity) -> None:
    """Draw what goes from one picture of a pair to the other."""
    if card.then is None:
        return
    with st.container(horizontal=True, key="moment-pair"):
        for label, entity in ((_("First: {what}"), card.entity), (_("Then: {what}"), card.then)):
            st.button(
                plain(label.format(what=_title(entity))),
                key=f"pair-{entity.id}",
                type="primary" if entity.id == shown.id else "secondary",
                on_click=_look_beside,
                args=(entity.id,),
            )


def _picture(
    library: str,
    entity: MediaEntity,
    box: RegionBox | None,
    searching: bool,
    looked_for: Embeddings | None,
    lines: tuple[Line, ...],
) -> None:
    if _is_choosing(entity):
        _choose_region(library, entity, box, searching, looked_for is not None)
        return
    playing: Path | None = None
    if looked_for is not None and is_why_asked():
        show_why(library, entity, looked_for, lines)
    elif entity.in_video:
        playing = _video(library, entity)
        if box is not None:
            mark_in_video(entity, box)
    else:
        _photograph(entity, box)
    if box is not None:
        st.caption(_("Found by the marked part of the picture."))
    frame_s = None
    if playing is not None:
        with suppress(MediaError):
            frame_s = shortest_frame_s(playing, entity.track)
    closer_look(entity.id, frame_s)


def _steps(index: int, count: int) -> None:
    if count < 2:
        return
    with st.container(horizontal=True, width="content", key="moment-steps"):
        for label, icon, to, shortcut in (
            (_("Previous"), ":material/chevron_left:", index - 1, "Left"),
            (_("Next"), ":material/chevron_right:", index + 1, "Right"),
        ):
            disabled = not 0 <= to < count
            st.button(
                label, icon=icon, disabled=disabled, shortcut=shortcut, on_click=_step, args=(to,)
            )


def _step(index: int) -> None:
    st.session_state[_AIM] = index
    st.session_state[_BESIDE] = ""
    _stop_choosing()


def _look_beside(entity_id: str) -> None:
    st.session_state[_BESIDE] = entity_id
    _stop_choosing()


def _video(library: str, entity: MediaEntity) -> Path | None:
    """Draw an entity's video, or what stands for it; return the file that plays, None for none."""
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return None
    if path.suffix.lower() == ".gif":
        st.image(path, width="stretch", alt=_("The animation"))
        return None
    if entity.track:
        show_thumbnail(entity.thumbnail, alt=_("The keyframe"))
        text = _(
            "Browsers play the first video track only, and this is of track {number}. Open the "
            "file in a player, at {position}, and choose that track: {path}"
        )
        at, where = clock(entity.pts_ms), plain(str(path))
        st.info(text.format(number=entity.track, position=at, path=where))
        return None
    url = footage.url_of(library, entity)
    too_large = url is None and path.stat().st_size > _WHOLE_FILE_BYTES
    if too_large or not footage.plays_in_browsers(path):
        show_thumbnail(entity.thumbnail, alt=_("The keyframe"))
        text = _("Browsers do not play {suffix} files. Open it in a player, at {position}: {path}")
        if too_large:
            text = _(
                "This video is too large to play here: the server was started without footage "
                "serving."
            )
        suffix, at = plain(path.suffix or _("such")), clock(entity.pts_ms)
        st.info(text.format(suffix=suffix, position=at, path=plain(str(path))))
        return None
    start_s = entity.pts_ms // 1000
    st.video(url or path, start_time=start_s, autoplay=True, muted=True)
    text = _("Plays from {start}; the keyframe is at {position}.")
    with st.container(key="moment-plays"):
        st.caption(text.format(start=clock(start_s * 1000), position=clock(entity.pts_ms)))
    return path


def _photograph(entity: MediaEntity, box: RegionBox | None) -> None:
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return
    try:
        limit = resources.settings().media.max_pixels
        photo = query_image.read_file(path, limit, _LOOK_PX)
        shown = photo if box is None else query_image.outlined(photo, box)
        st.image(shown, width="stretch", alt=_("The photo"))
    except MediaError as error:
        show_thumbnail(entity.thumbnail, alt=_("The photo, small"))
        if path.suffix.lower() not in {".heic", ".heif", ".avif"}:
            show(error)


def _gone(entity: MediaEntity) -> None:
    show_thumbnail(entity.thumbnail, alt=_("The stored thumbnail"))
    if entity.is_remote:
        text = _("The file is stored elsewhere. Open it there: {uri}")
        if entity.in_video:
            text = _("The file is stored elsewhere. Open it there, at {position}: {uri}")
        st.info(text.format(position=clock(entity.pts_ms), uri=plain(entity.uri)))
        return
    text = _("The file is missing: {uri}")
    if footage.place_of(entity) is not None:
        text = _("The file has changed since it was ingested: {uri}")
    st.warning(text.format(uri=plain(entity.uri)))


def _actions(library: str, entity: MediaEntity, searching: bool) -> None:
    """Draw the buttons of what people need; ``searching`` says that this is the search page."""
    if st.button(
        _("More like this"),
        icon=":material/image_search:",
        type="primary",
        on_click=search_terms.look_for_more_like,
        args=(entity.id,),
    ):
        _go(library, entity.id, None, searching)
    st.button(
        _("Region"),
        icon=":material/crop:",
        help=_("Search by a part of this picture"),
        on_click=_toggle_choosing,
        args=(entity.id,),
    )
    with st.popover(_("Download"), icon=":material/download:"):
        offer_downloads(library, entity)
    if may_collect():
        with st.popover(_("Add to case"), icon=":material/cases:"):
            add_moment(library, entity)
    with st.popover(_("Link"), icon=":material/link:"):
        st.caption(_("Opens this moment. Copy it with the button on its right."))
        with st.container(key="moment-link"):
            st.code(_link(library, entity), language=None, wrap_lines=True)


def _is_choosing(entity: MediaEntity) -> bool:
    """Whether a region of this entity is being chosen."""
    return bool(st.session_state.get(_CHOOSING) == entity.id)


def _stop_choosing() -> None:
    """Show the picture itself again."""
    st.session_state.pop(_CHOOSING, None)


def _choose_region(
    library: str, entity: MediaEntity, box: RegionBox | None, searching: bool, is_answer: bool
) -> None:
    """Let a region be drawn on an entity's still, or a stored one be chosen, to search by."""
    key = f"region-{entity.id}"
    stored = stored_regions(library, entity, box)
    region_picker(
        still_of(entity), None, key, {label: drawn for label, (_row, drawn) in stored.items()}
    )

    def row_id() -> str | None:
        """Return which stored region the rectangle is, None where it is drawn by hand."""
        picked = picked_region(key)
        return next((row.id for row, drawn in stored.values() if drawn == picked), None)

    def look_for_more() -> None:
        row = row_id()
        search_terms.look_for_more_like(row or entity.id, part=None if row else picked_region(key))

    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption(_choosing_hint(bool(stored)), width="content")
        st.space("stretch")
        st.button(_("Cancel"), on_click=_stop_choosing)
        row = row_id()
        if (
            is_answer
            and row
            and st.button(
                _("Leave it out"),
                help=_("Leave out what looks like this region"),
                on_click=search_terms.look_for_less_like,
                args=(search_terms.NOT_LIKE, (row,)),
            )
        ):
            _go(library, row, None, searching)
        if st.button(_("Search this region"), type="primary", on_click=look_for_more):
            _go(library, row or entity.id, None if row else picked_region(key), searching)
    if (chosen := offer_regions(entity, stored, is_answer)) is not None:
        _go(library, chosen, None, searching)


def _choosing_hint(has_stored: bool) -> str:
    if has_stored:
        return _("Draw a rectangle, move it with the arrow keys, or click an outlined region.")
    return _("Draw a rectangle, or move it with the arrow keys.")


def _toggle_choosing(entity_id: str) -> None:
    chosen = st.session_state.get(_CHOOSING)
    st.session_state[_CHOOSING] = "" if chosen == entity_id else entity_id


def _go(library: str, row_id: str, part: Box | None, searching: bool) -> None:
    close()
    if searching:
        st.rerun()
    address = {"library": library, search_terms.LIKE: row_id}
    if part is not None:
        address[search_terms.REGION] = query_image.box_to_text(part)
    pages.switch_to("search", **address)


def _link(library: str, entity: MediaEntity) -> str:
    here = urllib.parse.urlsplit(st.context.url or "")
    query = urllib.parse.urlencode({"library": library, "moment": entity.id})
    return urllib.parse.urlunsplit((here.scheme, here.netloc, "/", query, ""))


def _delete(library: str, entity: MediaEntity) -> None:
    text = _(
        "Deletes this picture from the library. It can be restored in **Library**, **Trash** for "
        "{days} days."
    ).format(days=KEPT.days)
    kept = "" if entity.is_live else " " + _("The footage itself is not changed.")
    st.markdown(text + kept)
    st.button(
        _("Delete this picture"),
        key="danger-delete-moment",
        on_click=_delete_now,
        args=(library, entity),
    )


def _delete_now(library: str, entity: MediaEntity) -> None:
    where = Filter(ids=(entity.id,))
    # The trash calls it that.
    what = ", ".join(filter(None, (entity.camera, local_time(entity.captured_at))))
    identity.record("delete", library, {"filter": filter_to_dict(where), "count": 1})
    discard(resources.settings(), resources.store(), library, where, what)
    unselect(entity.id)
    close()
    resources.forget_what_was_read()
    forget_answer()
    offer_undo(library, 1)
    st.session_state[_DONE] = True


def neighbours(store: Store, library: str, entity: MediaEntity) -> list[MediaEntity]:
    """Return the entity with those captured just before and after it, in order of time.

    They are of the same video, or of the same camera; a picture of no camera has none.
    """
    if not (entity.in_video or entity.camera):
        return [entity]
    found, place = [entity], 0
    for reach_ms in _REACHES_MS:
        where = Filter(
            cameras=(entity.camera,) if entity.camera else (),
            source_ids=(entity.source_id,) if entity.in_video else (),
            after=datetime.fromtimestamp((entity.captured_at - reach_ms) / 1000, UTC),
            before=datetime.fromtimestamp((entity.captured_at + reach_ms + 1) / 1000, UTC),
        )
        found = store.entities(library, where, limit=_READ_ROWS)
        found.sort(key=lambda other: (other.captured_at, other.id))
        ids = [other.id for other in found]
        if entity.id not in ids:
            return [entity]
        place = ids.index(entity.id)
        if place >= EACH_WAY and len(found) - place > EACH_WAY:
            break
    return found[max(0, place - EACH_WAY) : place + EACH_WAY + 1]


def _strip(library: str, entity: MediaEntity, on_choose: Callable[[str], None]) -> None:
    """Draw the strip; ``on_choose`` hears the id of the keyframe that is clicked."""
    found = neighbours(resources.store(), library, entity)
    if len(found) < 2:
        return
    with st.container(horizontal=True, key="strip"):
        for place, other in enumerate(found):
            here = other.id == entity.id
            with st.container(key=f"card-{'here' if here else 'beside'}-{place}"):
                when = clock(other.pts_ms) if other.in_video else local_time(other.captured_at)
                label = _("Keyframe at {when}").format(when=when)
                show_thumbnail(other.thumbnail, alt=label)
                st.button(
                    _("Keyframe at {when}, shown now").format(when=when) if here else label,
                    key=f"strip-{other.id}",
                    on_click=on_choose,
                    args=(other.id,),
                )
    begin_strip_at(entity.id)
