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


def map_page() -> st.Page:
    """Return the page that shows a library's embeddings in two dimensions."""
    from dashboard.app_pages import map as map_of_library

    icon = ":material/scatter_plot:"
    return st.Page(map_of_library.page, title="Map", icon=icon, url_path="map")


def cameras_page() -> st.Page:
    """Return the page that shows the live cameras."""
    from dashboard.app_pages import cameras

    return st.Page(cameras.page, title="Cameras", icon=":material/videocam:", url_path="cameras")


def index_page() -> st.Page:
    """Return the page that shows and changes a library's index."""
    from dashboard.app_pages import index

    return st.Page(index.page, title="Index", icon=":material/speed:", url_path="index")
