"""The pages, how the browser frames them, and the button that changes their language."""

from __future__ import annotations

import json

import streamlit as st

from dashboard.auth import identity
from dashboard.auth import media_access as media_owners
from dashboard.components import routes as pages
from dashboard.components import theme as style
from dashboard.components.browser import translate_streamlit, watch_session
from dashboard.components.errors import shown_in_words
from dashboard.components.undo import show_undo
from dashboard.i18n import gettext as language
from dashboard.i18n.formatting import one_zone
from dashboard.query import terms as search_terms
from search_core.errors import NotLoggedIn


def language_switch() -> None:
    """Draw the button, and tell the browser which language the page is in, and to remember it."""
    now = language.current()
    other: language.Language = "en" if now == "zh" else "zh"
    with st.container(key="language"):
        st.button(
            language.NAMES[other],
            key="switch-language",
            type="tertiary",
            icon=":material/translate:",
            on_click=language.choose,
            args=(other,),
        )
        script = f"document.documentElement.lang = {json.dumps(language.TAGS[now])};"
        if cookie := language.cookie():
            script += f"document.cookie = {json.dumps(cookie)};"
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


st.set_page_config(
    page_title="Sightline",
    page_icon=style.MARK,
    layout="wide",
    initial_sidebar_state="auto",
)
with language.speaking(language.current()), one_zone():
    style.apply()
    st.logo(style.LOGO, size="large")
    language_switch()
    watch_session()
    translate_streamlit()
    with shown_in_words(again=True):
        try:
            chosen = st.navigation(pages.pages_of(identity.begin_page()), position="top")
        except NotLoggedIn:
            chosen = st.navigation([pages.logged_out_page()], position="hidden")
        if chosen.url_path:  # the search page has none
            search_terms.leave()
        show_undo()
        chosen.run()
        media_owners.keep_shown()
