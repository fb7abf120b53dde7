"""Browsing a library: its cameras, the newest pictures of each, and what can be done with many
pictures at once: tag, correct, move and delete them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.cards import cards_of_entities
from dashboard.components.errors import shown_in_words
from dashboard.components.newest import newest_entities
from dashboard.i18n.formatting import counted, plain, viewer_zone
from dashboard.i18n.gettext import _, said
from dashboard.library import corrections
from dashboard.library.deletion import confirm_delete, counting, settle
from dashboard.library.selection import Selection, clear_selection, select_cards
from dashboard.moment.dialog import open_from_address
from dashboard.moment.grid import show_cards
from ingest.curation.moving import move_entities
from ingest.curation.tagging import change_tags
from search_core.messages import Message
from search_core.schema.facets import CameraFacet, Facets
from search_core.schema.filters import Filter
from search_core.search.query_log import filter_to_dict
from search_core.store.library import check_library_name

NEWEST = 400
_MOST_ROWS = 6


def browse(library: str, facets: Facets) -> None:
    """Draw the cameras, and the newest pictures of the chosen ones, or of all."""
    if not facets.count:
        text = _("There is nothing in the library to be seen.")
        if identity.current().may("ingest"):
            text += " " + _("**Add footage** puts something into it.")
        st.info(text)
        return
    chosen = _cameras(library, facets)
    days, choosing = _days_and_choosing(library, facets)
    everything = _everything(library, facets, chosen, days)
    newest = newest_entities(resources.store(), library, everything.where, facets, NEWEST)
    shown = counted(len(newest), "picture")
    text = _("**Newest {pictures}**")
    if everything.count > len(newest):
        text = _("**Newest {pictures}** of {all}")
    said = text.format(pictures=shown, all=f"{everything.count:,}")
    st.markdown(said if newest else _("No picture was taken then."))
    if not choosing:
        key = f"browse-{library}-{hash(everything.where):x}"
        show_cards(library, cards_of_entities(newest), key, searching=False)
        open_from_address(library, searching=False)
        return
    actions = st.container(horizontal=True, vertical_alignment="center", key="select-actions")
    selection = select_cards(library, newest, everything)
    with actions:
        offer(library, selection, facets)


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


def _days_and_choosing(library: str, facets: Facets) -> tuple[tuple[date, date] | None, bool]:
    """Draw what restricts the pictures; return the first and the last day, and whether to tick."""
    zone = viewer_zone()
    first, last = (
        datetime.fromtimestamp((ms or 0) / 1000, zone).date()
        for ms in (facets.first_ms, facets.last_ms)
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="browse-head"):
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
        st.space("stretch")
        choosing = identity.current().may("tag") and st.toggle(
            _("Select"), key="choosing", help=_("Tag, correct, move or delete many at once")
        )
    days = given if isinstance(given, tuple) else (given,)
    return ((days[0], days[-1]) if days else None), choosing


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
        st.dialog(_("Tag pictures"))(_tag_form)(library, selection, facets)
    elif correct:
        corrections.correct(library, selection, facets)
    elif move:
        st.dialog(_("Move pictures to another library"))(_move_form)(library, selection)
    elif delete:
        confirm_delete(library, selection.where, selection.what)


def _named(selection: Selection) -> str:
    return f"**{counted(selection.count, 'picture')}** ({plain(said(selection.what))})"


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
        identity.record(
            "move", library, {"moved to": name, "filter": filter_to_dict(selection.where)}
        )
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
