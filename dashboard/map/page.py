"""Map: a library's embeddings in two dimensions; what is near looks alike. Points of the chart are
chosen with a lasso or a box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.cards import cards_of_entities
from dashboard.components.library_picker import how_to_begin, link_to_adding, pick_library
from dashboard.components.routes import Page
from dashboard.components.theme import COLOURS, NO_COLOUR, camera_colours
from dashboard.i18n.formatting import counted, plain, viewer_zone
from dashboard.i18n.gettext import N_, _, said
from dashboard.moment.dialog import open_from_address
from dashboard.moment.grid import show_cards
from search_core.errors import SightlineError
from search_core.schema.entity import MediaEntity
from search_core.search.embedding_map import (
    WORDS,
    farthest,
    groups_of,
    nearest_similarities,
    principal_components,
    telling_words,
)
from search_core.store.library import LibraryInfo

#: More points than that are no longer told apart, and take the browser seconds.
SAMPLE = 3_000
OUTLIERS = 20
SHOWN = 200
_FEWEST = 3
_MOST_GROUPS, _GROUP_SIZE = 8, 12
#: Columns of the frame, and what people choose a colour by.
CAMERA, TIME, GROUP = N_("Camera"), N_("Time"), N_("Group")
HEIGHT_PX = 460
_POINT_PX, _RING_PX = 8, 15
#: What the colours of times take below the points, and how many of them are named.
_SCALE_PX, _TICKS = 64, 4
_RING = "#c2410c"
#: What can be done with the chart itself: nothing that leaves it, or sends it somewhere.
CONFIG = {
    "displaylogo": False,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "zoom2d", "pan2d", "resetScale2d"]],
}


@dataclass(frozen=True, slots=True)
class LibraryMap:
    """Entities with their points (n, 2), the rows of outliers, and the share of variance shown.

    ``groups`` (n,) says which of the ``names`` each belongs to.
    """

    entities: list[MediaEntity]
    points: np.ndarray[Any, Any]
    outliers: list[int]
    share: float
    groups: np.ndarray[Any, Any]
    names: list[str]


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    count = resources.facets(info.name).count
    if count < _FEWEST:
        st.info(_("There are too few pictures for a map."))
        link_to_adding(info.name)
        return
    with st.spinner(_("Reading vectors …")):
        shown = library_map(info, count, identity.current().cameras)
    with st.container(horizontal=True, vertical_alignment="center", key="map-head"):
        colour = st.segmented_control(
            _("Colour"),
            (CAMERA, TIME, GROUP),
            default=CAMERA,
            format_func=_,
            required=True,
            key="map-colour",
        )
        many = counted(count, "picture")
        if count > SAMPLE:
            many = _("{pictures}, {sample} of them at random").format(
                pictures=many, sample=f"{SAMPLE:,}"
            )
        text = _(
            "{pictures}. Similar pictures are close together. Draw around points to see their "
            "pictures; rings mark outliers. Two principal components: {share} of the variance."
        )
        st.caption(text.format(pictures=many, share=f"{shown.share:.0%}"))
    alt = _("Map of {pictures} by visual similarity")
    event = st.plotly_chart(
        map_figure(
            map_frame(shown),
            colour or CAMERA,
            shown.outliers,
            camera_colours(resources.facets(info.name).cameras),
        ),
        width="stretch",
        on_select="rerun",
        selection_mode=("lasso", "box"),
        config=CONFIG,
        alt=alt.format(pictures=counted(len(shown.entities), "picture")),
        key=f"map-{info.name}-{colour}",
    )
    _pictures(info.name, shown, chosen_rows(dict(event["selection"])))


PAGE = Page("map", N_("Map"), ":material/scatter_plot:", page)


@st.cache_data(
    ttl=600,
    max_entries=8,
    show_spinner=False,
    hash_funcs={LibraryInfo: lambda info: (info.name, info.collection)},
)
def library_map(info: LibraryInfo, count: int, cameras: tuple[str, ...] | None) -> LibraryMap:
    """Return the map of a library, of SAMPLE pictures by chance where there are more.

    The collection and ``count`` tell when it is another one, ``cameras`` whose it is: it is kept
    for all users with the same rights.
    """
    pages = list(resources.store().vectors(info.name, limit=SAMPLE))
    entities = [entity for page in pages for entity in page.entities]
    vectors = np.concatenate([page.embeddings for page in pages])
    points, share = principal_components(vectors)
    outliers = farthest(nearest_similarities(vectors), OUTLIERS)
    groups = groups_of(vectors, max(2, min(_MOST_GROUPS, len(entities) // _GROUP_SIZE)))
    words = _words(info, vectors, groups)
    return LibraryMap(entities, points, outliers, share, groups, _names(entities, groups, words))


def map_frame(shown: LibraryMap) -> pd.DataFrame:
    """Return one row a picture: its point, camera and group, and when it was taken, as here."""
    zone = viewer_zone()
    return pd.DataFrame(
        {
            "x": shown.points[:, 0],
            "y": shown.points[:, 1],
            CAMERA: [entity.camera or _("no name") for entity in shown.entities],
            TIME: [
                datetime.fromtimestamp(entity.captured_at / 1000, UTC)
                .astimezone(zone)
                .replace(tzinfo=None)
                for entity in shown.entities
            ],
            GROUP: [_group_words(shown.names[group]) for group in shown.groups],
        }
    )


def _words(
    info: LibraryInfo, vectors: np.ndarray[Any, Any], groups: np.ndarray[Any, Any]
) -> list[list[str]]:
    """Return the words that set each group apart, none where this encoder cannot tell."""
    nothing: list[list[str]] = [[] for _ in range(int(groups.max()) + 1)]
    try:
        encoder = resources.encoder(info.name)
        if not info.encoder.same_space(encoder.identity):
            return nothing
        word_vectors = encoder.encode_texts(list(WORDS))
    except SightlineError:
        return nothing
    told = telling_words(vectors, groups, word_vectors)
    return [[WORDS[row] for row in rows] for rows in told]


def _names(
    entities: list[MediaEntity], groups: np.ndarray[Any, Any], words: list[list[str]]
) -> list[str]:
    """Return each group's name: its number, what it looks like, the camera most of it is of.

    It is kept for all sessions, and so in English.
    """
    names = []
    for group, looks in enumerate(words):
        cameras = Counter(
            entity.camera or "no name"
            for entity, mine in zip(entities, groups, strict=True)
            if mine == group
        )
        camera, most = cameras.most_common(1)[0]
        where = camera if 2 * most > cameras.total() else N_("several cameras")
        names.append(" · ".join([f"{group + 1}", *([", ".join(looks)] if looks else []), where]))
    return names


def _group_words(name: str) -> str:
    """Return a group's name in the language of the page."""
    number, *looks, where = name.split(" · ")
    words = [_(", ").join(map(said, one.split(", "))) for one in looks]
    return " · ".join([number, *words, said(where)])


def _pictures(library: str, shown: LibraryMap, rows: list[int]) -> None:
    """Draw the pictures that were chosen; without any, those of the outliers or of a group."""
    if rows:
        text = _("**{pictures}** selected")
        if len(rows) > SHOWN:
            text = _("**{pictures}** selected, showing the first {count}")
        st.markdown(text.format(pictures=counted(len(rows), "picture"), count=SHOWN))
    else:
        sizes = np.bincount(shown.groups)
        groups = map(_group_words, shown.names)
        views = [_("Outliers"), *(f"{n} ({s:,})" for n, s in zip(groups, sizes, strict=True))]
        view = st.pills(
            _("Worth a look"),
            range(len(views)),
            default=0,
            format_func=lambda number: plain(views[number]),
            required=True,
            key=f"map-view-{library}",
        )
        if view:
            rows = [int(row) for row in np.flatnonzero(shown.groups == view - 1)]
            text = _("**{pictures}** of the group {group}")
            many = counted(len(rows), "picture")
            st.markdown(text.format(pictures=many, group=plain(views[view])))
        else:
            rows = shown.outliers
            text = _("**Outliers**: the {pictures} least similar to any other")
            st.markdown(text.format(pictures=counted(len(rows), "picture")))
    chosen = [shown.entities[row] for row in rows[:SHOWN]]
    show_cards(library, cards_of_entities(chosen), f"map-{hash(tuple(rows)):x}", searching=False)
    open_from_address(library, searching=False)


def map_figure(
    frame: pd.DataFrame, colour: str, outliers: Sequence[int], cameras: Mapping[str, str]
) -> dict[str, Any]:
    """Return a map's chart, as Plotly's JSON.

    ``frame`` has a row a picture: x, y, Camera, Time and Group; ``cameras`` their colours by name.
    Outliers have rings round them.
    """
    timed = colour == TIME
    traces = [_by_time(frame)] if timed else _by_kind(frame, colour, cameras)
    return {
        "data": [*traces, _rings(frame, outliers)],
        "layout": {
            "height": HEIGHT_PX,
            "margin": {"l": 0, "r": 0, "t": 8, "b": _SCALE_PX if timed else 0},
            "showlegend": not timed,
            "dragmode": "lasso",
            "hovermode": "closest",
            "xaxis": _AXIS,
            "yaxis": _AXIS,
            "legend": {"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0},
        },
    }


def chosen_rows(selection: Mapping[str, Any]) -> list[int]:
    """Return the rows of the frame that a selection of the chart holds, each once."""
    rows = []
    for point in selection.get("points", ()):
        given = point.get("customdata")
        row = given[0] if isinstance(given, (list, tuple)) and given else given
        if isinstance(row, (int, float)):
            rows.append(int(row))
    return sorted(dict.fromkeys(rows))


_AXIS = {"visible": False, "zeroline": False, "showgrid": False}


def _by_kind(frame: pd.DataFrame, column: str, cameras: Mapping[str, str]) -> list[dict[str, Any]]:
    kinds = sorted(set(frame[column]))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(kinds)}
    if column == CAMERA:
        colours = {name: cameras.get(name, NO_COLOUR) for name in kinds}
    return [
        {
            **_points(frame[frame[column] == name]),
            "name": _escaped(str(name)),
            "marker": {"size": _POINT_PX, "color": colours[name]},
        }
        for name in kinds
    ]


def _by_time(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the points coloured by the order of their times.

    By the times themselves all of a few days would look the same beside one of months ago.
    """
    moments = sorted(set(frame["Time"]))
    last = len(moments) - 1
    named = sorted({round(last * tick / (_TICKS - 1)) for tick in range(_TICKS)})
    marker = {
        "size": _POINT_PX,
        "color": (frame["Time"].rank(method="dense").astype(int) - 1).tolist(),
        "cmin": 0,
        "cmax": max(1, last),
        "colorscale": "Viridis",
        "showscale": True,
        "colorbar": {
            "orientation": "h",
            "thickness": 10,
            "len": 0.78,
            "x": 0.5,
            "xanchor": "center",
            "y": -0.02,
            "yanchor": "top",
            "outlinewidth": 0,
            "ticks": "outside",
            "ticklen": 4,
            "tickvals": named,
            "ticktext": [moments[at].strftime("%Y-%m-%d<br>%H:%M") for at in named],
        },
    }
    return {**_points(frame), "name": TIME, "marker": marker, "showlegend": False}


def _rings(frame: pd.DataFrame, outliers: Sequence[int]) -> dict[str, Any]:
    return {
        **_points(frame.iloc[list(outliers)]),
        "name": _("Outliers"),
        "hoverinfo": "skip",
        "marker": {
            "size": _RING_PX,
            "color": _RING,
            "symbol": "circle-open",
            "line": {"width": 1.5},
        },
    }


def _points(frame: pd.DataFrame) -> dict[str, Any]:
    times = frame["Time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return {
        "type": "scatter",
        "mode": "markers",
        "x": frame["x"].tolist(),
        "y": frame["y"].tolist(),
        "customdata": [[int(row)] for row in frame.index],
        "text": [
            f"{_escaped(str(camera))}<br>{time}"
            for camera, time in zip(frame["Camera"], times, strict=True)
        ],
        "hoverinfo": "text",
        "opacity": 0.8,
    }


def _escaped(text: str) -> str:
    """Return text that Plotly, which understands some HTML, shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
