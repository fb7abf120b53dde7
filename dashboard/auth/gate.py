"""The gate before everything the dashboard serves: pages, their data, files, footage.

Where there is a login nothing passes it without one but the login itself. Where there is none, it
lets through what arrives at this machine's own loopback address, and refuses the rest.
"""

from __future__ import annotations

import ipaddress
import urllib.parse

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.auth import identity
from dashboard.auth import media_access as media_owners
from search_core.errors import SightlineError
from search_core.settings import load_settings

LOGIN = "/login"
SESSION = "/session"
#: What those may reach who are not logged in: the login, a provider's part of it, whether they are
#: logged in, and whether the server lives.
_OPEN = (LOGIN, SESSION, "/auth/login", "/oauth2callback", "/_stcore/health")
_NO_LOGIN = (
    "Sightline has no users, and so answers on this machine's loopback address only. "
    "Add users with `sightline users add`.\n"
)


class Gate:
    """ASGI middleware that lets through who may come in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open_to_all = load_settings().access.without_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = await run_in_threadpool(self._refusal, HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, _with_headers(send, scope["path"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    def _refusal(self, asked: HTTPConnection) -> Response | None:
        """Return the answer to what may not pass, None for what may."""
        try:
            if not identity.login().is_required:
                server = asked.scope.get("server")  # this machine's address, as it was asked at
                arrived_on_loopback = server is not None and is_loopback(str(server[0]))
                allowed = self._open_to_all or arrived_on_loopback
                return None if allowed else PlainTextResponse(_NO_LOGIN, status_code=403)
            path = asked.url.path
            if path in _OPEN:
                return None
            access = identity.who(asked.cookies)
        except SightlineError as error:
            return PlainTextResponse(f"{error.message}\n{error.hint}\n", status_code=503)
        if access is None:
            return _to_login(asked)
        if not path.startswith(media_owners.MEDIA) or media_owners.may_have(access, path):
            return None
        return PlainTextResponse("Not found", status_code=404)


def refuse_other_addresses() -> None:
    """End this process when it is to listen at more than the loopback address, and has no users."""
    address = str(st.get_option("server.address") or "")
    if not (identity.login().is_required or is_loopback(address)):
        if load_settings().access.without_login:
            return
        raise SystemExit(f"Not at the address {address or '(any)'}: {_NO_LOGIN}")


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens at an address."""
    try:
        return ipaddress.ip_address(address.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return address == "localhost"


def _to_login(asked: HTTPConnection) -> Response:
    """Send a browser that opens a page to the login, and back after it."""
    opens_page = asked.scope.get("method") == "GET" and "text/html" in asked.headers.get(
        "accept", ""
    )
    if not opens_page:
        return PlainTextResponse("Log in first.", status_code=401)
    wanted = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
    query = "" if wanted == "/" else f"?{urllib.parse.urlencode({'next': wanted})}"
    return RedirectResponse(f"{LOGIN}{query}", status_code=303)


def _with_headers(send: Send, path: str) -> Send:
    """Add to answers that no other site may frame them, and that files are not for caches."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Frame-Options", "SAMEORIGIN")
            headers.setdefault("Referrer-Policy", "same-origin")
            if path.startswith(media_owners.MEDIA):
                headers.setdefault("Cache-Control", "private, no-cache")
        await send(message)

    return send_with
