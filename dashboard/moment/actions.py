"""What can be done with an opened moment: search by it, link to it, take it along, delete it."""

from __future__ import annotations

import urllib.parse

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import image_input as query_image
from dashboard.components import routes as pages
from dashboard.components import video_serving as footage
from dashboard.components.browser import picked_region, region_picker
from dashboard.components.image_input import Box
from dashboard.components.stills import still_of
from dashboard.components.thumbnails import thumbnail_file
from dashboard.i18n.formatting import counted, local_time
from dashboard.i18n.gettext import _, ngettext
from dashboard.library.deletion import asked
from dashboard.query import terms as search_terms
from dashboard.query.request import forget_answer
from ingest.rows.deletion import KEPT, discard
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter

_CHOOSING = "choosing_region_of"
_DONE = "done_to_moment"


def show_actions(library: str, entity: MediaEntity, searching: bool) -> None:
    """Draw the buttons of what people need; ``searching`` says that this is the search page."""
    if st.button(
        _("More like this"),
        icon=":material/image_search:",
        type="primary",
        on_click=search_terms.look_for_more_like,
        args=(entity.id,),
    ):
        _go(library, entity, None, searching)
    st.button(
        _("Region"),
        icon=":material/crop:",
        help=_("Search by a part of this picture"),
        on_click=_toggle_choosing,
        args=(entity.id,),
    )
    with st.popover(_("Download"), icon=":material/download:"):
        _downloads(library, entity)
    with st.popover(_("Link"), icon=":material/link:"):
        st.caption(_("Opens this moment. The button at the right of it copies."))
        with st.container(key="moment-link"):
            st.code(_link(library, entity), language=None, wrap_lines=True)


def show_delete(library: str, entity: MediaEntity) -> None:
    """Draw the button that deletes it, for those who may."""
    if identity.current().may_remove:
        with st.popover(_("Delete"), icon=":material/delete:"):
            _delete(library, entity)


def is_done() -> bool:
    """Whether something was just done that closes the dialog."""
    return _DONE in st.session_state


def say_what_was_done() -> None:
    """Say what closed the dialog, on the page that is drawn then: said before, it is lost."""
    done = st.session_state.pop(_DONE, None)
    if done is not None:
        st.toast(done)


def is_choosing(entity: MediaEntity) -> bool:
    """Whether a region of this entity is being chosen."""
    return bool(st.session_state.get(_CHOOSING) == entity.id)


def stop_choosing() -> None:
    """Show the picture itself again."""
    st.session_state.pop(_CHOOSING, None)


def choose_region(library: str, entity: MediaEntity, searching: bool) -> None:
    """Let a region be drawn on an entity's still, to search by."""
    key = f"region-{entity.id}"
    region_picker(still_of(entity), None, key)
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption(_("Draw a rectangle, or move it with the arrow keys."), width="content")
        st.space("stretch")
        st.button(_("Cancel"), on_click=stop_choosing)
        if st.button(
            _("Search this region"),
            type="primary",
            on_click=_look_for_region,
            args=(entity.id, key),
        ):
            _go(library, entity, picked_region(key), searching)


def _look_for_region(entity_id: str, key: str) -> None:
    search_terms.look_for_more_like(entity_id, picked_region(key))


def _toggle_choosing(entity_id: str) -> None:
    chosen = st.session_state.get(_CHOOSING)
    st.session_state[_CHOOSING] = "" if chosen == entity_id else entity_id


def _go(library: str, entity: MediaEntity, part: Box | None, searching: bool) -> None:
    if searching:
        st.rerun()
    address = {"library": library, search_terms.LIKE: entity.id}
    if part is not None:
        address[search_terms.REGION] = query_image.box_to_text(part)
    pages.switch_to("search", **address)


def _link(library: str, entity: MediaEntity) -> str:
    here = urllib.parse.urlsplit(st.context.url or "")
    query = urllib.parse.urlencode({"library": library, "moment": entity.id})
    return urllib.parse.urlunsplit((here.scheme, here.netloc, "/", query, ""))


def _downloads(library: str, entity: MediaEntity) -> None:
    path = footage.file_of(entity)
    picture = thumbnail_file(entity.thumbnail) if entity.in_video else path
    if picture is not None:
        st.download_button(
            _("The keyframe, small") if entity.in_video else _("The picture"),
            data=identity.download(library, {"id": entity.id}, picture.read_bytes),
            file_name=f"{entity.id}{picture.suffix}",
            icon=":material/image:",
            on_click="ignore",
            width="stretch",
        )
    url = footage.url_of(library, entity) if entity.in_video else None
    if url is not None and path is not None:
        st.link_button(
            _("The whole video"), f"{url}?download", icon=":material/movie:", width="stretch"
        )
    if picture is None and url is None:
        st.caption(_("Nothing of it is left to download."))


def _delete(library: str, entity: MediaEntity) -> None:
    text = _(
        "Deletes this picture from the library. **Library**, **Trash** can put it back for {days} "
        "days."
    ).format(days=KEPT.days)
    kept = "" if entity.is_live else " " + _("The footage itself is not touched.")
    st.markdown(text + kept)
    st.button(
        _("Delete this picture"), type="primary", on_click=_delete_now, args=(library, entity)
    )


def _delete_now(library: str, entity: MediaEntity) -> None:
    where = Filter(ids=(entity.id,))
    # The trash calls it that.
    what = ", ".join(filter(None, (entity.camera, local_time(entity.captured_at))))
    identity.record("delete", library, {**asked(where), "count": 1})
    discard(resources.settings(), resources.store(), library, where, what)
    resources.forget_what_was_read()
    forget_answer()
    done = ngettext(
        "Deleted {pictures}. **Trash** can put it back.",
        "Deleted {pictures}. **Trash** can put them back.",
        1,
    )
    st.session_state[_DONE] = done.format(pictures=counted(1, "picture"))
