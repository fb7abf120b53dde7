"""The bar below the cards while something is selected: what is selected, and all that can be done
with it. What a user's role does not permit is not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cases.adding import add_items, may_collect
from dashboard.components import routes as pages
from dashboard.components.cards import Card
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import _, said
from dashboard.library import corrections
from dashboard.library.deletion import confirm_delete, counting, settle
from dashboard.moment.selection import (
    Picked,
    Selection,
    clear_selection,
    folded_away,
    select_all,
    select_cards,
    selected,
)
from dashboard.query import terms as search_terms
from dashboard.query.request import SearchRequest
from dashboard.query.terms import MOST_PICTURES
from dashboard.search.export import Export, export_files, export_of
from ingest.curation.moving import move_entities
from ingest.curation.tagging import change_tags
from search_core.search.query_log import filter_to_dict
from search_core.store.library import check_library_name

#: So many pictures at most are exported, or added to a case, at once.
_MOST = 500


def show_selection_bar(
    library: str,
    cards: Sequence[Card],
    asked: str,
    everything: Selection | None,
    *,
    searching: bool,
) -> None:
    """Draw the bar, where something is selected.

    ``everything`` is all that the page's filters let through, where that may be more than the
    cards; ``asked`` is what found them. ``searching`` says that this is the search page.
    """
    selection = selected()
    if selection is None:
        return
    with st.container(key="selection"):
        with st.container(horizontal=True, vertical_alignment="center", key="selection-what"):
            _what(selection, cards, asked, everything)
        with st.container(horizontal=True, vertical_alignment="center", key="selection-actions"):
            _actions(library, selection, searching=searching)


def _what(
    selection: Selection, cards: Sequence[Card], asked: str, everything: Selection | None
) -> None:
    text = _("**{pictures}** selected")
    if folded := folded_away(cards):
        text = _("**{pictures}** selected, {folded} of them folded below others")
    told = counted(selection.count, "picture")
    st.markdown(text.format(pictures=told, folded=f"{folded:,}"), width="content")
    shown = len({entity.id for card in cards for entity in card.entities})
    st.button(
        _("Select all shown ({count})").format(count=f"{shown:,}"),
        key="select-shown",
        type="tertiary",
        help=_("All results, also those on other pages"),
        on_click=select_cards,
        args=(cards, asked),
    )
    if everything is not None and everything.count > shown:
        st.button(
            _("Select all {count}").format(count=f"{everything.count:,}"),
            key="select-everything",
            type="tertiary",
            help=_("All that match, also those that are not shown"),
            on_click=select_all,
            args=(everything,),
        )
    st.button(
        _("Clear"),
        icon=":material/close:",
        key="select-nothing",
        type="tertiary",
        on_click=clear_selection,
    )


def _actions(library: str, selection: Selection, *, searching: bool) -> None:
    access = identity.current()
    if access.may("tag"):
        if st.button(_("Tag …"), icon=":material/sell:", key="select-tag"):
            st.dialog(_("Tag pictures"))(_tag_form)(library, selection)
        if st.button(_("Correct …"), icon=":material/schedule:", key="select-correct"):
            corrections.correct(library, selection, resources.facets(library))
    _take_along(library, selection)
    if access.may_remove:
        if st.button(_("Move …"), icon=":material/drive_file_move:", key="select-move"):
            st.dialog(_("Move pictures to another library"))(_move_form)(library, selection)
        if st.button(_("Delete …"), icon=":material/delete:", key="select-delete"):
            confirm_delete(library, selection.where, selection.what)
    _search_by(library, selection, searching=searching)


def _take_along(library: str, selection: Selection) -> None:
    """Draw what exports the pictures, and what adds them to a case."""
    many = selection.count > _MOST
    limit = _("At most {count} at once").format(count=f"{_MOST:,}") if many else None
    export = None if many else export_of_selection(library, selection)
    with st.popover(_("Export"), icon=":material/download:", disabled=many, help=limit):
        if export is not None:
            export_files(export, "selection")
    if may_collect():
        with st.popover(_("Add to case"), icon=":material/cases:", disabled=many, help=limit):
            if export is not None:
                add_items("selection", library, export.items())


def export_of_selection(library: str, selection: Selection) -> Export:
    """Return the pictures in the order in which they were selected, with the scores they had."""
    picked = selection.picked or [
        Picked(entity)
        for entity in resources.store().entities(library, selection.where, limit=_MOST)
    ]
    asked = ", ".join(dict.fromkeys(one.asked for one in picked if one.asked))
    hits = [
        replace(one.hit, rank=number) if one.hit else one.entity
        for number, one in enumerate(picked, start=1)
    ]
    titled = f"{asked} (selected by hand)" if asked else "Selected by hand"
    return export_of(SearchRequest(library), hits, titled=titled)


def _search_by(library: str, selection: Selection, *, searching: bool) -> None:
    """Draw what searches for more like the pictures, less like them, or without them."""
    ids = [one.entity.id for one in selection.picked]
    many = not 0 < len(ids) <= MOST_PICTURES
    limit = _("At most {count} at once").format(count=MOST_PICTURES)
    for label, icon, about, key, as_term in (
        (
            _("More like these"),
            "image_search",
            _("Search by these pictures in place of what is looked for now"),
            "select-more",
            search_terms.LIKE,
        ),
        (
            _("Less like these"),
            "thumb_down",
            _("Look for the same, what looks like these further down"),
            "select-less",
            search_terms.LESS_LIKE,
        ),
        (
            _("Leave out"),
            "block",
            _("Look for the same, without these and what looks like them"),
            "select-leave-out",
            search_terms.NOT_LIKE,
        ),
    ):
        if st.button(
            label,
            icon=f":material/{icon}:",
            key=key,
            disabled=many,
            help=limit if many else about,
            on_click=_look,
            args=(as_term, ids),
        ):
            clear_selection()  # no sooner: a bar that is not drawn has no button that was pressed
            if searching:
                st.rerun()
            pages.switch_to("search", library=library, **{as_term: ids})


def _look(as_term: str, ids: list[str]) -> None:
    if as_term == search_terms.LIKE:
        search_terms.look_for_more_like(*ids)
    else:
        search_terms.look_for_less_like(as_term, ids)


def _named(selection: Selection) -> str:
    return f"**{counted(selection.count, 'picture')}** ({plain(said(selection.what))})"


@shown_in_words()
def _tag_form(library: str, selection: Selection) -> None:
    facets = resources.facets(library)
    st.markdown(_named(selection))
    add = st.multiselect(
        _("Add"),
        list(facets.tags),
        accept_new_options=True,
        placeholder=_("Choose or type tags"),
    )
    remove = st.multiselect(_("Remove"), list(facets.tags), placeholder=_("Choose tags"))
    if st.button(_("Change tags"), type="primary", disabled=not (add or remove)):
        with st.spinner(_("Changing tags …")):
            done = change_tags(resources.store(), library, selection.where, add=add, remove=remove)
        clear_selection()
        told = _("Changed the tags of {pictures}.")
        if done.full:
            told = _("Changed the tags of {pictures}. {full} had no room for more.")
        settle(told.format(pictures=counted(done.changed, "picture"), full=f"{done.full:,}"))


@shown_in_words()
def _move_form(library: str, selection: Selection) -> None:
    here = resources.store().library(library)
    others = [
        info.name
        for info in resources.libraries()
        if info.name != library and info.encoder.same_space(here.encoder)
    ]
    st.markdown(_named(selection))
    target = st.selectbox(
        _("Library"),
        others,
        index=None,
        accept_new_options=True,
        placeholder=_("Choose one, or type a new name"),
        help=_("Libraries with the same encoder: vectors are moved unchanged."),
    )
    if st.button(_("Move"), type="primary", disabled=not target) and target:
        identity.require_removing("moving")
        name = check_library_name(target)
        identity.record(
            "move", library, {"moved to": name, "filter": filter_to_dict(selection.where)}
        )
        moved = move_entities(
            resources.settings(),
            resources.store(),
            library,
            selection.where,
            name,
            counting(_("Moving"), selection.count),
        )
        clear_selection()
        told = _("Moved {pictures} to {library}.")
        settle(told.format(pictures=counted(moved, "picture"), library=plain(name)))
