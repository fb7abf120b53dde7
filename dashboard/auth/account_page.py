"""Account: who is logged in, what that allows, and logging out."""

from __future__ import annotations

import streamlit as st

from dashboard.auth import identity
from dashboard.components.routes import Page
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import N_, _

_MAY = {
    "viewer": N_("search and look at what was found"),
    "operator": N_("search, add footage and tag it"),
    "admin": N_("search, add, tag and delete footage, and change indexes"),
}


def page() -> None:
    """Draw the page."""
    access = identity.current()
    with st.container(border=True, width=560):
        st.markdown(f"##### {plain(access.name)}")
        cameras = ", ".join(map(plain, access.cameras or ())) or _("none")
        if access.cameras is None:
            cameras = _("all")
        may = _("{role}: may {what}").format(role=access.role, what=_(_MAY[access.role]))
        role, seen = _("Role"), _("Cameras")
        st.markdown(f":gray[{role}] {may}  \n:gray[{seen}] {cameras}")
        st.button(_("Log out"), icon=":material/logout:", on_click=identity.log_out)


PAGE = Page("account", N_("Account"), ":material/account_circle:", page, personal=True)


def logged_out() -> None:
    """Draw what is left to be seen when a session is over, and lead to the login."""
    st.markdown("##### " + _("You are logged out"))
    st.html('<a href="/login" target="_self">' + _("Log in") + "</a>")
    st.html("<script>window.location.replace('/login')</script>", unsafe_allow_javascript=True)
