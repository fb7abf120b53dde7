"""The languages people read the dashboard in: ``_`` and ``ngettext`` as GNU gettext has them, and
``said`` for what search_core and ingest say.

English is what the code says. Another language is a catalogue in ``locale/``, read when somebody
first asks for it. Every session has its own: what its user chose, else what the browser prefers.

The core speaks English: what it says goes to terminals, logs and files as well. Its messages keep
the templates they were made of, and it is those that are translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from search_core.messages import Message

Language = Literal["en", "zh"]
#: What each language calls itself, and its tag in HTML.
NAMES: Mapping[Language, str] = {"en": "English", "zh": "中文"}
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-CN"}
#: Remembers in the browser what was chosen.
COOKIE = "sightline_language"
DOMAIN = "sightline"
LOCALE = Path(__file__).with_name("locale")

_CHOSEN = "chosen_language"
_BROWSERS = "browsers_language"
_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)
#: What these keys hold in a chart names columns and looks; it is not shown.
_NOT_SHOWN = {
    *("field", "type", "style", "mark", "data", "name", "sort", "filter", "known_from"),
}


def _(message: str) -> str:
    """Return a message in the language of the page's user."""
    return catalogue(current()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Return the form of a message that goes with a count, in the language of this page."""
    return catalogue(current()).ngettext(singular, plural, count)


def N_(message: str) -> str:
    """Mark a message that is made here and translated where it is shown; return it as it is."""
    return message


def current() -> Language:
    """Return the language of the page, or the answer to a request, that is being made."""
    spoken = _spoken.get()
    if spoken is not None:
        return spoken
    # Asked for every message of a page: what the browser said is read once.
    found: Language | None = st.session_state.get(_CHOSEN) or st.session_state.get(_BROWSERS)
    if found is None:
        found = preferred(st.context.cookies, st.context.locale or "")
        st.session_state[_BROWSERS] = found
    return found


def preferred(cookies: Mapping[str, str], locales: str) -> Language:
    """Return what a browser's cookie says, else the first of its locales (``zh-CN,en;q=0.8``)."""
    chosen = cookies.get(COOKIE, "")
    for known in NAMES:
        if known == chosen:
            return known
    first = locales.partition(",")[0].strip().lower()
    return "zh" if first.partition("-")[0].partition("_")[0] == "zh" else "en"


def choose(language: Language) -> None:
    """Let this session be in a language from now on; a callback."""
    st.session_state[_CHOSEN] = language


def cookie() -> str:
    """Return the cookie that remembers what this session's user chose, "" for no choice."""
    chosen = st.session_state.get(_CHOSEN)
    return cookie_of(chosen) if chosen else ""


def cookie_of(language: Language) -> str:
    """Return the cookie that remembers a language for a year."""
    return f"{COOKIE}={language}; Path=/; Max-Age=31536000; SameSite=Lax"


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak a language within it, without asking for it again with every message."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def catalogue(language: Language) -> NullTranslations:
    """Return a language's messages."""
    if language == "en":
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


#: Words of the core that are names of states in its code.
_STATES = (
    N_("queued"),
    N_("running"),
    N_("done"),
    N_("failed"),
    N_("cancelled"),
    N_("skipped"),
    N_("live"),
    N_("lost"),
    N_("connecting"),
    N_("starting"),
    N_("watching"),
    N_("stopped"),
    N_("paused"),
    N_("recommended"),
    N_("fits"),
    N_("slow"),
    N_("finds too little"),
    N_("too large"),
    N_("not offered"),
)
#: How messages are joined; see search_core.messages.joined.
_JOINED = (N_("{first}; {then}"), N_("{first}, {then}"), N_("{first} {then}"))


def said(text: str) -> str:
    """Return a message of search_core or ingest in the language of the page.

    English where it is not known: it may be another program's.
    """
    if current() == "en" or not text:
        return text
    if not isinstance(text, Message) or not text.values:
        return _(text)
    return _(text.template).format(
        **{
            name: said(value) if isinstance(value, Message) else value
            for name, value in text.values.items()
        }
    )


def draw_in_words(chart: Any) -> None:
    """Draw one of the lab's charts, its titles and legends in the language of the page."""
    if current() == "en":
        st.altair_chart(chart, width="stretch", theme=None)
    else:
        st.vega_lite_chart(spec=_translated(chart.to_dict()), width="stretch", theme=None)


def _translated(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: value if key in _NOT_SHOWN else _translated(value) for key, value in part.items()
        }
    if isinstance(part, list):
        return [_translated(one) for one in part]
    return said(part) if isinstance(part, str) else part
