"""Account: who is logged in, what that allows, and logging out."""

from __future__ import annotations

import streamlit as st

from dashboard import identity
from dashboard.wording import plain

_MAY = {
    "viewer": "search and look at what was found",
    "operator": "search, add footage and tag it",
    "admin": "search, add, tag and delete footage, and change indexes",
}


def page() -> None:
    """Draw the page."""
    access = identity.current()
    with st.container(border=True, width=560):
        st.markdown(f"##### {plain(access.name)}")
        cameras = "all" if access.cameras is None else ", ".join(map(plain, access.cameras))
        st.markdown(
            f":gray[Role] {access.role}: may {_MAY[access.role]}  \n"
            f":gray[Cameras] {cameras or 'none'}"
        )
        st.button("Log out", icon=":material/logout:", on_click=identity.log_out)


def logged_out() -> None:
    """Draw what is left to be seen when a session is over, and lead to the login."""
    st.markdown("##### You are logged out")
    st.html('<a href="/login" target="_self">Log in</a>')
    st.html("<script>window.location.replace('/login')</script>", unsafe_allow_javascript=True)
