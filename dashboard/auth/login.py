"""Logging in and out: the route of the login (a form in, a cookie out that scripts cannot read),
its one self-contained page of HTML in the dashboard's colours, without scripts, and the page
Account.
"""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Sequence
from html import escape

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.auth import identity, provider_login
from dashboard.auth.gate import LOGIN, SESSION
from dashboard.auth.provider_login import Provider
from dashboard.components.routes import Page
from dashboard.components.theme import LOGO, MARK
from dashboard.i18n import gettext as language
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import N_, _, said
from search_core.access.login import LONGEST_S
from search_core.errors import LoginRefused, SightlineError

_MOST_BYTES = 16_384
_HOME = "/"
_CSS = """
:root { color-scheme: light dark; --ground: #f3f5f7; --card: #ffffff; --text: #1a2230;
  --dim: #566273; --line: #8a95a3; --accent: #1f6f8b; --on-accent: #ffffff; --wrong: #a3262f;
  --wrong-ground: #fdeeee; }
@media (prefers-color-scheme: dark) { :root { --ground: #11161c; --card: #1a2129; --text: #e4e9ee;
  --dim: #9fabb8; --line: #6b7887; --accent: #4fb3d3; --on-accent: #0b1319; --wrong: #ffb3b5;
  --wrong-ground: #3a1d22; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--ground); color: var(--text);
  font: 1rem/1.5 "Source Sans", "Segoe UI", Helvetica, Arial, sans-serif; }
main { width: 100%; max-width: 23rem; padding: 2rem; background: var(--card);
  border: 1px solid color-mix(in srgb, var(--line) 45%, transparent); border-radius: 0.6rem; }
svg { display: block; height: 2rem; width: auto; margin: 0 0 1.25rem -0.2rem; }
h1 { margin: 0 0 1.25rem; font-size: 1.15rem; font-weight: 600; }
label { display: block; margin: 0 0 1rem; font-size: 0.875rem; color: var(--dim); }
input { display: block; width: 100%; margin-top: 0.3rem; padding: 0.6rem 0.75rem; font: inherit;
  font-size: 1rem; color: var(--text); background: var(--ground); border: 1px solid var(--line);
  border-radius: 0.4rem; }
button, a.provider { display: block; width: 100%; margin-top: 0.5rem; padding: 0.65rem 1rem;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
  border-radius: 0.4rem; border: 1px solid var(--accent); }
button { color: var(--on-accent); background: var(--accent); }
a.provider { color: var(--text); background: transparent; border-color: var(--line); }
:focus-visible { outline: 3px solid color-mix(in srgb, var(--accent) 55%, transparent);
  outline-offset: 1px; }
.wrong { margin: 0 0 1.25rem; padding: 0.65rem 0.75rem; font-size: 0.9rem; color: var(--wrong);
  background: var(--wrong-ground); border-radius: 0.4rem; }
.languages { margin: 1.25rem 0 0; font-size: 0.875rem; text-align: center; }
.languages a { color: var(--dim); }
.or { margin: 1.25rem 0 0.75rem; font-size: 0.875rem; color: var(--dim); text-align: center; }
"""
_ICON = "data:image/svg+xml;base64," + base64.b64encode(MARK.encode()).decode()
_CSS_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
#: Nothing on the page but this style and this icon; its form goes nowhere else.
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; img-src data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
_MAY = {
    "viewer": N_("search and look at what was found"),
    "operator": N_("search, add footage and tag it"),
    "admin": N_("search, add, tag and delete footage, and change indexes"),
}


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
        return _login_answer(wanted, wrong=wrong, status=403 if wrong else 200)
    except SightlineError as error:
        return _login_answer(wanted, wrong=_words_of(error), status=503)


async def _log_in(request: Request) -> Response:
    if not _is_own_form(request):
        return _login_answer(_HOME, wrong=_("Reload this page and try again."), status=403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return _login_answer(_HOME, wrong=_("That was too long."), status=413)
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
        page = _login_answer(wanted, name=name, wrong=_words_of(refused), status=status)
        if refused.wait_s:
            page.headers["Retry-After"] = str(round(refused.wait_s + 0.5))
        return page
    except SightlineError as error:
        return _login_answer(wanted, wrong=_words_of(error), status=503)
    answer = RedirectResponse(wanted, status_code=303)
    # Lax, so that a link to a search opens; nothing that a GET asks for changes anything.
    answer.set_cookie(
        identity.COOKIE,
        token,
        max_age=round(LONGEST_S),
        httponly=True,
        samesite="lax",
        # Whether the browser speaks https, be it with a proxy before this server.
        secure="https" in (_origin(request).scheme, request.url.scheme),
    )
    return answer


def _login_answer(wanted: str, *, name: str = "", wrong: str = "", status: int = 200) -> Response:
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
    origin = _origin(request)
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def _origin(request: Request) -> urllib.parse.SplitResult:
    return urllib.parse.urlsplit(request.headers.get("origin", ""))


def _session(request: Request) -> Response:
    """Answer a page that asks whether its user is still logged in."""
    try:
        status = 401 if identity.who(request.cookies, used=False) is None else 204
    except SightlineError:
        status = 503
    return Response(status_code=status, headers={"Cache-Control": "no-store"})


ROUTES = [Route(LOGIN, _answer, methods=["GET", "POST"]), Route(SESSION, _session)]


def login_page(
    wanted: str,
    providers: Sequence[Provider],
    *,
    with_password: bool,
    name: str = "",
    wrong: str = "",
) -> str:
    """Return the page; ``wanted`` is the path to go to after it, ``wrong`` why it is seen again."""
    form = _login_form(wanted, name) if with_password else ""
    either = escape(_("or"))
    divider = f'<p class="or">{either}</p>' if form and providers else ""
    links = "".join(
        f'<a class="provider" href="{escape(provider.url)}">{escape(provider.title)}</a>'
        for provider in providers
    )
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    title = escape(_("Log in"))
    logo = LOGO.replace("<svg ", '<svg role="img" aria-label="Sightline" ', 1)
    return (
        f'<!doctype html><html lang="{language.TAGS[language.current()]}"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · Sightline</title><link rel="icon" href="{_ICON}">'
        f"<style>{_CSS}</style></head><body><main>{logo}<h1>{title}</h1>{told}"
        f"{form}{divider}{links}{_other_languages(wanted)}</main></body></html>"
    )


def _login_form(wanted: str, name: str) -> str:
    at_name, at_password = ("", " autofocus") if name else (" autofocus", "")
    its_name, password, log_in = escape(_("Name")), escape(_("Password")), escape(_("Log in"))
    return (
        '<form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(wanted)}">'
        f'<label>{its_name}<input name="name" autocomplete="username" autocapitalize="none" '
        f'spellcheck="false" required maxlength="200" value="{escape(name)}"{at_name}></label>'
        f'<label>{password}<input name="password" type="password" autocomplete="current-password" '
        f'required maxlength="1000"{at_password}></label>'
        f'<button type="submit">{log_in}</button></form>'
    )


def _other_languages(wanted: str) -> str:
    """Return links to this page in the other languages."""
    links = (
        f'<a href="/login?{escape(urllib.parse.urlencode({"language": key, "next": wanted}))}" '
        f'lang="{language.TAGS[key]}" hreflang="{language.TAGS[key]}">{name}</a>'
        for key, name in language.NAMES.items()
        if key != language.current()
    )
    return f'<p class="languages">{" ".join(links)}</p>'


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


#: Back to where the session ended by itself, not to the page on which it was ended.
_TO_LOGIN = (
    "const here = location.pathname + location.search;"
    "const back = ['/', '/account'].includes(here) ? '' : '?next=' + encodeURIComponent(here);"
    "location.replace('/login' + back);"
)


def logged_out() -> None:
    """Draw what is left to be seen when a session is over, and lead to the login."""
    st.markdown("##### " + _("You are logged out"))
    st.html('<a href="/login" target="_self">' + _("Log in") + "</a>")
    st.html(f"<script>{_TO_LOGIN}</script>", unsafe_allow_javascript=True)
