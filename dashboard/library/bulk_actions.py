"""What can be done with many pictures at once: tag, correct, move and delete them."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import shown_in_words
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import _
from dashboard.library import corrections
from dashboard.library.deletion import asked, confirm_delete, counting, settle
from dashboard.library.selection import Selection, clear_selection
from ingest.curation.moving import move_entities
from ingest.curation.tagging import change_tags
from search_core.schema.facets import Facets
from search_core.store.library import check_library_name


def offer(library: str, selection: Selection | None, facets: Facets) -> None:
    """Draw the buttons that work on a selection."""
    nothing, access = selection is None, identity.current()
    tag = st.button(_("Tag …"), icon=":material/sell:", disabled=nothing)
    correct = st.button(_("Correct …"), icon=":material/schedule:", disabled=nothing)
    move = delete = False
    if access.may_remove:
        move = st.button(_("Move …"), icon=":material/drive_file_move:", disabled=nothing)
        delete = st.button(_("Delete …"), icon=":material/delete:", disabled=nothing)
    if selection is None:
        return
    if tag:
        _tag(library, selection, facets)
    elif correct:
        corrections.correct(library, selection, facets)
    elif move:
        _move(library, selection)
    elif delete:
        confirm_delete(library, selection.where, selection.what)


def _named(selection: Selection) -> str:
    return f"**{counted(selection.count, 'picture')}** ({plain(said(selection.what))})"


def _tag(library: str, selection: Selection, facets: Facets) -> None:
    st.dialog(_("Tag pictures"))(_tag_form)(library, selection, facets)


@shown_in_words()
def _tag_form(library: str, selection: Selection, facets: Facets) -> None:
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


def _move(library: str, selection: Selection) -> None:
    st.dialog(_("Move pictures to another library"))(_move_form)(library, selection)


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
        help=_("Libraries of the same encoder: the vectors move as they are."),
    )
    if st.button(_("Move"), type="primary", disabled=not target) and target:
        identity.require_removing("moving")
        name = check_library_name(target)
        identity.record("move", library, {"moved to": name, **asked(selection.where)})
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
