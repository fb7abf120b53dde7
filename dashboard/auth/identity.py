"""Who is at the other end: of a page that is drawn, and of a request to a route.

Both carry the cookies of one browser, so both are asked here, and what is found is what a user
may do at this moment: nothing of it is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.auth import media_access as media_owners
from dashboard.auth import provider_login
from dashboard.i18n.gettext import _
from search_core.access.audit_log import Action, AuditLog
from search_core.access.login import Login
from search_core.access.roles import LOCAL, Access
from search_core.errors import NotLoggedIn
from search_core.schema.entity import MediaEntity
from search_core.settings import load_settings

COOKIE = "sightline_session"
_VIEWED = "viewed"
_WHOSE = "whose_session"


@st.cache_resource(show_spinner=False)
def audit_log() -> AuditLog:
    """Return the one audit log."""
    return AuditLog(load_settings().audit_path)


@st.cache_resource(show_spinner=False)
def login() -> Login:
    """Return the one login."""
    return Login(load_settings(), audit_log())


def who(cookies: Mapping[str, str], *, used: bool = True) -> Access | None:
    """Return the user of these cookies, None for no session; without login everybody is LOCAL.

    A session that is asked for and not ``used`` ends no later for it. Raises SettingsError when the
    users cannot be read.
    """
    if not login().is_required:
        return LOCAL
    access = login().who(cookies.get(COOKIE, ""), used=used)
    if access is None and (mail := provider_login.mail_in(cookies)):
        access = login().known_elsewhere_as(mail)
    return access


def current() -> Access:
    """Return the user of the page that is being drawn; raises NotLoggedIn."""
    access = who(st.context.cookies) if login().is_required else LOCAL
    media_owners.remember(access)
    if access is None:
        raise NotLoggedIn(
            _("You are not logged in any more."), _("Reload the page to log in again.")
        )
    return access


def begin_page() -> Access:
    """Return the page's user; state of a user with other rights is cleared.

    Raises NotLoggedIn.
    """
    access = current()
    if st.session_state.get(_WHOSE, access) != access:
        st.session_state.clear()
    st.session_state[_WHOSE] = access
    return access


def require_removing(doing: str) -> None:
    """Raise NotAllowed unless the user may delete, and sees all cameras.

    Asked when it is done, not only when its button is drawn: a role may have changed meanwhile.
    """
    access = current()
    access.require("delete", doing)
    access.require_all_cameras(doing)


def record(action: Action, library: str = "", detail: Mapping[str, Any] | None = None) -> None:
    """Write an action of the page's user into the audit log.

    Raises AuditUnavailable, NotLoggedIn.
    """
    audit_log().record(current().name, action, library, detail, address())


def record_view(library: str, entity: MediaEntity) -> None:
    """Write down that a moment was opened, once while it is open."""
    viewed = (library, entity.id)
    if st.session_state.get(_VIEWED) != viewed:
        record("view", library, {"id": entity.id, "camera": entity.camera, "file": entity.uri})
        st.session_state[_VIEWED] = viewed


def download(
    library: str, detail: Mapping[str, Any], make: Callable[[], bytes | str]
) -> Callable[[], bytes]:
    """Return a function that makes a file for the page's user alone, and audits it."""
    access, asked_from = current(), address()

    def made() -> bytes:
        audit_log().record(access.name, "export", library, detail, asked_from)
        made_of = make()
        data = made_of.encode() if isinstance(made_of, str) else made_of
        media_owners.hand_out(access, data)
        return data

    return made


def log_out() -> None:
    """End the session of the page's user."""
    login().log_out(st.context.cookies.get(COOKIE, ""), address())
    if provider_login.mail_in(st.context.cookies):
        st.logout()


def address() -> str:
    """Return the address that the page is requested from, "" outside of a page.

    Streamlit does not name this machine's own loopback address.
    """
    if get_script_run_ctx() is None:
        return ""
    given = st.context.ip_address
    return given if isinstance(given, str) else "localhost"
