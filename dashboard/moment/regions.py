"""The stored regions of an opened moment, as crops to search by: each has its vector already."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import resources
from dashboard.components.image_input import Box as Region
from dashboard.components.image_input import box_of
from dashboard.components.stills import still_of
from dashboard.i18n.gettext import _
from dashboard.query import terms as search_terms
from search_core.schema.entity import Box, MediaEntity

_CROP_PX = 96


def stored_regions(
    library: str, entity: MediaEntity, found_by: Box | None
) -> dict[str, tuple[MediaEntity, Region]]:
    """Return the regions that are stored of a keyframe, by their labels: each row and its box.

    That of the box it was ``found_by`` comes first.
    """
    rows = resources.regions_of(library, entity)
    rows.sort(key=lambda row: row.box != found_by)
    boxes = [(row, box) for row in rows if (box := box_of(row.box)) is not None]
    return {
        _("Region {number}").format(number=number): each
        for number, each in enumerate(boxes, start=1)
    }


def offer_regions(
    entity: MediaEntity, regions: Mapping[str, tuple[MediaEntity, Region]], is_answer: bool
) -> str | None:
    """Draw the crops of a keyframe's stored regions; return the row's id that was just chosen.

    Where the moment ``is_answer`` to a query, what looks like a region can be left out of it.
    """
    if not regions:
        return None
    still, chosen = still_of(entity), None
    st.caption(_("Or choose a region of this picture:"))
    with st.container(horizontal=True, key="stored-regions"):
        for number, (label, (row, box)) in enumerate(regions.items(), start=1):
            with st.container(width=_CROP_PX, gap="xxsmall", key=f"stored-region-{number}"):
                st.image(box.of(still), width=_CROP_PX, alt=label)
                if _buttons(row, number, is_answer):
                    chosen = row.id
    return chosen


def _buttons(row: MediaEntity, number: int, is_answer: bool) -> bool:
    """Draw what can be done with a region; return whether one was pressed."""
    with st.container(horizontal=True, horizontal_alignment="center", gap="small"):
        like = st.button(
            "",
            icon=":material/image_search:",
            key=f"like-region-{number}",
            type="tertiary",
            help=_("More like this region"),
            on_click=search_terms.look_for_more_like,
            args=(row.id,),
        )
        unlike = is_answer and st.button(
            "",
            icon=":material/block:",
            key=f"unlike-region-{number}",
            type="tertiary",
            help=_("Leave out what looks like this region"),
            on_click=search_terms.look_for_less_like,
            args=(search_terms.NOT_LIKE, (row.id,)),
        )
    return like or unlike
