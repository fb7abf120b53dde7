"""The keyframes before and after a moment, as a strip to walk along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from dashboard import resources
from dashboard.components.browser import begin_strip_at
from dashboard.components.thumbnails import show_thumbnail
from dashboard.i18n.formatting import clock, local_time
from dashboard.i18n.gettext import _
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.store.library import Store

EACH_WAY = 4
#: Ever longer times around a moment are asked for until they hold enough: rows come in no order.
_REACHES_MS = (20_000, 200_000, 3_600_000)
_READ_ROWS = 2000


def neighbours(store: Store, library: str, entity: MediaEntity) -> list[MediaEntity]:
    """Return the entity with those captured just before and after it, in order of time.

    They are of the same video, or of the same camera; a picture of no camera has none.
    """
    if not (entity.in_video or entity.camera):
        return [entity]
    found, place = [entity], 0
    for reach_ms in _REACHES_MS:
        where = Filter(
            cameras=(entity.camera,) if entity.camera else (),
            source_ids=(entity.source_id,) if entity.in_video else (),
            after=datetime.fromtimestamp((entity.captured_at - reach_ms) / 1000, UTC),
            before=datetime.fromtimestamp((entity.captured_at + reach_ms + 1) / 1000, UTC),
        )
        found = store.entities(library, where, limit=_READ_ROWS)
        found.sort(key=lambda other: (other.captured_at, other.id))
        ids = [other.id for other in found]
        if entity.id not in ids:
            return [entity]
        place = ids.index(entity.id)
        if place >= EACH_WAY and len(found) - place > EACH_WAY:
            break
    return found[max(0, place - EACH_WAY) : place + EACH_WAY + 1]


def show_strip(library: str, entity: MediaEntity, on_choose: Callable[[str], None]) -> None:
    """Draw the strip; ``on_choose`` hears the id of the keyframe that is clicked."""
    found = neighbours(resources.store(), library, entity)
    if len(found) < 2:
        return
    with st.container(horizontal=True, key="strip"):
        for place, other in enumerate(found):
            here = other.id == entity.id
            with st.container(key=f"card-{'here' if here else 'beside'}-{place}"):
                when = clock(other.pts_ms) if other.in_video else local_time(other.captured_at)
                label = _("Keyframe at {when}").format(when=when)
                show_thumbnail(other.thumbnail, alt=label)
                st.button(
                    _("Keyframe at {when}, shown now").format(when=when) if here else label,
                    key=f"strip-{other.id}",
                    on_click=on_choose,
                    args=(other.id,),
                )
    begin_strip_at(entity.id)
