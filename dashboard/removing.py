"""Deleting and dropping in the browser: how much it is comes first, then the question."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.problems import shown_in_words
from dashboard.search_request import forget_answer
from dashboard.wording import counted, plain
from ingest.removal import delete_entities, drop_library
from search_core.facets import Facets
from search_core.filters import Filter


def show_removing(library: str, facets: Facets) -> None:
    """Draw deleting by camera, and dropping the whole library."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("##### Delete cameras")
        counts = {camera.camera: camera.count for camera in facets.cameras}
        chosen = st.multiselect(
            "Cameras",
            list(counts),
            format_func=lambda name: f"{name or 'no name'} ({counts.get(name, 0):,})",
            key=f"delete-cameras-{library}",
        )
        total = sum(counts[name] for name in chosen if name in counts)
        if st.button(
            f"Delete {counted(total, 'picture')} …", disabled=not total, icon=":material/delete:"
        ):
            confirm_delete(library, Filter(cameras=tuple(chosen)), ", ".join(chosen))
    with right, st.container(border=True):
        st.markdown("##### Drop the library")
        st.markdown(
            f"Removes **{plain(library)}** with its {counted(facets.count, 'picture')}, their "
            "vectors and thumbnails. Footage and photographs stay where they are."
        )
        typed = st.text_input(f"Type {plain(library)} to drop it", key=f"drop-{library}")
        if st.button("Drop the library", disabled=typed != library, icon=":material/delete:"):
            drop_library(resources.settings(), resources.store(), library)
            _settle(f"Dropped the library {plain(library)}.")


def confirm_delete(library: str, where: Filter, what: str) -> None:
    """Ask whether to delete what passes the filter, with its count."""
    _confirm(library, where, what)


@st.dialog("Delete pictures?")
@shown_in_words()
def _confirm(library: str, where: Filter, what: str) -> None:
    count = resources.store().count(library, where)
    st.markdown(
        f"**{counted(count, 'picture')}** ({plain(what)}) will be deleted from the library "
        f"{plain(library)}, with vectors and thumbnails. The footage itself is not touched."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Cancel"):
            st.rerun()
        if st.button(f"Delete {counted(count, 'picture')}", type="primary", disabled=not count):
            deleted, _ = delete_entities(resources.settings(), resources.store(), library, where)
            _settle(f"Deleted {counted(deleted, 'picture')}.")


def _settle(message: str) -> None:
    resources.forget_what_was_read()
    forget_answer()
    st.toast(message)
    st.rerun()
