"""The button in the page's header that changes its language."""

from __future__ import annotations

import json

import streamlit as st

from dashboard.i18n import gettext as language


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
