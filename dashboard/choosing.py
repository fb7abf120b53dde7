"""A choice that the address carries, whatever the language it is shown in."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.language import _


def choose_in_address(label: str, options: Sequence[str], *, key: str, wide: bool = False) -> str:
    """Draw options, the first of which is the usual one; return the one that is chosen.

    They are marked messages: each is shown translated, and stands in the address as it is, so that
    a link opens alike in every language (Streamlit's own binding writes what is shown).
    """
    written, told = f"{key}-in-address", st.query_params.get(key, options[0])
    if told in options and told != st.session_state.get(written, options[0]):
        st.session_state[key] = told  # opened by a link, or gone back to
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        format_func=_,
        required=True,
        key=key,
        label_visibility="visible" if wide else "collapsed",
        width="stretch" if wide else "content",
    )
    st.session_state[written] = chosen
    if chosen != options[0]:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    return chosen
