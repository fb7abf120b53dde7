"""Browsing a library: its cameras, and the newest pictures of each."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.cards import cards_of_entities
from dashboard.components.newest import newest_entities
from dashboard.i18n.formatting import counted, viewer_zone
from dashboard.i18n.gettext import _
from dashboard.moment.dialog import open_from_address
from dashboard.moment.grid import show_cards
from dashboard.moment.selection import Selection
from search_core.messages import Message
from search_core.schema.facets import CameraFacet, Facets
from search_core.schema.filters import Filter

NEWEST = 400
_MOST_ROWS = 6


def browse(library: str, facets: Facets) -> None:
    """Draw the cameras, and the newest pictures of the chosen ones, or of all."""
    if not facets.count:
        text = _("There is nothing in this library that you may view.")
        if identity.current().may("ingest"):
            text += " " + _("Add something with **Add footage**.")
        st.info(text)
        return
    chosen = _cameras(library, facets)
    days = _days(library, facets)
    everything = _everything(library, facets, chosen, days)
    newest = newest_entities(resources.store(), library, everything.where, facets, NEWEST)
    shown = counted(len(newest), "picture")
    text = _("**Newest {pictures}**")
    if everything.count > len(newest):
        text = _("**Newest {pictures}** of {all}")
    said = text.format(pictures=shown, all=f"{everything.count:,}")
    st.markdown(said if newest else _("No picture was taken in that time."))
    key = f"browse-{library}-{hash(everything.where):x}"
    cards = cards_of_entities(newest)
    show_cards(library, cards, key, searching=False, everything=everything)
    open_from_address(library, searching=False)


def camera_frame(facets: Facets) -> pd.DataFrame:
    """Return one row a camera: name, pictures, first and last capture in the viewer's zone."""
    zone = viewer_zone()

    def moment(epoch_ms: int) -> datetime:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)

    return pd.DataFrame(
        {
            _("Camera"): [camera.camera or _("no name") for camera in facets.cameras],
            _("Pictures"): [camera.count for camera in facets.cameras],
            _("First"): [moment(camera.first_ms) for camera in facets.cameras],
            _("Last"): [moment(camera.last_ms) for camera in facets.cameras],
        }
    )


def _days(library: str, facets: Facets) -> tuple[date, date] | None:
    """Draw what restricts the pictures to some days; return the first and the last."""
    zone = viewer_zone()
    first, last = (
        datetime.fromtimestamp((ms or 0) / 1000, zone).date()
        for ms in (facets.first_ms, facets.last_ms)
    )
    given = st.date_input(
        _("Days"),
        value=[],
        min_value=first,
        max_value=last,
        format="YYYY-MM-DD",
        key=f"days-{library}",
        help=_("The day, or the first and the last day, in your time zone"),
        width=260,
    )
    days = given if isinstance(given, tuple) else (given,)
    return (days[0], days[-1]) if days else None


def _everything(
    library: str, facets: Facets, cameras: list[CameraFacet], days: tuple[date, date] | None
) -> Selection:
    """Return all that the cameras and days let through."""
    names = tuple(camera.camera for camera in cameras)
    after = before = None
    if days is not None:
        after = datetime.combine(days[0], time.min, viewer_zone())
        before = datetime.combine(days[1] + timedelta(days=1), time.min, viewer_zone())
    if not names and days is None:
        # An empty filter is refused by what deletes: everything has a moment that it was taken.
        end = datetime.fromtimestamp((facets.last_ms or 0) / 1000 + 1, UTC)
        return Selection(
            Filter(before=end), facets.count, Message("all of {library}", library=library)
        )
    said = [", ".join(name or "no name" for name in names)] if names else []
    if days is not None:
        said.append(f"{days[0]}" if days[0] == days[1] else f"{days[0]} – {days[1]}")
    where = Filter(cameras=names, after=after, before=before)
    return Selection(where, resources.store().count(library, where), ", ".join(said))


def _cameras(library: str, facets: Facets) -> list[CameraFacet]:
    rows = len(facets.cameras)
    # Of a long table half a row shows that it scrolls.
    height = 38 + 35 * rows if rows <= _MOST_ROWS else 38 + 35 * (_MOST_ROWS - 1) + 17
    chosen = st.dataframe(
        camera_frame(facets),
        hide_index=True,
        width="stretch",
        height=height,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            _("Pictures"): st.column_config.NumberColumn(format="localized"),
            _("First"): st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            _("Last"): st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
        },
        key=f"cameras-{library}",
    )
    return [facets.cameras[row] for row in chosen["selection"]["rows"] if row < rows]
