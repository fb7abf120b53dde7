"""The pages and how the browser frames them; nothing else."""

from __future__ import annotations

import streamlit as st

from dashboard import theme as style
from dashboard.auth import identity
from dashboard.auth import media_access as media_owners
from dashboard.components import routes as pages
from dashboard.components.errors import shown_in_words
from dashboard.i18n.switch import language_switch
from dashboard.query import terms as search_terms
from search_core.errors import NotLoggedIn

st.set_page_config(
    page_title="Sightline",
    page_icon=style.MARK,
    layout="wide",
    initial_sidebar_state="auto",
)
style.apply()
st.logo(style.LOGO, size="large", icon_image=style.MARK)
language_switch()
with shown_in_words(again=True):
    try:
        chosen = st.navigation(pages.pages_of(identity.begin_page()), position="top")
    except NotLoggedIn:
        chosen = st.navigation([pages.logged_out_page()], position="hidden")
    if chosen.url_path:  # the search page has none
        search_terms.leave()
    chosen.run()
    media_owners.keep_shown()
