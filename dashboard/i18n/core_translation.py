"""What search_core and ingest say in English, said in the language of the page.

They speak English: what they say goes to terminals, logs and files as well. Those of their messages
that people meet in the dashboard are marked in core_messages.py; any other stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import Any

import streamlit as st

from dashboard.i18n.core_messages import CHART_WORDS, MESSAGES
from dashboard.i18n.gettext import _, current

#: What these keys hold in a chart names columns and looks; it is not shown.
_NOT_SHOWN = {"field", "type", "style", "mark", "data", "name", "sort"}

#: What stands for these is a message too; what stands for others is a name, or a number.
_NESTED = {"what", "reason", "ring", "queries", "time"}


def said(text: str) -> str:
    """Return a message of search_core or ingest in the language of the page.

    English where it is not known: a part of it may be another program's.
    """
    if current() == "en" or not text:
        return text
    for pattern, message in _patterns():
        if found := pattern.fullmatch(text):
            parts = found.groupdict().items()
            return _(message).format(
                **{name: said(value) if name in _NESTED else value for name, value in parts}
            )
    return text


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
    return said(part) if isinstance(part, str) and _is_chart_word(part) else part


def _is_chart_word(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in _chart_patterns())


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((pattern_of(message), message) for message in (*CHART_WORDS, *MESSAGES))


@cache
def _chart_patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(map(pattern_of, CHART_WORDS))


def pattern_of(message: str) -> re.Pattern[str]:
    """Return what matches a message whose ``{name}`` have been filled in, each as a group."""
    parts = (
        re.escape(literal) + (f"(?P<{name}>.+?)" if name else "")
        for literal, name, *_rest in Formatter().parse(message)
    )
    return re.compile("".join(parts), re.DOTALL)
