"""The sentence in the box, read: its words about times and cameras as chips, the rest as a search.

The address carries the sentence as it was typed, and which of its words the reader took back.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from datetime import UTC, datetime

import streamlit as st

from dashboard.i18n.formatting import plain, viewer_zone
from dashboard.i18n.gettext import _, said
from dashboard.query.terms import AS_WORDS, READ, typed
from search_core.schema.filters import Filter
from search_core.search.query_text.reader import Reading, read_sentence
from search_core.search.query_text.sequence import Sequence

_ASKED = "sentence_asked"


def read_box(cameras: Items[str], beside: Filter) -> Reading:
    """Return the sentence in the box, read with the cameras that the page's user may see.

    It is read once: "the last 10 minutes" end when the sentence was typed, or asked for again.
    ``beside`` is what is filtered by already.
    """
    text, zone = typed(), viewer_zone()
    literal = _words_kept(text)
    asked = (text, tuple(cameras), literal, str(zone), beside.hours is not None)
    if st.session_state.get(_ASKED) != asked:
        st.session_state[READ] = read_sentence(
            text, datetime.now(UTC), zone, cameras, beside=beside, literal=literal
        )
        st.session_state[_ASKED] = asked
    found: Reading = st.session_state[READ]
    return found


def read_again() -> None:
    """Read the sentence as of now when the page is drawn next."""
    st.session_state.pop(_ASKED, None)


def sentence_chips(reading: Reading, sequence: Sequence | None) -> None:
    """Draw what a sentence was read as, and what of it the reader took back; for a row of chips."""
    for number, part in enumerate(reading.parts):
        st.button(
            f"{plain(said(part.meaning))} :gray[“{plain(part.words)}”]",
            icon=":material/close:",
            key=f"read-{number}",
            help=_("Search for these words instead of filtering by them"),
            on_click=_take_back,
            args=(part.words,),
        )
    if sequence is not None:
        st.button(
            plain(said(sequence.meaning)),
            icon=":material/close:",
            key="read-sequence",
            help=_("Search for the whole sentence instead"),
            on_click=_take_back,
            args=(sequence.words,),
        )
    for number, words in enumerate(_words_kept(reading.sentence)):
        st.button(
            _("Read “{words}” again").format(words=plain(words)),
            icon=":material/undo:",
            type="tertiary",
            key=f"unread-{number}",
            on_click=_let_read,
            args=(words,),
        )


def words_kept() -> tuple[str, ...]:
    """Return the phrases of the sentence in the box that stay words."""
    return _words_kept(typed())


def _words_kept(text: str) -> tuple[str, ...]:
    """Return the phrases that stay words, those that are still in the sentence."""
    kept = st.query_params.get_all(AS_WORDS)
    there = [words for words in kept if all(word in text for word in words.split())]
    if len(there) < len(kept):
        st.query_params[AS_WORDS] = there
    return tuple(there)


def _take_back(words: str) -> None:
    st.query_params[AS_WORDS] = [*st.query_params.get_all(AS_WORDS), words]


def _let_read(words: str) -> None:
    st.query_params[AS_WORDS] = [
        other for other in st.query_params.get_all(AS_WORDS) if other != words
    ]
