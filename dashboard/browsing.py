"""Browsing a library: its cameras, and the newest pictures of each."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.cards import cards_of_entities
from dashboard.removing import confirm_delete
from dashboard.result_grid import choose_cards, show_cards
from dashboard.wording import counted, viewer_zone
from search_core.entities import MediaEntity
from search_core.facets import CameraFacet, Facets
from search_core.filters import Filter
from search_core.library import Store

NEWEST = 40
_FIRST_WINDOW_MS = 60_000
_READ_ROWS = 1000


def browse(library: str, facets: Facets) -> None:
    """Draw the cameras, and the newest pictures of the chosen ones, or of all."""
    if not facets.count:
        st.info("The library is empty. **Add footage** puts something into it.")
        return
    chosen = _cameras(library, facets)
    newest = _newest(library, chosen)
    names = tuple(camera.camera for camera in chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Newest {counted(len(newest), 'picture')}**")
        st.space("stretch")
        choosing = st.toggle("Choose some to delete", key="choosing")
    if not choosing:
        key = f"browse-{library}-{hash(names):x}"
        show_cards(library, cards_of_entities(newest), key, searching=False)
        return
    ids = choose_cards(cards_of_entities(newest), key=f"browse-{library}")
    if st.button(
        f"Delete {counted(len(ids), 'picture')} …", disabled=not ids, icon=":material/delete:"
    ):
        confirm_delete(library, Filter(ids=tuple(ids)), "chosen")


def camera_frame(facets: Facets) -> pd.DataFrame:
    """Return one row a camera: name, pictures, first and last capture in the viewer's zone."""
    zone = viewer_zone()

    def moment(epoch_ms: int) -> datetime:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)

    return pd.DataFrame(
        {
            "Camera": [camera.camera or "no name" for camera in facets.cameras],
            "Pictures": [camera.count for camera in facets.cameras],
            "First": [moment(camera.first_ms) for camera in facets.cameras],
            "Last": [moment(camera.last_ms) for camera in facets.cameras],
        }
    )


def newest_entities(
    store: Store, library: str, camera: str, facet: CameraFacet, count: int
) -> list[MediaEntity]:
    """Return a camera's newest entities, newest first.

    Milvus returns rows in no order, so ever longer times before the last capture are asked for
    until they hold enough.
    """
    window_ms = _FIRST_WINDOW_MS
    wanted = min(count, facet.count)
    while True:
        after = datetime.fromtimestamp((facet.last_ms - window_ms) / 1000, UTC)
        reaches_all = facet.last_ms - window_ms <= max(0, facet.first_ms)
        where = Filter(cameras=(camera,), after=None if reaches_all else after)
        if reaches_all or store.count(library, where) >= wanted:
            found = store.entities(library, where, limit=_READ_ROWS)
            return sorted(found, key=lambda entity: (-entity.captured_at, entity.id))[:count]
        window_ms *= 4


def _cameras(library: str, facets: Facets) -> list[CameraFacet]:
    chosen = st.dataframe(
        camera_frame(facets),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(facets.cameras), 318),
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Pictures": st.column_config.NumberColumn(format="localized"),
            "First": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Last": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
        },
        key=f"cameras-{library}",
    )
    rows = [row for row in chosen["selection"]["rows"] if row < len(facets.cameras)]
    return [facets.cameras[row] for row in rows] or list(facets.cameras)


def _newest(library: str, cameras: list[CameraFacet]) -> list[MediaEntity]:
    store = resources.store()
    # The newest of all are among the newest of those cameras that were last active.
    latest = sorted(cameras, key=lambda camera: -camera.last_ms)[:NEWEST]
    found = [
        entity
        for camera in latest
        for entity in newest_entities(store, library, camera.camera, camera, NEWEST)
    ]
    return sorted(found, key=lambda entity: (-entity.captured_at, entity.id))[:NEWEST]
