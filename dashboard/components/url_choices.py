"""Choices that the address carries, whatever the language they are shown in.

Streamlit's own binding writes into the address what is shown. These are marked messages: each is
shown translated, and stands in the address as it is, so that a link opens alike in every language.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.i18n.gettext import _


def choose_in_address(label: str, options: Sequence[str], *, key: str, wide: bool = False) -> str:
    """Draw options side by side, the first of which is the usual one; return what is chosen.

    ``wide`` ones take all the room there is, and are labelled.
    """
    usual = options[0]
    _take_from_address(key, options, usual)
    chosen = st.segmented_control(
        label,
        options,
        default=usual,
        format_func=_,
        required=True,
        key=key,
        label_visibility="visible" if wide else "collapsed",
        width="stretch" if wide else "content",
    )
    return _keep_in_address(key, chosen, usual)


def slide_in_address(label: str, options: Sequence[str], *, key: str, usual: str) -> str:
    """Draw options along a slider; return what is chosen."""
    _take_from_address(key, options, usual)
    chosen = st.select_slider(label, options, value=usual, format_func=_, key=key)
    return _keep_in_address(key, str(chosen), usual)


def _take_from_address(key: str, options: Sequence[str], usual: str) -> None:
    """Choose what the address says, when it was opened by a link or gone back to."""
    told = st.query_params.get(key, usual)
    # What was not drawn for a while, as above no hits, was forgotten, and the address was not.
    forgotten = told != usual and key not in st.session_state
    if told in options and (forgotten or told != st.session_state.get(_written(key), usual)):
        st.session_state[key] = told
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]


def _keep_in_address(key: str, chosen: str, usual: str) -> str:
    st.session_state[_written(key)] = chosen
    if chosen != usual:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    return chosen


def _written(key: str) -> str:
    return f"{key}-in-address"
