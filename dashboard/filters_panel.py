"""The filters beside the results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from dashboard.wording import time_range, viewer_zone
from search_core.entities import MediaType
from search_core.facets import Facets
from search_core.filters import Filter

_MEDIA_TYPES: dict[str, MediaType | None] = {"All": None, "Video": "frame", "Photos": "image"}
_DEFAULT_K = 50


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the panel says: a filter, how many hits, and the least score, None for any."""

    where: Filter
    k: int
    min_score: float | None


def pick_filters(facets: Facets) -> Narrowing:
    """Draw the filters in the sidebar and return what they say."""
    with st.sidebar:
        cameras = _several("Cameras", "camera", [camera.camera for camera in facets.cameras])
        after, before = _times(facets)
        tags = _several("Tags", "tag", list(facets.tags)) if facets.tags else []
        media = "All"
        if len(facets.media_types) > 1 or st.session_state.get("type"):
            media = st.segmented_control(
                "Kind",
                list(_MEDIA_TYPES),
                default="All",
                required=True,
                key="type",
                bind="query-params",
                width="stretch",
            )
        min_score = st.slider(
            "Minimum score",
            0.0,
            1.0,
            0.0,
            0.01,
            key="min_score",
            bind="query-params",
            help="Cosine similarity: 1 is identical. How high a good hit scores depends on the "
            "encoder; with CLIP sentences often reach 0.2 to 0.4, pictures 0.6 and more.",
        )
        k = st.selectbox("Hits", (20, 50, 100, 200, 500), index=1, key="k", bind="query-params")
        st.button("Clear filters", on_click=clear_filters, width="stretch")
    where = Filter(
        cameras=tuple(cameras),
        after=after,
        before=before,
        tags=tuple(tags),
        media_type=_MEDIA_TYPES[media or "All"],
    )
    return Narrowing(where, k or _DEFAULT_K, min_score or None)


def clear_filters() -> None:
    """Let everything through again."""
    nothing: dict[str, object] = {
        "camera": [],
        "after": None,
        "before": None,
        "tag": [],
        "type": "All",
        "min_score": 0.0,
        "k": _DEFAULT_K,
    }
    for key, value in nothing.items():
        if key in st.session_state:
            st.session_state[key] = value


def _several(label: str, key: str, options: list[str]) -> list[str]:
    if key in st.session_state:  # another library has other cameras
        st.session_state[key] = [name for name in st.session_state[key] or () if name in options]
    return st.multiselect(
        label,
        options,
        format_func=lambda name: name or "no name",
        key=key,
        bind="query-params",
        placeholder="all",
    )


def _times(facets: Facets) -> tuple[datetime | None, datetime | None]:
    zone = viewer_zone()
    first, last = facets.first_ms, facets.last_ms
    help_text = None
    if first is not None and last is not None:
        help_text = f"The library covers {time_range(first, last)}."
    moments: list[datetime | None] = []
    for label, key in (("From", "after"), ("Until", "before")):
        moment = st.datetime_input(
            label,
            value=None,
            min_value=datetime(1970, 1, 2),
            max_value=datetime(2100, 1, 1),
            format="YYYY-MM-DD",
            step=60,
            key=key,
            bind="query-params",
            help=help_text,
        )
        moments.append(moment.replace(tzinfo=zone) if moment else None)
    return moments[0], moments[1]
