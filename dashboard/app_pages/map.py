"""Map: a library's embeddings in two dimensions; what is near looks alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import identity, resources
from dashboard.cards import cards_of_entities
from dashboard.library_picker import how_to_begin, pick_library
from dashboard.result_grid import show_cards
from dashboard.wording import counted, viewer_zone
from search_core.entities import MediaEntity
from search_core.projection import farthest, nearest_similarities, principal_components

#: More points than that are no longer told apart, and take the browser seconds.
SAMPLE = 3_000
OUTLIERS = 20
SHOWN = 200
_FEWEST = 3
CAMERA, TIME = "Camera", "Time"


@dataclass(frozen=True, slots=True)
class LibraryMap:
    """Entities with their points (n, 2), the rows of outliers, and the share of variance shown."""

    entities: list[MediaEntity]
    points: np.ndarray[Any, Any]
    outliers: list[int]
    share: float


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    count = resources.facets(info.name).count
    if count < _FEWEST:
        st.info("A map needs a few pictures more. **Library** adds footage.")
        return
    with st.spinner("Reading vectors …"):
        shown = library_map(info.name, info.collection, count, identity.current().cameras)
    with st.container(horizontal=True, vertical_alignment="center"):
        colour = st.segmented_control(
            "Colour", (CAMERA, TIME), default=CAMERA, required=True, key="map-colour"
        )
        part = "" if count <= SAMPLE else f", {SAMPLE:,} of them by chance"
        st.caption(
            f"{counted(count, 'picture')}{part}. What is near looks alike. Drag a box round points "
            f"to see their pictures. Two principal components: {shown.share:.0%} of how they vary."
        )
    frame = map_frame(shown)
    event = st.altair_chart(
        map_chart(frame, colour or CAMERA),
        width="stretch",
        on_select="rerun",
        key=f"map-{info.name}-{colour}",
    )
    _pictures(info.name, shown, rows_within(frame, dict(event["selection"].get("box", {}))))


@st.cache_data(ttl=600, max_entries=4, show_spinner=False)
def library_map(
    library: str, collection: str, count: int, cameras: tuple[str, ...] | None
) -> LibraryMap:
    """Return the map of a library, of SAMPLE pictures by chance where there are more.

    ``collection`` and ``count`` tell when it is another one, ``cameras`` whose it is: it is kept
    for all who may see the same.
    """
    pages = list(resources.store().vectors(library, limit=SAMPLE))
    entities = [entity for page in pages for entity in page.entities]
    vectors = np.concatenate([page.embeddings for page in pages])
    points, share = principal_components(vectors)
    outliers = farthest(nearest_similarities(vectors), OUTLIERS)
    return LibraryMap(entities, points, outliers, share)


def map_frame(shown: LibraryMap) -> pd.DataFrame:
    """Return one row a picture: its point, its camera, when it was taken, in the viewer's zone."""
    zone = viewer_zone()
    return pd.DataFrame(
        {
            "x": shown.points[:, 0],
            "y": shown.points[:, 1],
            "Camera": [entity.camera or "no name" for entity in shown.entities],
            "Time": [
                datetime.fromtimestamp(entity.captured_at / 1000, UTC)
                .astimezone(zone)
                .replace(tzinfo=None)
                for entity in shown.entities
            ],
        }
    )


def map_chart(frame: pd.DataFrame, colour: str) -> alt.Chart:
    """Return the points as a chart in which a box can be drawn."""
    axis = alt.Axis(labels=False, ticks=False, title=None, grid=False, domain=False)
    shade = (
        alt.Color("Camera:N", legend=alt.Legend(orient="bottom", columns=3, labelLimit=160))
        if colour == CAMERA
        else alt.Color(
            "Time:T", scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="bottom")
        )
    )
    box = alt.selection_interval(name="box")
    return (
        alt.Chart(frame)
        .mark_circle(size=36)
        .encode(
            x=alt.X("x:Q", axis=axis, scale=alt.Scale(zero=False, padding=8)),
            y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False, padding=8)),
            color=shade,
            opacity=alt.condition(box, alt.value(0.8), alt.value(0.15)),
            tooltip=["Camera:N", alt.Tooltip("Time:T", format="%Y-%m-%d %H:%M:%S")],
        )
        .properties(height=440)
        .add_params(box)
    )


def rows_within(frame: pd.DataFrame, box: dict[str, Any]) -> list[int]:
    """Return the rows whose points lie in a box, which has the two ends of ``x`` and of ``y``."""
    if not box.get("x") or not box.get("y"):
        return []
    inside = frame["x"].between(*sorted(box["x"])) & frame["y"].between(*sorted(box["y"]))
    return [int(row) for row in np.flatnonzero(inside.to_numpy())]


def _pictures(library: str, shown: LibraryMap, rows: list[int]) -> None:
    if rows:
        more = f", the first {SHOWN} of them here" if len(rows) > SHOWN else ""
        st.markdown(f"**{counted(len(rows), 'picture')}** in the box{more}")
    else:
        rows = shown.outliers
        st.markdown(f"**Outliers**: the {counted(len(rows), 'picture')} least like any other")
    chosen = [shown.entities[row] for row in rows[:SHOWN]]
    show_cards(library, cards_of_entities(chosen), f"map-{hash(tuple(rows)):x}", searching=False)
