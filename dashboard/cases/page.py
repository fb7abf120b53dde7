"""The page Cases: what was collected as evidence, put in order, annotated, blurred and exported."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cases.adding import LATEST
from dashboard.components.browser import picked_region, region_picker
from dashboard.components.errors import show, shown_in_words
from dashboard.components.routes import Page
from dashboard.components.stills import show_thumbnail, still_of
from dashboard.i18n.formatting import clock, local_time, plain, viewer_zone
from dashboard.i18n.gettext import N_, _
from ingest.evidence.bundle import BundleWriter, case_bundle
from ingest.evidence.cases import Case, Item, checked_note, note_item
from ingest.ledger import Ledger
from ingest.media.video.clips import Box
from search_core.access.audit_log import AuditLog
from search_core.errors import MediaError, SightlineError

_CASE = "case"
_BLURRING = "blurring_item"
_FAILED = "case_failed"
#: Popovers, which are closed when what they are for is done.
_NEW, _WRITING = "new_case", "writing_note"
_ROOM_BYTES = 1024**3


def page() -> None:
    """Draw the page."""
    access = identity.current()
    cases = resources.cases()
    names = cases.names()
    with st.container(horizontal=True, vertical_alignment="bottom", key="cases-head"):
        if names:
            if st.session_state.get(_CASE) not in names:
                latest = st.session_state.get(LATEST)
                st.session_state[_CASE] = latest if latest in names else names[0]
            st.selectbox(_("Case"), names, key=_CASE, bind="query-params", width=360)
        icon = ":material/create_new_folder:"
        with st.popover(_("New case"), icon=icon, key=_NEW, on_change="rerun"):
            _new_case()
    if (failed := st.session_state.pop(_FAILED, None)) is not None:
        show(failed)
    if not names:
        st.info(
            _(
                "A case collects pictures, clips and notes. Open a search result and choose **Add "
                "to case**, or create a case here."
            ),
            icon=":material/cases:",
        )
        return
    case = cases.get(st.session_state[_CASE])
    shown = replace(case, items=tuple(item for item in case.items if _may_see(item)))
    with st.container(horizontal=True, key="case-actions"):
        _export(shown)
        icon = ":material/edit_note:"
        with st.popover(_("Write a note"), icon=icon, key=_WRITING, on_change="rerun"):
            _write_note(case)
        if access.may_remove:
            with st.popover(_("Delete the case"), icon=":material/delete:"):
                _delete(case)
    text = _("Created {when} by {who}")
    begun = text.format(when=local_time(case.made_ms), who=plain(case.made_by))
    empty = _("empty")
    st.caption(begun if shown.items else f"{begun} · {empty}")
    for place, item in enumerate(shown.items, start=1):
        with st.container(border=True, key=f"case-item-{item.number}"):
            _item(case, item, place, shown.items)


PAGE = Page("cases", N_("Cases"), ":material/cases:", page, right="tag")


def _may_see(item: Item) -> bool:
    """Whether the page's user may see an item: notes by others tell of cameras they do not see."""
    access = identity.current()
    if item.entity is not None:
        return access.sees(item.entity.camera)
    return access.cameras is None or item.added_by == access.name


def _item(case: Case, item: Item, place: int, shown: Sequence[Item]) -> None:
    picture, words, changes = st.columns([2, 4, 2], gap="medium")
    with picture:
        if item.entity is not None:
            show_thumbnail(item.entity.thumbnail, alt=_told(item))
        else:
            st.markdown(":material/sticky_note_2: " + _("Note"))
    with words:
        st.markdown(f"**{place}** · {_told(item)}")
        if item.note:
            st.markdown(plain(item.note))
        if item.asked:
            st.caption(_("Found by: {search}").format(search=plain(item.asked)))
        added = _("Added {when} by {who}")
        st.caption(added.format(when=local_time(item.added_ms), who=plain(item.added_by)))
    with changes, st.container(horizontal=True):
        _move_buttons(case, item, place, shown)
        key = f"editing-{item.number}"
        with st.popover("", icon=":material/edit:", help=_("Note"), key=key, on_change="rerun"):
            _edit_note(case, item)
        if item.entity is not None:
            _small(_("Blur a region"), ":material/blur_on:", f"blur-{item.number}", _toggle, item)
        _small(_("Remove"), ":material/close:", f"remove-{item.number}", _remove, case.name, item)
    if st.session_state.get(_BLURRING) == (case.name, item.number):
        _choose_region(case, item)


def _told(item: Item) -> str:
    entity = item.entity
    if entity is None:
        return _("Note")
    parts = [plain(entity.camera) or _("no camera"), local_time(entity.captured_at)]
    if item.span is not None:
        text = _("clip {start} to {end}")
        parts.append(text.format(start=clock(item.span.start_ms), end=clock(item.span.end_ms)))
    if item.boxes:
        parts.append(_("{count} blurred").format(count=len(item.boxes)))
    return " · ".join(parts)


def _small(label: str, icon: str, key: str, act: Callable[..., None], *args: Any) -> None:
    st.button("", icon=icon, help=label, key=key, on_click=act, args=args)


def _move_buttons(case: Case, item: Item, place: int, shown: Sequence[Item]) -> None:
    """Draw the buttons that put an item before or after its neighbour among those shown."""
    for label, icon, step in (
        (_("Earlier"), ":material/arrow_upward:", -1),
        (_("Later"), ":material/arrow_downward:", 1),
    ):
        there = 1 <= place + step <= len(shown)
        st.button(
            "",
            icon=icon,
            help=label,
            key=f"move-{item.number}-{step}",
            disabled=not there,
            on_click=_move,
            args=(case.name, item, 1 + case.items.index(shown[place - 1 + step]) if there else 0),
        )


def _new_case() -> None:
    name = st.text_input(_("Name"), key="new-case-name", placeholder=_("Bike theft"))
    st.button(
        _("Create the case"),
        type="primary",
        key="new-case",
        disabled=not name,
        on_click=_begin,
    )


def _begin() -> None:
    name = st.session_state.get("new-case-name", "")

    def begin() -> None:
        made = resources.cases().create(name, identity.current().name)
        st.session_state[_CASE] = made.name
        st.session_state["new-case-name"] = ""
        st.session_state[_NEW] = False

    _change(name, "begin", begin)


def _write_note(case: Case) -> None:
    st.text_area(_("Note"), key="case-note")
    st.button(_("Add the note"), type="primary", on_click=_add_note, args=(case.name,))


def _add_note(name: str) -> None:
    text = st.session_state.get("case-note", "")

    def add() -> None:
        resources.cases().add(name, [note_item(text, identity.current().name)])
        st.session_state["case-note"] = ""
        st.session_state[_WRITING] = False

    _change(name, "note", add)


def _edit_note(case: Case, item: Item) -> None:
    key = f"note-{item.number}"
    st.text_area(_("Note"), value=item.note, key=key)
    st.button(_("Save"), key=f"save-{item.number}", on_click=_save_note, args=(case.name, item))


def _save_note(name: str, item: Item) -> None:
    text = st.session_state.get(f"note-{item.number}", "")

    def save() -> None:
        note = checked_note(text) if text.strip() or item.entity is None else ""
        resources.cases().change(name, replace(item, note=note))
        st.session_state[f"editing-{item.number}"] = False

    _change(name, "note", save)


def _move(name: str, item: Item, place: int) -> None:
    _change(name, "move", lambda: resources.cases().move(name, item.number, place))


def _remove(name: str, item: Item) -> None:
    _change(name, "remove", lambda: resources.cases().remove(name, item.number))


def _delete(case: Case) -> None:
    st.markdown(_("Delete **{name}** and everything in it?").format(name=plain(case.name)))
    label, key = _("Delete the case"), "danger-delete-case"
    st.button(label, key=key, on_click=_delete_now, args=(case.name,))


def _delete_now(name: str) -> None:
    identity.require_removing(_("deleting a case"))
    _change(name, "delete", lambda: resources.cases().delete(name))
    st.session_state.pop(_CASE, None)


def _toggle(item: Item) -> None:
    wanted = (st.session_state.get(_CASE), item.number)
    now = st.session_state.get(_BLURRING)
    st.session_state[_BLURRING] = None if now == wanted else wanted


@shown_in_words()
def _choose_region(case: Case, item: Item) -> None:
    assert item.entity is not None
    st.markdown(_("Draw the region to blur in exports. The footage itself is not changed."))
    key = f"region-{item.number}-{len(item.boxes)}"
    try:
        region_picker(still_of(item.entity), None, key)
    except MediaError as error:
        show(error)
        return
    with st.container(horizontal=True):
        st.button(
            _("Blur this region"),
            type="primary",
            key=f"blur-now-{item.number}",
            on_click=_blur,
            args=(case.name, item, key),
        )
        st.button(
            _("Remove the blur"),
            key=f"blur-none-{item.number}",
            disabled=not item.boxes,
            on_click=_set_boxes,
            args=(case.name, item, ()),
        )


def _blur(name: str, item: Item, key: str) -> None:
    found = picked_region(key)
    box = Box(found.left, found.top, found.right, found.bottom) if found else Box(0, 0, 1, 1)
    _set_boxes(name, item, (*item.boxes, box))


def _set_boxes(name: str, item: Item, boxes: tuple[Box, ...]) -> None:
    _change(name, "blur", lambda: resources.cases().change(name, replace(item, boxes=boxes)))
    st.session_state[_BLURRING] = None


def _change(name: str, does: str, change: Callable[[], object]) -> None:
    """Write a change down and make it; what goes wrong is shown with the page."""
    try:
        identity.current().require("tag", _("collecting evidence"))
        identity.record("case", detail={"case": name, "does": does})
        change()
    except SightlineError as error:
        st.session_state[_FAILED] = error


def _export(case: Case) -> None:
    access, zone = identity.current(), viewer_zone()
    settings = resources.settings()

    def make() -> bytes:
        file = io.BytesIO()
        with Ledger(settings.ledger_path) as ledger, closing(AuditLog(settings.audit_path)) as log:
            writer = BundleWriter(settings, ledger, room_bytes=_ROOM_BYTES)
            narrowed = access.cameras is not None
            bundle = case_bundle(case, zone, access.name, log, narrowed=narrowed)
            written = writer.write(bundle, file)
            sealed = {"case": case.name, "does": "seal", "fingerprint": written.fingerprint}
            log.record(access.name, "case", detail=sealed)
        return file.getvalue()

    st.download_button(
        _("Export (zip)"),
        data=identity.download("", {"case": case.name}, make),
        file_name=f"{case.name}.zip",
        icon=":material/folder_zip:",
        type="primary",
        on_click="ignore",
        disabled=not case.items,
        help=_(
            "Full-size pictures, clips, a printable sheet, lists, and the SHA-256 sum of every "
            "file, with which anyone can verify that nothing was changed."
        ),
    )
