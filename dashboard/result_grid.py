"""Cards in a grid: a picture, how well it fits, where and when; a click opens the moment."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import moment_dialog
from dashboard.cards import Card, card_text
from dashboard.problems import shown_in_words
from dashboard.thumbnails import show_thumbnail

PER_PAGE = 20
_PAGE = "result_page"


@st.fragment
@shown_in_words()
def show_cards(library: str, cards: list[Card], key: str, *, searching: bool) -> None:
    """Draw cards a page at a time; turning pages or opening a card draws nothing else again.

    ``key`` changes with what is shown, so that another search begins at its first page.
    ``searching`` says that this is the search page.
    """
    pages = -(-len(cards) // PER_PAGE)
    page = _current_page(pages, key)
    first = page * PER_PAGE
    with st.container(key="results"):
        for index, card in enumerate(cards[first : first + PER_PAGE], start=first):
            with st.container(key=f"card-{card.number}"):
                # The text is the picture's caption: one element fewer a card to send and draw.
                show_thumbnail(card.entity.thumbnail, f"Picture {card.number}", card_text(card))
                st.button(
                    f"Open {card.number}",
                    key=f"open-{key}-{card.number}",
                    on_click=moment_dialog.aim_at,
                    args=(index,),
                )
    if pages > 1:
        _pager(page, pages, key)
    moment_dialog.open_when_aimed(library, cards, searching=searching)


def choose_cards(cards: list[Card], key: str) -> list[str]:
    """Draw cards with a box to tick each; return the ids of those that are ticked."""
    chosen: list[str] = []
    with st.container(key="results"):
        for card in cards:
            with st.container(key=f"tick-{card.number}"):
                show_thumbnail(card.entity.thumbnail, alt=f"Picture {card.number}")
                if st.checkbox(card_text(card), key=f"tick-{key}-{card.entity.id}"):
                    chosen.append(card.entity.id)
    return chosen


def _current_page(pages: int, key: str) -> int:
    shown, page = st.session_state.get(_PAGE, ("", 0))
    return min(page, pages - 1) if shown == key else 0


def _pager(page: int, pages: int, key: str) -> None:
    def go(to: int) -> Callable[[], None]:
        return lambda: st.session_state.update({_PAGE: (key, to)})

    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        st.button(
            "Previous", icon=":material/chevron_left:", disabled=page == 0, on_click=go(page - 1)
        )
        st.markdown(f"Page {page + 1} of {pages}", width="content")
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=page + 1 >= pages,
            on_click=go(page + 1),
        )
