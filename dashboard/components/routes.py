"""The dashboard's pages, in the order of their menu."""

from __future__ import annotations

import streamlit as st

from dashboard.i18n.gettext import _
from search_core.access.roles import LOCAL, Access

# Pages are imported when they are asked for: they import the modules that switch between them.


def pages_of(access: Access) -> list[st.Page]:
    """Return the pages that somebody may open, and in place of others what says that it may not.

    The menu shows the former only.
    """
    found = [search_page(), library_page(), map_page()]
    found.append(cameras_page() if access.may("ingest") else refused(cameras_page()))
    found.append(index_page() if access.may("index") else refused(index_page()))
    if access is not LOCAL:
        found.append(account_page(access))
    return found


def search_page() -> st.Page:
    """Return the page that searches."""
    from dashboard.search import page as search

    return st.Page(search.page, title=_("Search"), icon=":material/search:", default=True)


def library_page() -> st.Page:
    """Return the page that shows and changes what is in a library."""
    from dashboard.library import page as library

    icon = ":material/video_library:"
    return st.Page(library.page, title=_("Library"), icon=icon, url_path="library")


def map_page() -> st.Page:
    """Return the page that shows a library's embeddings in two dimensions."""
    from dashboard.map import page as map_of_library

    icon = ":material/scatter_plot:"
    return st.Page(map_of_library.page, title=_("Map"), icon=icon, url_path="map")


def cameras_page() -> st.Page:
    """Return the page that shows the live cameras."""
    from dashboard.cameras import page as cameras

    return st.Page(cameras.page, title=_("Cameras"), icon=":material/videocam:", url_path="cameras")


def index_page() -> st.Page:
    """Return the page that shows and changes a library's index."""
    from dashboard.index import page as index

    return st.Page(index.page, title=_("Index"), icon=":material/speed:", url_path="index")


def account_page(access: Access) -> st.Page:
    """Return the page that says who is logged in, and logs out."""
    from dashboard.auth import account_page as account

    icon = ":material/account_circle:"
    return st.Page(account.page, title=access.name, icon=icon, url_path="account")


def refused(page: st.Page) -> st.Page:
    """Return what stands at a page's address for those who may not open it."""

    def refuse() -> None:
        st.info(_("Your role may not open {page}.").format(page=page.title))

    return st.Page(refuse, title=page.title, url_path=page.url_path, visibility="hidden")


def logged_out_page() -> st.Page:
    """Return what is seen when a session is over."""
    from dashboard.auth import account_page as account

    return st.Page(account.logged_out, title=_("Logged out"), default=True)
