"""The route of the login: a form in, a cookie out that scripts cannot read."""

from __future__ import annotations

import urllib.parse

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.auth import identity, provider_login
from dashboard.auth.gate import LOGIN
from dashboard.auth.login_page import HEADERS, login_page
from dashboard.i18n import gettext as language
from dashboard.i18n.core_translation import said
from dashboard.i18n.gettext import _
from search_core.access.login import LONGEST_S
from search_core.errors import LoginRefused, SightlineError

_MOST_BYTES = 16_384
_HOME = "/"


async def _answer(request: Request) -> Response:
    chosen = request.query_params.get("language", "")
    known = {**request.cookies, language.COOKIE: chosen} if chosen else request.cookies
    spoken = language.preferred(known, request.headers.get("accept-language", ""))
    with language.speaking(spoken):
        if request.method == "POST":
            return await _log_in(request)
        answer = await run_in_threadpool(_show, request)
    if chosen == spoken:
        answer.headers.append("set-cookie", language.cookie_of(spoken))
    return answer


def _show(request: Request) -> Response:
    wanted = _own_path(request.query_params.get("next", ""))
    try:
        if identity.who(request.cookies) is not None:
            return RedirectResponse(wanted, status_code=303)
        wrong = provider_login.why_not_in(request.cookies)
        return _page(wanted, wrong=wrong, status=403 if wrong else 200)
    except SightlineError as error:
        return _page(wanted, wrong=_words_of(error), status=503)


async def _log_in(request: Request) -> Response:
    if not _is_own_form(request):
        return _page(_HOME, wrong=_("Open this page anew and try again."), status=403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return _page(_HOME, wrong=_("That was too long."), status=413)
    return await run_in_threadpool(_try, request, body)


def _try(request: Request, body: bytes) -> Response:
    given = urllib.parse.parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    name, password, wanted = (given.get(key, [""])[0] for key in ("name", "password", "next"))
    wanted = _own_path(wanted)
    address = request.client.host if request.client else ""
    try:
        token = identity.login().log_in(name, password, address)
    except LoginRefused as refused:
        status = 429 if refused.wait_s else 401
        page = _page(wanted, name=name, wrong=_words_of(refused), status=status)
        if refused.wait_s:
            page.headers["Retry-After"] = str(round(refused.wait_s + 0.5))
        return page
    except SightlineError as error:
        return _page(wanted, wrong=_words_of(error), status=503)
    answer = RedirectResponse(wanted, status_code=303)
    # Lax, so that a link to a search opens; nothing that a GET asks for changes anything.
    answer.set_cookie(
        identity.COOKIE,
        token,
        max_age=round(LONGEST_S),
        httponly=True,
        samesite="lax",
        secure=_by_https(request),
    )
    return answer


def _page(wanted: str, *, name: str = "", wrong: str = "", status: int = 200) -> Response:
    users = identity.login().users.all() if not wrong else []
    offered = provider_login.providers()
    with_password = bool(wrong) or not offered or any(not user.logs_in_elsewhere for user in users)
    html = login_page(wanted, offered, with_password=with_password, name=name, wrong=wrong)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def _words_of(error: SightlineError) -> str:
    return f"{said(error.message)} {said(error.hint)}".strip()


def _own_path(path: str) -> str:
    """Return a path of this dashboard's own pages; anything else becomes its first page."""
    parts = urllib.parse.urlsplit(path)
    harmless = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if harmless and not parts.netloc and path.isprintable() else _HOME


def _is_own_form(request: Request) -> bool:
    """Whether a form was sent from this very site, as browsers say: no other site may log in."""
    if request.headers.get("sec-fetch-site") == "same-origin":
        return True
    origin = urllib.parse.urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def _by_https(request: Request) -> bool:
    """Whether the browser speaks https, be it with a proxy before this server."""
    origin = urllib.parse.urlsplit(request.headers.get("origin", ""))
    return "https" in (origin.scheme, request.url.scheme)


ROUTES = [Route(LOGIN, _answer, methods=["GET", "POST"])]
