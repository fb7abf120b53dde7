"""The login as HTML: one self-contained page, in the dashboard's colours, without scripts."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Sequence
from html import escape

from dashboard.auth.provider_login import Provider
from dashboard.i18n import gettext as language
from dashboard.i18n.gettext import _
from dashboard.theme import LOGO, MARK

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


def login_page(
    wanted: str,
    providers: Sequence[Provider],
    *,
    with_password: bool,
    name: str = "",
    wrong: str = "",
) -> str:
    """Return the page; ``wanted`` is the path to go to after it, ``wrong`` why it is seen again."""
    form = _form(wanted, name) if with_password else ""
    either = escape(_("or"))
    divider = f'<p class="or">{either}</p>' if form and providers else ""
    links = "".join(
        f'<a class="provider" href="{escape(provider.url)}">{escape(provider.title)}</a>'
        for provider in providers
    )
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    title = escape(_("Log in"))
    return (
        f'<!doctype html><html lang="{language.TAGS[language.current()]}"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · Sightline</title><link rel="icon" href="{_ICON}">'
        f"<style>{_CSS}</style></head><body><main>{_logo()}<h1>{title}</h1>{told}"
        f"{form}{divider}{links}{_others(wanted)}</main></body></html>"
    )


def _form(wanted: str, name: str) -> str:
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


def _others(wanted: str) -> str:
    """Return links to this page in the other languages."""
    links = (
        f'<a href="/login?{escape(urllib.parse.urlencode({"language": key, "next": wanted}))}" '
        f'lang="{language.TAGS[key]}" hreflang="{language.TAGS[key]}">{name}</a>'
        for key, name in language.NAMES.items()
        if key != language.current()
    )
    return f'<p class="languages">{" ".join(links)}</p>'


def _logo() -> str:
    return LOGO.replace("<svg ", '<svg role="img" aria-label="Sightline" ', 1)
