"""The dashboard's pages, in the order of their menu."""

from __future__ import annotations

import streamlit as st

# Pages are imported when they are asked for: they import the modules that switch between them.


def search_page() -> st.Page:
    """Return the page that searches."""
    from dashboard.app_pages import search

    return st.Page(search.page, title="Search", icon=":material/search:", default=True)


def library_page() -> st.Page:
    """Return the page that shows and changes what is in a library."""
    from dashboard.app_pages import library

    icon = ":material/video_library:"
    return st.Page(library.page, title="Library", icon=icon, url_path="library")


def index_page() -> st.Page:
    """Return the page that shows and changes a library's index."""
    from dashboard.app_pages import index

    return st.Page(index.page, title="Index", icon=":material/speed:", url_path="index")
