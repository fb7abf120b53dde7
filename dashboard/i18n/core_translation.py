"""What search_core and ingest say in English, said in the language of the page.

They speak English: what they say goes to terminals, logs and files as well. Their messages keep
the templates they were made of, and it is those that are translated.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.i18n.gettext import N_, _, current
from search_core.messages import Message

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
#: What these keys hold in a chart names columns and looks; it is not shown.
_NOT_SHOWN = {
    *("field", "type", "style", "mark", "data", "name", "sort", "filter", "known_from"),
}


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
