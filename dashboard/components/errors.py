"""What went wrong, said in words: no page shows a traceback, and what passes is waited for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import streamlit as st

from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import _, said
from search_core.errors import QueueUnavailable, SightlineError, StoreUnavailable

_log = logging.getLogger(__name__)
#: What may be over a little later: a Milvus or a queue that is started again.
_PASSING = (StoreUnavailable, QueueUnavailable)
_AGAIN_S = 3.0
_SENTENCE_END = re.compile(r"(?<=\.\s)|(?<=。)")


@contextmanager
def shown_in_words(*, again: bool = False) -> Iterator[None]:
    """Show an error as a message with its hint; log an unexpected one.

    With ``again``, for whole pages, a page that failed for what may pass is drawn anew until it
    does not. Also a decorator, which fragments and dialogs need: they rerun outside the page that
    drew them.
    """
    try:
        yield
    except SightlineError as error:
        show(error)
        if again and isinstance(error, _PASSING):
            _draw_again()
    except Exception:
        _log.exception("A page of the dashboard failed")
        st.error(
            _("Unexpected error.  \nReload the page. The server's log has the details."),
            icon=":material/error:",
        )


def show(error: SightlineError) -> None:
    """Show one error with its hint."""
    hint = hint_of(error)
    below = f"  \n{plain(hint)}" if hint else ""
    st.error(f"**{plain(said(error.message))}**{below}", icon=":material/error:")


def hint_of(error: SightlineError) -> str:
    """Return what a page says about what to do: sentences that name a command are left out.

    Who uses the dashboard may have no terminal on the server.
    """
    hint = said(error.hint)
    sentences = [one for one in _SENTENCE_END.split(hint) if "`sightline " not in one]
    if hint and not sentences:
        return _("Ask an administrator of this server.")
    return "".join(sentences).strip()


def _draw_again() -> None:
    """Reload the whole page in a few seconds."""
    turns = count()

    def turn() -> None:
        if next(turns) > 0:  # the first is part of the page that failed
            st.rerun()
        st.caption(_("This page retries automatically."))

    st.fragment(turn, run_every=_AGAIN_S)()
