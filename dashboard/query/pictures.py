"""The picture searched by: as the page's address carries it, by the hash of a picture that is kept,
and from an address of the web, fetched where the settings allow it.

Pages are seen by those alone who are logged in where there is a login, and so are these pictures.
"""

from __future__ import annotations

import io

import streamlit as st

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.i18n.gettext import _, said
from dashboard.query import terms as search_terms
from search_core.errors import MediaError, UnsupportedMedia
from search_core.search.query_pictures import KEPT

#: Somebody waits for it.
_SECONDS = 20.0


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
        found = _kept_picture(named)
        if found is not None:
            search_terms.set_linked_picture(found)
        elif held is not None:
            search_terms.let_go_of_picture()


def say_what_links_hold() -> None:
    """Say where the address names a picture that is gone, or cannot name the one searched by."""
    held = search_terms.picture()
    if held is not None:
        if not search_terms.named_picture():
            text = _("Links to this search omit the picture: it could not be stored.")
            if resources.query_pictures() is None:
                text = _("Links to this search omit the picture: searches are not recorded here.")
            st.caption(text, width="content")
        return
    if not search_terms.named_picture():
        return
    text = _(
        "The picture of this link is no longer stored: pictures are deleted {days} days after "
        "their last search. Upload it again, or search by a sentence."
    ).format(days=KEPT.days)
    if resources.query_pictures() is None:
        text = _(
            "This link searches by a picture, but pictures are not stored here because searches "
            "are not recorded. Upload it again, or search by a sentence."
        )
    st.warning(text, icon=":material/broken_image:")
    st.button(_("Search without it"), on_click=search_terms.remove_picture)


def _kept_picture(digest: str) -> query_image.QueryPicture | None:
    kept = resources.query_pictures()
    data = kept.read(digest) if kept is not None else None
    if data is None:
        return None
    try:
        return query_image.reopened_picture(data, resources.settings().media.max_pixels)
    except MediaError:
        return None  # no picture that was kept is like this: to whoever has the link it is gone


def may_be_fetched() -> bool:
    """Whether the settings let dashboard users name addresses."""
    remote = resources.settings().remote
    return remote.allow_urls and remote.allow_jobs


def fetch_picture(address: str) -> query_image.QueryPicture:
    """Return the picture at an http(s) address; raises MediaError with the address in its words.

    Addresses that lead into the network this machine is in are refused, as for ingest.
    """
    from ingest.sources.remote.addresses import WEB, without_secrets
    from ingest.sources.remote.files import RemoteFiles

    settings = resources.settings()
    shown = without_secrets(address)
    if not may_be_fetched():
        raise UnsupportedMedia(
            _("Pictures at web addresses cannot be used here."),
            _("Download the picture, then upload or paste it."),
        )
    if address.partition("://")[0].lower() not in WEB:
        raise UnsupportedMedia(
            _("{address} is not a web address.").format(address=shown),
            _("Addresses begin with {schemes}.").format(schemes="https://"),
        )
    files = RemoteFiles(settings.remote.model_copy(update={"max_seconds": _SECONDS}))
    try:
        with files.open(next(files.find(address))) as opened:
            data = io.BufferedReader(opened.stream).read(query_image.MAX_BYTES + 1)
    except MediaError as error:
        text = _("{address} {what}.").format(address=shown, what=said(error.message))
        raise type(error)(text, error.hint) from None
    return query_image.read_picture(data, settings.media.max_pixels)
