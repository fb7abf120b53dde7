"""What is selected: pictures ticked on any page, or all that pass a filter.

It is kept while pages are turned, other searches are made and other pages are opened, and ends when
another library is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.components.browser import Tick, ticks
from dashboard.components.cards import Card
from dashboard.i18n.gettext import _
from search_core.messages import Message
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.engine import Hit

#: A dict of the pictures by id, in the order in which they were chosen.
_PICKED = "selected_pictures"
_WHOLE = "selected_whole"
_OF = "selected_of"


@dataclass(frozen=True, slots=True)
class Picked:
    """A picture that was chosen, with what a search said of it and what that search was for."""

    entity: MediaEntity
    hit: Hit | None = None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected: a filter that nothing else passes, how many, and what to call it.

    It is called so in English, as it is kept with what was deleted. ``picked`` are the pictures
    where they were chosen one by one, in that order, not all that pass a filter.
    """

    where: Filter
    count: int
    what: str
    picked: tuple[Picked, ...] = ()


def begin_selection(library: str) -> None:
    """Select nothing where what is selected is of another library."""
    if st.session_state.get(_OF) != library:
        clear_selection()
        st.session_state[_OF] = library


def selected() -> Selection | None:
    """Return what is selected, None for nothing."""
    whole: Selection | None = st.session_state.get(_WHOLE)
    picked = _picked()
    if whole is not None or not picked:
        return whole
    where = Filter(ids=tuple(picked))
    return Selection(where, len(picked), Message("chosen by hand"), tuple(picked.values()))


def clear_selection() -> None:
    """Select nothing."""
    st.session_state[_PICKED] = {}
    st.session_state[_WHOLE] = None


def unselect(entity_id: str) -> None:
    """Select a picture no more: it is there no more."""
    _picked().pop(entity_id, None)


def select_all(everything: Selection) -> None:
    """Select all that passes a filter."""
    st.session_state[_PICKED] = {}
    st.session_state[_WHOLE] = everything


def select_cards(cards: Iterable[Card], asked: str) -> None:
    """Select all that cards stand for, with what is selected already."""
    if st.session_state.get(_WHOLE) is not None:
        clear_selection()
    st.session_state[_PICKED] = _picked() | {
        picked.entity.id: picked for card in cards for picked in _pictures_of(card, asked)
    }


def is_selected(card: Card) -> bool:
    """Whether all that a card stands for is selected."""
    whole: Selection | None = st.session_state.get(_WHOLE)
    if whole is not None:
        return all(whole.where.matches(entity) for entity in card.entities)
    return all(entity.id in _picked() for entity in card.entities)


def folded_away(cards: Iterable[Card]) -> int:
    """Return how many selected pictures are not seen as cards, but folded into selected ones."""
    folded = (card for card in cards if not card.is_pair and is_selected(card))
    return sum(len(card.entities) - 1 for card in folded)


def draw_ticks(shown: str, on_page: Mapping[str, Card], cards: Sequence[Card], asked: str) -> None:
    """Draw a check box into each card ``on_page``, by its container's key, to select all it holds.

    Shift selects or unselects all ``cards`` from the one ticked before. ``shown`` identifies what
    the grid shows: no range begins in other results. ``asked`` found them.
    """

    def changed(first: int, last: int, checked: bool) -> None:
        between = [card for card in cards if first <= card.number <= last]
        if checked:
            select_cards(between, asked)
        else:
            _unselect(between, cards, asked)

    boxes = {
        key: Tick(
            card.number,
            card.key,
            _("Select {number}").format(number=card.number),
            is_selected(card),
        )
        for key, card in on_page.items()
    }
    ticks(shown, boxes, changed)


def _picked() -> dict[str, Picked]:
    found: dict[str, Picked] = st.session_state.get(_PICKED, {})
    return found


def _pictures_of(card: Card, asked: str) -> list[Picked]:
    if card.moment is None:
        return [Picked(card.entity)]
    return [Picked(hit.entity, hit, asked) for hit in card.moment.hits]


def _unselect(some: Sequence[Card], cards: Sequence[Card], asked: str) -> None:
    """Unselect what some cards stand for; of all that passed a filter, the ``cards`` stay."""
    if st.session_state.get(_WHOLE) is not None:
        shown = [card for card in cards if is_selected(card)]
        clear_selection()
        select_cards(shown, asked)
    gone = {entity.id for card in some for entity in card.entities}
    kept = {key: picked for key, picked in _picked().items() if key not in gone}
    st.session_state[_PICKED] = kept
