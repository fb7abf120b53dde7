"""One card, opened: the video playing from its moment, or the photograph or still, its facts."""

from __future__ import annotations

import streamlit as st

from dashboard import footage, pages, query_image, resources, search_terms
from dashboard.cards import Card
from dashboard.problems import show, shown_in_words
from dashboard.thumbnails import show_thumbnail
from dashboard.wording import clock, local_time, megabytes, plain, viewer_zone
from search_core.entities import MediaEntity
from search_core.errors import MediaError

_AIM = "opened_card"
_LOOK_PX = 1600
#: Without the dashboard's own server a whole file goes through its memory.
_WHOLE_FILE_BYTES = 256 * 1024 * 1024
_CAPTURED_FROM = {
    "given": "as given at ingest",
    "container": "from the video's metadata",
    "exif": "from the photograph's EXIF",
    "file": "from the file's time",
    "live": "by this machine's clock",
}


def aim_at(index: int) -> None:
    """Open the card at this index when the results are drawn next."""
    st.session_state[_AIM] = index
    st.session_state["opening"] = True


def open_when_aimed(library: str, cards: list[Card], *, searching: bool) -> None:
    """Open the dialog once for a card that was clicked."""
    if st.session_state.pop("opening", False) and st.session_state[_AIM] < len(cards):
        _dialog(library, cards, searching)


@st.dialog("Moment", width="large")
@shown_in_words()
def _dialog(library: str, cards: list[Card], searching: bool) -> None:
    index = st.session_state[_AIM]
    card = cards[index]
    entity = card.entity
    picture, facts = st.columns([5, 2], gap="medium")
    with picture:
        if entity.in_video:
            _video(library, entity)
        else:
            _photograph(entity)
    with facts:
        _facts(card)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            disabled=index == 0,
            on_click=_step,
            args=(index - 1,),
        )
        st.button(
            "Next",
            icon=":material/chevron_right:",
            disabled=index + 1 >= len(cards),
            on_click=_step,
            args=(index + 1,),
        )
        st.space("stretch")
        if st.button(
            "More like this",
            icon=":material/image_search:",
            type="primary",
            on_click=search_terms.look_for_more_like,
            args=(entity.id,),
        ):
            if searching:
                st.rerun()
            like = {"library": library, search_terms.LIKE: entity.id}
            st.switch_page(pages.search_page(), query_params=like)


def _step(index: int) -> None:
    st.session_state[_AIM] = index


def _video(library: str, entity: MediaEntity) -> None:
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return
    if path.suffix.lower() == ".gif":
        st.image(path, width="stretch", alt="The animation")
        return
    url = footage.url_of(library, entity)
    too_large = url is None and path.stat().st_size > _WHOLE_FILE_BYTES
    if too_large or not footage.plays_in_browsers(path):
        show_thumbnail(entity.thumbnail, alt="The keyframe")
        st.info(
            "This video is too large to play outside `sightline serve`."
            if too_large
            else f"Browsers do not play {plain(path.suffix or 'such')} files. Open it in a player, "
            f"at {clock(entity.pts_ms)}: {plain(str(path))}"
        )
        return
    start_s = entity.pts_ms // 1000
    st.video(url or path, start_time=start_s, autoplay=True, muted=True)
    st.caption(f"Plays from {clock(start_s * 1000)}; the keyframe is at {clock(entity.pts_ms)}.")


def _photograph(entity: MediaEntity) -> None:
    path = footage.file_of(entity)
    if path is None:
        _gone(entity)
        return
    try:
        limit = resources.settings().media.max_pixels
        st.image(query_image.read_file(path, limit, _LOOK_PX), width="stretch", alt="The photo")
    except MediaError as error:
        show_thumbnail(entity.thumbnail, alt="The photo, small")
        if path.suffix.lower() not in {".heic", ".heif", ".avif"}:
            show(error)


def _gone(entity: MediaEntity) -> None:
    show_thumbnail(entity.thumbnail, alt="What was kept of it")
    if entity.is_remote:
        at = f", at {clock(entity.pts_ms)}" if entity.in_video else ""
        st.info(f"This is kept elsewhere. Open it there{at}: {plain(entity.uri)}")
        return
    st.warning(f"The file is not where it was: {plain(entity.uri)}")


def _facts(card: Card) -> None:
    entity = card.entity
    path = footage.file_of(entity)
    rows = [
        *([] if card.score is None else [("Score", f"{card.score:.4f}, rank {card.number}")]),
        ("Camera", entity.camera or "–"),
        ("Captured", local_time(entity.captured_at)),
        ("", f"{_CAPTURED_FROM[entity.captured_from]}, shown in {viewer_zone()}"),
    ]
    if entity.in_video:
        rows.append(("Position", f"{clock(entity.pts_ms)} of {clock(entity.duration_ms)}"))
    rows.append(("Size", f"{entity.width} × {entity.height} px"))
    if entity.caption:
        rows.append(("Caption", entity.caption))
    if entity.tags:
        rows.append(("Tags", ", ".join(entity.tags)))
    rows.append(("File", entity.uri if path is None else path.name))
    if path is not None:
        rows.append(("", f"{megabytes(path.stat().st_size)} in {path.parent}"))
    st.markdown(
        "  \n".join(
            f":gray[{label}] {plain(value)}" if label else f":small[:gray[{plain(value)}]]"
            for label, value in rows
        )
    )
    with st.expander("Id"):
        st.code(entity.id, language=None, wrap_lines=True)
