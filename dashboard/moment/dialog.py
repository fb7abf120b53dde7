"""One card, opened: the video playing from its moment, or the photograph or still, its facts."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import image_input as query_image
from dashboard.components import video_serving as footage
from dashboard.components.cards import Card
from dashboard.components.errors import show, shown_in_words
from dashboard.components.thumbnails import show_thumbnail
from dashboard.i18n.formatting import clock, plain
from dashboard.i18n.gettext import _
from dashboard.moment import actions as moment_actions
from dashboard.moment import why_matched
from dashboard.moment.facts import show_facts
from dashboard.moment.neighbours import show_strip
from search_core.encoders.base import Embeddings
from search_core.errors import MediaError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter

#: What an address opens: the id of an entity.
MOMENT = "moment"
_AIM = "opened_card"
_BESIDE = "opened_neighbour"
_OPENING = "opening"
_LOOK_PX = 1600
#: Without the dashboard's own server a whole file goes through its memory.
_WHOLE_FILE_BYTES = 256 * 1024 * 1024


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
    moment_actions.say_what_was_done()
    if st.session_state.pop(_OPENING, False) and st.session_state[_AIM] < len(cards):
        moment_actions.stop_choosing()
        _dialog(library, cards, searching, looked_for)


def open_from_address(library: str) -> None:
    """Open the dialog once for the entity that the page's address names."""
    moment_actions.say_what_was_done()
    entity_id = st.query_params.pop(MOMENT, "")
    if not entity_id:
        return
    entity = _read(library, entity_id)
    if entity is None:
        text = _("The moment {id} is not in the library {library}.")
        st.warning(text.format(id=plain(entity_id), library=plain(library)))
        return
    _step(0)
    _dialog(library, [Card(1, entity)], True)


def _dialog(
    library: str, cards: list[Card], searching: bool, looked_for: Embeddings | None = None
) -> None:
    st.dialog(_("Moment"), width="large")(_opened)(library, cards, searching, looked_for)


@shown_in_words()
def _opened(
    library: str, cards: list[Card], searching: bool, looked_for: Embeddings | None
) -> None:
    if moment_actions.is_done():
        st.rerun()
    index = min(st.session_state[_AIM], len(cards) - 1)
    card = cards[index]
    shown = st.session_state.get(_BESIDE) or card.entity.id
    entity = _read(library, shown)
    if entity is None:
        st.info(_("This picture was deleted."))
        _steps(index, len(cards))
        return
    identity.record_view(library, entity)
    picture, facts = st.columns([5, 2], gap="medium")
    with picture:
        with st.container(key="moment-picture"):
            _picture(library, entity, searching, looked_for)
        if not moment_actions.is_choosing(entity):  # which has buttons of its own
            with st.container(horizontal=True, key="moment-actions"):
                _steps(index, len(cards))
                moment_actions.show_actions(library, entity, searching)
            if looked_for is not None:
                why_matched.switch()
        show_strip(library, entity, _look_beside)
    with facts:
        show_facts(library, entity, card)
        moment_actions.show_delete(library, entity)


def _picture(
    library: str, entity: MediaEntity, searching: bool, looked_for: Embeddings | None
) -> None:
    if moment_actions.is_choosing(entity):
        moment_actions.choose_region(library, entity, searching)
    elif looked_for is not None and why_matched.is_asked():
        why_matched.show_why(entity, looked_for)
    elif entity.in_video:
        _video(library, entity)
    else:
        _photograph(entity)


def _steps(index: int, count: int) -> None:
    if count < 2:
        return
    with st.container(horizontal=True, width="content", key="moment-steps"):
        _step_buttons(index, count)


def _step_buttons(index: int, count: int) -> None:
    for label, icon, to, shortcut in (
        (_("Previous"), ":material/chevron_left:", index - 1, "Left"),
        (_("Next"), ":material/chevron_right:", index + 1, "Right"),
    ):
        st.button(
            label,
            icon=icon,
            disabled=not 0 <= to < count,
            shortcut=shortcut,
            on_click=_step,
            args=(to,),
        )


def _step(index: int) -> None:
    st.session_state[_AIM] = index
    st.session_state[_BESIDE] = ""
    moment_actions.stop_choosing()


def _look_beside(entity_id: str) -> None:
    st.session_state[_BESIDE] = entity_id
    moment_actions.stop_choosing()


def _read(library: str, entity_id: str) -> MediaEntity | None:
    found = resources.store().entities(library, Filter(ids=(entity_id,)), limit=1)
    return found[0] if found else None


def _video(library: str, entity: MediaEntity) -> None:
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return
    if path.suffix.lower() == ".gif":
        st.image(path, width="stretch", alt=_("The animation"))
        return
    if entity.track:
        show_thumbnail(entity.thumbnail, alt=_("The keyframe"))
        text = _(
            "Browsers play the first video track only, and this is of track {number}. Open the "
            "file in a player, at {position}, and choose that track: {path}"
        )
        at, where = clock(entity.pts_ms), plain(str(path))
        st.info(text.format(number=entity.track, position=at, path=where))
        return
    url = footage.url_of(library, entity)
    too_large = url is None and path.stat().st_size > _WHOLE_FILE_BYTES
    if too_large or not footage.plays_in_browsers(path):
        show_thumbnail(entity.thumbnail, alt=_("The keyframe"))
        text = _("Browsers do not play {suffix} files. Open it in a player, at {position}: {path}")
        if too_large:
            text = _("This video is too large to play outside `sightline serve`.")
        suffix, at = plain(path.suffix or _("such")), clock(entity.pts_ms)
        st.info(text.format(suffix=suffix, position=at, path=plain(str(path))))
        return
    start_s = entity.pts_ms // 1000
    st.video(url or path, start_time=start_s, autoplay=True, muted=True)
    text = _("Plays from {start}; the keyframe is at {position}.")
    st.caption(text.format(start=clock(start_s * 1000), position=clock(entity.pts_ms)))


def _photograph(entity: MediaEntity) -> None:
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return
    try:
        limit = resources.settings().media.max_pixels
        st.image(query_image.read_file(path, limit, _LOOK_PX), width="stretch", alt=_("The photo"))
    except MediaError as error:
        show_thumbnail(entity.thumbnail, alt=_("The photo, small"))
        if path.suffix.lower() not in {".heic", ".heif", ".avif"}:
            show(error)


def _gone(entity: MediaEntity) -> None:
    show_thumbnail(entity.thumbnail, alt=_("What was kept of it"))
    if entity.is_remote:
        text = _("This is kept elsewhere. Open it there: {uri}")
        if entity.in_video:
            text = _("This is kept elsewhere. Open it there, at {position}: {uri}")
        st.info(text.format(position=clock(entity.pts_ms), uri=plain(entity.uri)))
        return
    text = _("The file is not where it was: {uri}")
    if footage.place_of(entity) is not None:
        text = _("The file has other content now than this was made of: {uri}")
    st.warning(text.format(uri=plain(entity.uri)))
