"""What can be done with many pictures at once: tag them, move them, delete them."""

from __future__ import annotations

import streamlit as st

from dashboard import identity, resources
from dashboard.problems import shown_in_words
from dashboard.removing import asked, confirm_delete, counting, require_removing, settle
from dashboard.selecting import Selection, clear_selection
from dashboard.wording import counted, plain
from ingest.moving import move_entities
from search_core.facets import Facets
from search_core.library import check_library_name
from search_core.tagging import change_tags


def offer(library: str, selection: Selection | None, facets: Facets) -> None:
    """Draw the buttons that work on a selection."""
    nothing, access = selection is None, identity.current()
    tag = st.button("Tag …", icon=":material/sell:", disabled=nothing)
    move = delete = False
    if access.may_remove:
        move = st.button("Move …", icon=":material/drive_file_move:", disabled=nothing)
        delete = st.button("Delete …", icon=":material/delete:", disabled=nothing)
    if selection is None:
        return
    if tag:
        _tag(library, selection, facets)
    elif move:
        _move(library, selection)
    elif delete:
        confirm_delete(library, selection.where, selection.what)


@st.dialog("Tag pictures")
@shown_in_words()
def _tag(library: str, selection: Selection, facets: Facets) -> None:
    st.markdown(f"**{counted(selection.count, 'picture')}** ({plain(selection.what)})")
    add = st.multiselect(
        "Add", list(facets.tags), accept_new_options=True, placeholder="Choose or type tags"
    )
    remove = st.multiselect("Remove", list(facets.tags), placeholder="Choose tags")
    if st.button("Change tags", type="primary", disabled=not (add or remove)):
        with st.spinner("Changing tags …"):
            done = change_tags(resources.store(), library, selection.where, add=add, remove=remove)
        clear_selection()
        full = f" {done.full:,} had no room for more." if done.full else ""
        settle(f"Changed the tags of {counted(done.changed, 'picture')}.{full}")


@st.dialog("Move pictures to another library")
@shown_in_words()
def _move(library: str, selection: Selection) -> None:
    here = resources.store().library(library)
    others = [
        info.name
        for info in resources.libraries()
        if info.name != library and info.encoder.same_space(here.encoder)
    ]
    st.markdown(f"**{counted(selection.count, 'picture')}** ({plain(selection.what)})")
    target = st.selectbox(
        "Library",
        others,
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or type a new name",
        help="Libraries of the same encoder: the vectors move as they are.",
    )
    if st.button("Move", type="primary", disabled=not target) and target:
        require_removing("moving")
        name = check_library_name(target)
        identity.record("delete", library, {"moved to": name, **asked(selection.where)})
        moved = move_entities(
            resources.settings(),
            resources.store(),
            library,
            selection.where,
            name,
            counting("Moving", selection.count),
        )
        clear_selection()
        settle(f"Moved {counted(moved, 'picture')} to {plain(name)}.")
