"""Cards in a grid: a picture, how well it fits, where and when; a click opens the moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources
from dashboard.components.browser import begin_page_at_top, play_on_hover
from dashboard.components.cards import Card, card_text, folded_pictures, picture_name, then_name
from dashboard.components.errors import shown_in_words
from dashboard.components.stills import show_thumbnail
from dashboard.components.theme import NO_COLOUR, camera_colours, colour_cards, mark_boxes
from dashboard.components.video_serving import preview_of
from dashboard.i18n.gettext import _
from dashboard.moment import dialog as moment_dialog
from dashboard.moment.selection import Selection, draw_ticks
from dashboard.moment.selection_bar import show_selection_bar
from dashboard.query.terms import PAGE
from search_core.encoders.base import Embeddings

PER_PAGE = 20
_SHOWN = "shown_results"


@st.fragment
@shown_in_words()
def show_cards(
    library: str,
    cards: list[Card],
    key: str,
    *,
    searching: bool,
    headings: Mapping[int, str] | None = None,
    everything: Selection | None = None,
) -> None:
    """Draw cards as :func:`draw_cards` does; turning pages or opening one draws nothing else."""
    draw_cards(library, cards, key, searching=searching, headings=headings, everything=everything)


def draw_cards(
    library: str,
    cards: list[Card],
    key: str,
    *,
    searching: bool,
    looked_for: Embeddings | None = None,
    asked: str = "",
    headings: Mapping[int, str] | None = None,
    everything: Selection | None = None,
) -> None:
    """Draw cards a page at a time with a check box to select each, the bar of what is selected, and
    the card that was opened.

    ``key`` changes with what is shown, so that another search begins at its first page.
    ``searching`` says that this is the search page, whose address carries the page's number;
    ``looked_for`` is what was searched by (dim,), to tell why a card is among the results, and
    ``asked`` the same in words. ``everything`` is what else matches, where cards are some of it.
    ``headings`` are Markdown, by the index of the card that they stand before; without any, the
    less sure hits of a search have one.
    """
    pages = max(1, -(-len(cards) // PER_PAGE))
    page_key = PAGE if searching else f"page-{key}"
    _begin_again(page_key, key, pages)
    grid = st.container(key="results")
    page = 1
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="center", key="pager"):
            page = st.pagination(pages, key=page_key, bind="query-params" if searching else None)
    first = (page - 1) * PER_PAGE
    on_page = cards[first : first + PER_PAGE]
    headings = _less_sure(cards) if headings is None else headings
    with grid:
        for index, card in enumerate(on_page, start=first):
            before = [place for place in headings if place <= index]
            if before and (index == first or before[-1] == index):
                with st.container(key=f"heading-{index}"):
                    st.caption(headings[before[-1]])
            with st.container(key=_key(card, searching=searching)):
                # The text is the picture's caption: one element fewer a card to send and draw.
                if (then := card.then) is not None:
                    show_thumbnail(card.entity.thumbnail, picture_name(card))
                    show_thumbnail(then.thumbnail, then_name(then), card_text(card))
                else:
                    show_thumbnail(
                        card.entity.thumbnail,
                        picture_name(card),
                        card_text(card),
                        folded_pictures(card),
                    )
                st.button(
                    _("Open {number}").format(number=card.number),
                    key=f"open-{key}-{card.number}",
                    on_click=moment_dialog.aim_at,
                    args=(index,),
                )
    # After the cards: their pictures wait for none of this.
    by_key = {_key(card, searching=searching): card for card in on_page}
    _play_on_hover(library, by_key)
    draw_ticks(key, by_key, cards, asked)
    colours = camera_colours(resources.facets(library).cameras)
    colour_cards(
        {name: colours.get(card.entity.camera, NO_COLOUR) for name, card in by_key.items()}
    )
    mark_boxes(
        {name: (card.entity, card.box) for name, card in by_key.items() if card.box is not None}
    )
    if pages > 1:
        begin_page_at_top(key, page)
    show_selection_bar(library, cards, asked, everything, searching=searching)
    moment_dialog.open_when_aimed(library, cards, searching=searching, looked_for=looked_for)


def _key(card: Card, *, searching: bool) -> str:
    return (
        f"card-newest-{card.number}" if searching and card.moment is None else f"card-{card.number}"
    )


def _play_on_hover(library: str, cards: Mapping[str, Card]) -> None:
    found = {name: preview_of(library, card.entity) for name, card in cards.items()}
    play_on_hover({name: where for name, where in found.items() if where})


def _less_sure(cards: Sequence[Card]) -> dict[int, str]:
    """Return the heading of the hits below the line between matches and the rest."""
    sure = sum(not card.is_less_sure for card in cards)
    text = _("Less certain from here: these match little better than the rest of the library.")
    return {sure: text} if 0 < sure < len(cards) else {}


def _begin_again(page_key: str, key: str, pages: int) -> None:
    """Go to the first page of other results, but for those that an address came with."""
    before = st.session_state.get(_SHOWN)
    st.session_state[_SHOWN] = key
    if page_key in st.session_state and (before not in (None, key)):
        st.session_state[page_key] = 1
    elif st.session_state.get(page_key, 1) > pages:
        st.session_state[page_key] = pages
