"""The pages and how the browser frames them; nothing else."""

from __future__ import annotations

import streamlit as st

from dashboard import pages, style
from dashboard.problems import shown_in_words

st.set_page_config(
    page_title="Sightline",
    page_icon=style.MARK,
    layout="wide",
    initial_sidebar_state="auto",
)
style.apply()
st.logo(style.LOGO, size="large", icon_image=style.MARK)
chosen = st.navigation(
    [
        pages.search_page(),
        pages.library_page(),
        pages.map_page(),
        pages.cameras_page(),
        pages.index_page(),
    ],
    position="top",
)
with shown_in_words():
    chosen.run()
