"""Logging in at an OIDC provider, which Streamlit does; whom its signed cookie names.

Configured in ``.streamlit/secrets.toml``, section ``[auth]``, as Streamlit's documentation says.
Streamlit tells its pages who it is, but not the routes beside them: so its cookie is read here,
with the functions that Streamlit itself reads it with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamlit import auth_util
from streamlit.runtime.secrets import secrets_singleton
from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from dashboard.i18n.gettext import _

_SHARED = ("redirect_uri", "cookie_secret", "expose_tokens")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider to log in at: what people call it, and where logging in begins."""

    title: str
    url: str


def providers() -> list[Provider]:
    """Return the providers that are configured."""
    section = _section()
    named = [name for name, value in section.items() if isinstance(value, Mapping)]
    if "client_id" in section:
        named.insert(0, "default")
    return [
        Provider(_title(name), generate_login_redirect_url(name))
        for name in named
        if name not in ("client_kwargs", *_SHARED)
    ]


def mail_in(cookies: Mapping[str, str]) -> str:
    """Return the e-mail address that a provider vouches for in Streamlit's cookie, "" for none."""
    claims = _claims_in(cookies)
    return str(claims.get("email") or "") if _is_verified(claims) else ""


def why_not_in(cookies: Mapping[str, str]) -> str:
    """Return why one whom a provider sent may not come in, who is not a user here; "" for none."""
    claims = _claims_in(cookies)
    mail = str(claims.get("email") or "")
    if not claims:
        return ""
    if not mail or not _is_verified(claims):
        return _("Your login provider has not verified your e-mail address.")
    return _("{mail} is not a user here. Ask an administrator to add you.").format(mail=mail)


def _claims_in(cookies: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what a provider says in Streamlit's cookie, nothing where it does not hold here."""
    if USER_COOKIE_NAME not in cookies or not _section():
        return {}
    secret = get_cookie_secret()

    def one(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value.encode("latin-1"))

    try:
        claims: dict[str, Any] = json.loads(
            auth_util.get_cookie_with_chunks(one, USER_COOKIE_NAME) or b"{}"
        )
    except (ValueError, UnicodeError):
        return {}
    here = auth_util.get_origin_from_redirect_uri()
    told = claims.get("is_logged_in") is True and claims.get("origin") == here
    return claims if told else {}


def _title(name: str) -> str:
    if name == "default":
        return _("Log in with single sign-on")
    return _("Log in with {provider}").format(provider=name.capitalize())


def _is_verified(claims: Mapping[str, Any]) -> bool:
    """Whether the provider does not say that the address was never verified."""
    return claims.get("email_verified", True) in (True, "true")


def _section() -> Mapping[str, Any]:
    if not secrets_singleton.load_if_toml_exists():
        return {}
    section: Mapping[str, Any] = secrets_singleton.get("auth") or {}
    return section
