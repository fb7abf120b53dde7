"""What went wrong, said in words: no page shows a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.core_words import said
from dashboard.language import _
from dashboard.wording import plain
from search_core.errors import SightlineError

_log = logging.getLogger(__name__)


@contextmanager
def shown_in_words() -> Iterator[None]:
    """Show an error as a message with its hint; log one that nobody foresaw.

    Also a decorator, which fragments and dialogs need: they rerun outside the page that drew them.
    """
    try:
        yield
    except SightlineError as error:
        show(error)
    except Exception:
        _log.exception("A page of the dashboard failed")
        st.error(
            _(
                "Something went wrong that Sightline did not foresee.  \n"
                "Reload the page; the details are in the log of the terminal that runs the "
                "dashboard."
            ),
            icon=":material/error:",
        )


def show(error: SightlineError) -> None:
    """Show one error with its hint."""
    hint = f"  \n{plain(said(error.hint))}" if error.hint else ""
    st.error(f"**{plain(said(error.message))}**{hint}", icon=":material/error:")
