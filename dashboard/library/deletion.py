"""Deleting and dropping in the browser: how much it is comes first, then the question."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.cards import cards_of_entities, picture_name
from dashboard.components.errors import shown_in_words
from dashboard.components.stills import show_thumbnail
from dashboard.components.undo import offer_undo
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import _, said
from dashboard.moment.selection import clear_selection
from dashboard.query.request import forget_answer
from ingest.rows.deletion import (
    KEPT,
    Deletion,
    deleted_entities,
    deletions,
    discard,
    drop_library,
    purge,
    put_back,
)
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.search.query_log import filter_to_dict

#: How many pictures of a deletion are shown.
_MOST_SHOWN = 60


def show_removing(library: str, facets: Facets) -> None:
    """Draw deleting by camera, and dropping the whole library."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("##### " + _("Delete cameras"))
        counts = {camera.camera: camera.count for camera in facets.cameras}
        chosen = st.multiselect(
            _("Cameras"),
            list(counts),
            format_func=lambda name: (name or _("no name")) + f" ({counts.get(name, 0):,})",
            key=f"delete-cameras-{library}",
            placeholder=_("Choose cameras"),
        )
        total = sum(counts[name] for name in chosen if name in counts)
        if st.button(
            _("Delete {pictures} …").format(pictures=counted(total, "picture")),
            disabled=not total,
            icon=":material/delete:",
        ):
            confirm_delete(library, Filter(cameras=tuple(chosen)), ", ".join(chosen))
    with right, st.container(border=True):
        st.markdown("##### " + _("Drop the library"))
        st.markdown(
            _(
                "Deletes **{library}** with its {pictures}, their vectors and thumbnails. Footage "
                "and photographs stay where they are."
            ).format(library=plain(library), pictures=counted(facets.count, "picture"))
        )
        ask = _("Type {library} to confirm").format(library=plain(library))
        typed = st.text_input(ask, key=f"drop-{library}")
        if st.button(_("Drop the library"), key="danger-drop", disabled=typed != library):
            identity.require_removing("dropping a library")
            identity.record("drop", library, {"count": facets.count})
            drop_library(resources.settings(), resources.store(), library)
            settle(_("Dropped the library {library}.").format(library=plain(library)))


def confirm_delete(library: str, where: Filter, what: str) -> None:
    """Ask whether to delete what passes the filter, with its count."""
    st.dialog(_("Delete pictures?"))(_delete_form)(library, where, what)


def show_trash(library: str) -> None:
    """Draw what was deleted from a library and can be put back, or purged; raises NotAllowed."""
    identity.require_removing("looking into the trash")
    found = deletions(resources.settings(), library)
    if not found:
        empty = _("The trash is empty. Deleted pictures stay in it for {days} days.")
        st.caption(empty.format(days=KEPT.days))
        return
    st.caption(
        _(
            "Vectors and thumbnails are kept for {days} days, or until they are purged. Footage "
            "is never changed."
        ).format(days=KEPT.days)
    )
    for item in found:
        with st.container(
            horizontal=True, vertical_alignment="center", border=True, key=f"trash-{item.number}"
        ):
            st.markdown(f"**{counted(item.count, 'picture')}**", width="content")
            st.markdown(plain(said(item.what)), width="content")
            when = _("deleted {when}").format(when=local_time(item.deleted_ms))
            st.caption(plain(when), width="content")
            st.space("stretch")
            with st.popover(_("Pictures"), icon=":material/grid_view:"):
                _choose_deleted(library, item)
            if st.button(_("Restore"), key=f"undo-{item.number}", icon=":material/undo:"):
                identity.require_removing("putting back")
                identity.record("restore", library, {"put back": item.what, "count": item.count})
                back = put_back(resources.settings(), resources.store(), item.number)
                settle(_("Restored {pictures}.").format(pictures=counted(back, "picture")))
            if st.button(_("Purge now …"), key=f"purge-{item.number}"):
                st.dialog(_("Delete permanently?"))(_purge_form)(item)


def _choose_deleted(library: str, item: Deletion) -> None:
    """Draw the pictures of a deletion, to put back some of them."""
    shown = deleted_entities(resources.settings(), item.number, _MOST_SHOWN)
    chosen = []
    with st.container(horizontal=True, key=f"trash-pictures-{item.number}"):
        for card in cards_of_entities(shown):
            with st.container(width=140, key=f"trash-{item.number}-{card.number}"):
                show_thumbnail(card.entity.thumbnail, alt=picture_name(card))
                when = local_time(card.entity.captured_at)
                if st.checkbox(when, key=f"back-{item.number}-{card.entity.id}"):
                    chosen.append(card.entity.id)
    if len(shown) < item.count:
        text = _("The first {shown} of {all}")
        st.caption(text.format(shown=f"{len(shown):,}", all=f"{item.count:,}"))
    label = _("Restore {pictures}").format(pictures=counted(len(chosen), "picture"))
    if st.button(label, key=f"back-{item.number}", disabled=not chosen, type="primary"):
        identity.require_removing("putting back")
        identity.record("restore", library, {"put back": item.what, "ids": chosen})
        back = put_back(resources.settings(), resources.store(), item.number, chosen)
        settle(_("Restored {pictures}.").format(pictures=counted(back, "picture")))


def settle(message: str) -> None:
    """Reload the page after a change of the library."""
    resources.forget_what_was_read()
    forget_answer()
    st.toast(message)
    st.rerun()


def counting(doing: str, total: int) -> Callable[[int], None]:
    """Draw a bar; return a function that sets how many are done."""
    bar = st.progress(0.0, text=doing)

    def tell(done: int) -> None:
        text = _("{doing}: {done} of {total}").format(
            doing=doing, done=f"{done:,}", total=f"{total:,}"
        )
        bar.progress(min(1.0, done / max(1, total)), text=text)

    return tell


@shown_in_words()
def _purge_form(item: Deletion) -> None:
    identity.require_removing("purging")
    st.markdown(
        _(
            "**{pictures}** ({what}) will be deleted permanently, with vectors and thumbnails. "
            "This cannot be undone."
        ).format(pictures=counted(item.count, "picture"), what=plain(said(item.what)))
    )
    label = _("Purge {pictures}").format(pictures=counted(item.count, "picture"))
    if st.button(label, key="danger-purge"):
        identity.record("delete", item.library, {"purged": item.what, "count": item.count})
        purge(resources.settings(), resources.store(), item.number)
        settle(_("Purged {pictures}.").format(pictures=counted(item.count, "picture")))


@shown_in_words()
def _delete_form(library: str, where: Filter, what: str) -> None:
    count = resources.store().count(library, where)
    st.markdown(
        _(
            "**{pictures}** ({what}) will be deleted from the library {library}. They can be "
            "restored from the trash for {days} days. The footage itself is not changed."
        ).format(
            pictures=counted(count, "picture"),
            what=plain(said(what)),
            library=plain(library),
            days=KEPT.days,
        )
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(_("Cancel")):
            st.rerun()
        label = _("Delete {pictures}").format(pictures=counted(count, "picture"))
        if st.button(label, key="danger-delete", disabled=not count):
            identity.require_removing("deleting")
            store, tell = resources.store(), counting(_("Deleting"), count)
            identity.record("delete", library, {"filter": filter_to_dict(where), "count": count})
            deleted = discard(resources.settings(), store, library, where, what, tell)
            clear_selection()
            offer_undo(library, deleted)
            resources.forget_what_was_read()
            forget_answer()
            st.rerun()
