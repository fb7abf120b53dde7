"""Selecting many pictures: ticked one by one, a page at once, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.components.browser import begin_page_at_top
from dashboard.components.cards import card_text, cards_of_entities, picture_name
from dashboard.components.stills import show_thumbnail
from dashboard.i18n.gettext import _
from search_core.messages import Message
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter

PER_PAGE = 40
_CHOSEN = "selected_ids"
_WHOLE = "selected_whole"
_OF = "selected_of"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected: a filter that nothing else passes, how many, and what to call it.

    It is called so in English, as it is kept with what was deleted.
    """

    where: Filter
    count: int
    what: str


def select_cards(
    library: str, entities: Sequence[MediaEntity], everything: Selection
) -> Selection | None:
    """Draw entities with a box to tick each, some a page; return what is selected.

    ``everything`` is all that matches, more perhaps than the ``entities`` there are to tick.
    """
    if st.session_state.get(_OF) != library:
        clear_selection()
        st.session_state[_OF] = library
    pages = max(1, -(-len(entities) // PER_PAGE))
    page_key = f"select-page-{library}"
    if st.session_state.get(page_key, 1) > pages:
        st.session_state[page_key] = pages
    head = st.container(horizontal=True, vertical_alignment="center", key="select-head")
    grid = st.container(key="results")
    page = 1
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="center", key="pager"):
            page = st.pagination(pages, key=page_key)
    shown = entities[(page - 1) * PER_PAGE : page * PER_PAGE]
    with head:
        selection = _head([entity.id for entity in shown], everything)
    with grid:
        _boxes(shown, whole=selection is everything)
    if pages > 1:
        begin_page_at_top(page_key, page)
    return selection


def clear_selection() -> None:
    """Select nothing; boxes that are drawn already are unticked."""
    st.session_state[_CHOSEN] = frozenset()
    st.session_state[_WHOLE] = None
    for key in st.session_state:
        if str(key).startswith("tick-"):
            st.session_state[key] = False


def _head(shown: list[str], everything: Selection) -> Selection | None:
    chosen = st.session_state.get(_CHOSEN, frozenset())
    whole = st.session_state.get(_WHOLE) == everything.where
    count = everything.count if whole else len(chosen)
    selected = _("{count} selected").format(count=f"{count:,}")
    st.markdown(f"**{selected}**", width="content")
    st.button(_("Select page"), on_click=_choose, args=(shown,))
    st.button(
        _("Select all {count}").format(count=f"{everything.count:,}"),
        on_click=_choose_everything,
        args=(everything.where, shown),
        help=_("All that match, also those on other pages"),
    )
    st.button(_("Clear"), on_click=clear_selection, disabled=not count)
    st.space("stretch")
    if whole:
        return everything
    if not chosen:
        return None
    return Selection(Filter(ids=tuple(sorted(chosen))), count, Message("chosen by hand"))


def _boxes(shown: Sequence[MediaEntity], *, whole: bool) -> None:
    chosen = st.session_state.get(_CHOSEN, frozenset())
    for card in cards_of_entities(shown):
        entity_id = card.entity.id
        key = f"tick-{entity_id}"
        with st.container(key=f"choose-{card.number}"):
            show_thumbnail(card.entity.thumbnail, alt=picture_name(card))
            if key not in st.session_state:
                st.session_state[key] = whole or entity_id in chosen
            st.checkbox(card_text(card), key=key, on_change=_tick, args=(entity_id,))


def _tick(entity_id: str) -> None:
    chosen = st.session_state.get(_CHOSEN, frozenset())
    ticked = st.session_state[f"tick-{entity_id}"]
    if st.session_state.get(_WHOLE) is not None:  # from all to the page, but for this one
        chosen = frozenset(
            str(key).removeprefix("tick-")
            for key, value in st.session_state.items()
            if str(key).startswith("tick-") and value
        )
    st.session_state[_WHOLE] = None
    st.session_state[_CHOSEN] = chosen | {entity_id} if ticked else chosen - {entity_id}


def _choose(ids: list[str]) -> None:
    st.session_state[_WHOLE] = None
    st.session_state[_CHOSEN] = st.session_state.get(_CHOSEN, frozenset()) | set(ids)
    _tick_all(ids)


def _choose_everything(where: Filter, shown: list[str]) -> None:
    st.session_state[_WHOLE] = where
    st.session_state[_CHOSEN] = frozenset()
    _tick_all(shown)


def _tick_all(ids: list[str]) -> None:
    for entity_id in ids:
        st.session_state[f"tick-{entity_id}"] = True
