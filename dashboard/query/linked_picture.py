"""The picture searched by, as the page's address carries it: by the hash of a picture that is kept.

Pages are seen by those alone who are logged in where there is a login, and so are these pictures.
"""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.i18n.gettext import _
from dashboard.query import terms as search_terms
from search_core.errors import MediaError
from search_core.search.query_pictures import KEPT


def keep(picture: query_image.QueryPicture) -> bool:
    """Keep a picture so that the address can carry it; False where it is not kept."""
    kept = resources.query_pictures()
    return kept is not None and kept.keep(picture.data)


def take_up() -> None:
    """Search by the picture that the address names; going back in the browser takes it away."""
    search_terms.come_back()
    named, held = search_terms.named_picture(), search_terms.picture()
    if held is not None and named in ("", held.digest):
        search_terms.follow_address()
    elif named:
        found = _read(named)
        if found is not None:
            search_terms.set_linked_picture(found)
        elif held is not None:
            search_terms.let_go_of_picture()


def say_what_links_hold() -> None:
    """Say where the address names a picture that is gone, or cannot name the one searched by."""
    held = search_terms.picture()
    if held is not None:
        if not search_terms.named_picture():
            text = _("Links to this search are without the picture: it is not kept here.")
            if resources.query_pictures() is None:
                text = _("Links to this search are without the picture: nothing is recorded here.")
            st.caption(text, width="content")
        return
    if not search_terms.named_picture():
        return
    text = _(
        "The picture this link searches by is not kept here any more: it goes {days} days after it "
        "was last searched by. Upload it again, or search by a sentence."
    ).format(days=KEPT.days)
    if resources.query_pictures() is None:
        text = _(
            "This link searches by a picture, and pictures are not kept here: searches are not "
            "recorded. Upload it again, or search by a sentence."
        )
    st.warning(text, icon=":material/broken_image:")
    st.button(_("Search without it"), on_click=search_terms.remove_picture)


def _read(digest: str) -> query_image.QueryPicture | None:
    kept = resources.query_pictures()
    data = kept.read(digest) if kept is not None else None
    if data is None:
        return None
    try:
        return query_image.reopened_picture(data, resources.settings().media.max_pixels)
    except MediaError:
        return None  # no picture that was kept is like this: to whoever has the link it is gone
