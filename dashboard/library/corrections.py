"""Correcting when, and by which camera, pictures were taken; what will change is shown first."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted, local_time, plain, viewer_zone
from dashboard.i18n.gettext import N_, _, said
from dashboard.library.deletion import counting, settle
from dashboard.moment.selection import Selection, clear_selection
from ingest.curation.corrections import (
    Change,
    Corrected,
    Correction,
    ReadCamera,
    ReadTime,
    SetCamera,
    Shift,
    StartAt,
    apply_correction,
    asked_of,
    plan_correction,
    resume_correction,
)
from ingest.rows.journal import Pending, pending_correction
from search_core.access.audit_log import Action
from search_core.errors import NotAllowed, UsageError
from search_core.schema.clocks import format_offset, parse_offset
from search_core.schema.facets import Facets

SHIFT, START, READ = N_("Shift the time"), N_("Set the start"), N_("Read the time again")
CAMERA, READ_CAMERA = N_("Change the camera"), N_("Detect the camera again")
_OF_CAMERA = (CAMERA, READ_CAMERA)
_PREVIEW = "correction_preview"
#: How many recordings of a preview are listed.
_LISTED = 200


def correct(library: str, selection: Selection, facets: Facets) -> None:
    """Ask how to correct a selection, with what that would change."""
    st.dialog(_("Correct time or camera"), width="large")(correction_form)(
        library, selection, facets
    )


def show_unfinished(library: str) -> None:
    """Draw that a correction of a library was stopped midway, and what finishes it."""
    access = identity.current()
    pending = pending_correction(resources.settings(), library) if access.may("tag") else None
    if pending is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="unfinished"):
        st.warning(
            _(
                "A correction was stopped after {done} of {total} pictures. Nothing else can be "
                "corrected until it is finished."
            ).format(done=f"{pending.done:,}", total=f"{pending.total:,}")
        )
        # What it has left may be of cameras that not everybody may see.
        if access.cameras is None and st.button(_("Finish it"), key="finish-correction"):
            _finish(library, pending)


@shown_in_words()
def correction_form(library: str, selection: Selection, facets: Facets) -> None:
    """Draw what the dialog asks."""
    st.markdown(f"**{counted(selection.count, 'picture')}** ({plain(said(selection.what))})")
    how = st.selectbox(
        _("How"),
        (SHIFT, START, READ, CAMERA, READ_CAMERA),
        format_func=_,
        key="correction-how",
    )
    change = _change(how, facets)
    st.caption(
        _(
            "A recording is corrected as a whole: its pictures keep their positions in it. Files "
            "are not changed."
        )
    )
    asked = None if change is None else asked_of(change, selection.where)
    if st.button(_("Preview"), disabled=change is None) and change is not None:
        with st.spinner(_("Checking what will change …")):
            st.session_state[_PREVIEW] = plan_correction(
                resources.settings(),
                resources.store(),
                library,
                change,
                selection.where,
                fetch=resources.settings().remote.allow_jobs,
            )
    preview = st.session_state.get(_PREVIEW)
    if preview is None or (preview.library, preview.asked) != (library, asked):
        return
    _show(preview, for_camera=how in _OF_CAMERA)
    if preview.rows and change is not None:
        st.caption(_way_back(change))
    pictures = counted(len(preview.rows), "picture")
    label = _("Correct {pictures}").format(pictures=pictures)
    if st.button(label, type="primary", disabled=not preview.rows):
        _apply(preview, "recamera" if how in _OF_CAMERA else "retime")


def _change(how: str, facets: Facets) -> Change | None:
    """Draw what a way to correct asks for; return the change, None while it is not complete."""
    if how == SHIFT:
        by = st.text_input(
            _("By"),
            placeholder="+1h, -1h30m, +45s",
            help=_("How much later (+) or earlier (-): d, h, m and s, also several at once"),
        )
        return Shift(parse_offset(by)) if by.strip() else None
    if how == START:
        text = st.text_input(
            _("Start"),
            placeholder="2026-03-01 08:00:00",
            help=_(
                "In your time zone. Several videos of one camera follow one another by name, the "
                "first starting then."
            ),
        )
        return StartAt(_moment(text)) if text.strip() else None
    if how == READ:
        given_too = st.checkbox(_("Also where the time was given or corrected before"))
        return ReadTime(given_too)
    if how == READ_CAMERA:
        return ReadCamera()
    allowed = identity.current().cameras
    known = [camera.camera for camera in facets.cameras if camera.camera]
    name = st.selectbox(
        _("Camera"),
        known if allowed is None else list(allowed),
        index=None,
        accept_new_options=allowed is None,
        placeholder=_("Choose one, or type a new name"),
    )
    return SetCamera(name.strip()) if name else None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            _("{text} is not a date and time.").format(text=text),
            _("Write it as 2026-03-01 08:00:00."),
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=viewer_zone())


def _show(correction: Correction, *, for_camera: bool) -> None:
    """Draw what would change, a row a recording, and what stays."""
    listed = correction.recordings[:_LISTED]
    files = [
        _("live") if item.is_live else item.uri.rstrip("/").rpartition("/")[2] for item in listed
    ]
    before_after = [_before_after(item, for_camera=for_camera) for item in listed]
    columns = {
        _("File"): files,
        _("Camera") if for_camera else _("Starts"): [before for before, _after in before_after],
        _("Will be") if for_camera else _("Will start"): [after for _before, after in before_after],
        _("Pictures"): [item.keyframes for item in listed],
    }
    if not for_camera:
        columns[_("Camera")] = [item.camera for item in listed]
    if listed:
        # On a phone the table shows its files alone.
        example = _("For example {file}: {before} → {after}").format(
            file=plain(files[0]), before=plain(before_after[0][0]), after=plain(before_after[0][1])
        )
        st.markdown(example)
        st.dataframe(pd.DataFrame(columns), hide_index=True, width="stretch")
    else:
        st.info(_("Nothing would change."))
    more = len(correction.recordings) - len(listed)
    if more:
        st.caption(_("{count} more recordings").format(count=f"{more:,}"))
    if correction.beyond:
        told = _("{pictures} of these recordings are not selected and are corrected too.")
        st.caption(told.format(pictures=counted(correction.beyond, "picture")))
    if correction.kept:
        with st.expander(_("Left as they are: {count}").format(count=len(correction.kept))):
            for uri, reason in correction.kept[:_LISTED]:
                st.markdown(f"{plain(uri.rpartition('/')[2])}: {plain(said(reason))}")


def _before_after(item: Corrected, *, for_camera: bool) -> tuple[str, str]:
    """Return a recording's camera, or its start, as it is and as it will be."""
    if for_camera:
        return item.camera or _("no camera"), item.new_camera or _("no camera")
    return local_time(item.start_ms), local_time(item.new_start_ms)


def _way_back(change: Change) -> str:
    """Return how a correction is taken back; what it replaces is not kept."""
    match change:
        case Shift(by):
            text = _("To undo it, shift the same pictures by {offset}.")
            return text.format(offset=format_offset(-by))
        case StartAt():
            return _(
                "The current times are not kept. **Read the time again**, also where it was "
                "given, restores the times in the files."
            )
        case SetCamera():
            return _(
                "The current cameras are not kept. **Detect the camera again** restores the "
                "cameras from file and folder names."
            )
        case _:
            return _("The replaced values are not kept: this cannot be undone.")


def _apply(correction: Correction, action: Action) -> None:
    access = identity.current()
    access.require("tag", "correcting pictures")
    if not all(access.sees(item.new_camera) for item in correction.recordings):
        raise NotAllowed("Some of these pictures are of a camera that you may not see.")
    library, count = correction.library, len(correction.rows)
    identity.record(action, library, {**correction.asked, "count": count})
    tell = counting(_("Correcting"), count)
    apply_correction(
        resources.settings(), resources.store(), correction, lambda done, total: tell(done)
    )
    del st.session_state[_PREVIEW]
    clear_selection()
    _settle(count)


def _finish(library: str, pending: Pending) -> None:
    access = identity.current()
    access.require("tag", "correcting pictures")
    access.require_all_cameras("finishing a correction")
    detail = {**pending.asked, "count": pending.left, "resumed": True}
    identity.record(pending.action, library, detail)
    tell = counting(_("Correcting"), pending.total)
    total = resume_correction(
        resources.settings(), resources.store(), library, lambda done, total: tell(done)
    )
    _settle(total)


def _settle(count: int) -> None:
    settle(_("Corrected {pictures}.").format(pictures=counted(count, "picture")))
