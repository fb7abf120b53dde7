"""Adding what a page shows to a case: pictures of hits, or the clip around a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import show
from dashboard.i18n.formatting import Noun, counted, plain
from dashboard.i18n.gettext import _
from ingest.evidence.cases import Item, clip_item, picture_item
from ingest.evidence.originals import span_around
from search_core.errors import SightlineError
from search_core.schema.entity import MediaEntity

#: The case that was added to last is offered first.
LATEST = "latest_case"
_MOST_S = 600


def may_collect() -> bool:
    """Whether the page's user may put things into cases."""
    return identity.current().may("tag")


def add_moment(library: str, entity: MediaEntity) -> None:
    """Draw what adds a moment to a case, as a picture or as a clip of the footage around it."""
    by = identity.current().name
    item = picture_item(library, entity, by)
    if entity.in_video and st.toggle(_("As a clip"), key="case-as-clip"):
        left, right = st.columns(2)
        before = left.number_input(_("Seconds before"), 0, _MOST_S, 5, key="case-before")
        after = right.number_input(_("Seconds after"), 1, _MOST_S, 5, key="case-after")
        exact = exact_switch("case-exact")
        item = clip_item(library, entity, span_around(entity, before, after), by, exact=exact)
    add_items("moment", library, [replace(item, note="")])


def exact_switch(key: str) -> bool:
    """Draw what tells a clip that is cut to the frame from a copy of the recording."""
    return st.toggle(
        _("Exact to the frame"),
        key=key,
        help=_(
            "Re-encodes the clip. Otherwise it is copied from the recording and begins at the "
            "preceding codec keyframe."
        ),
    )


def add_items(key: str, library: str, items: Sequence[Item]) -> None:
    """Draw what adds items to a case, in their order; ``key`` tells it from others of a page."""
    names = resources.cases().names()
    new = _("New case")
    latest = st.session_state.get(LATEST)
    known = sorted(names, key=lambda name: name != latest)
    chosen = st.selectbox(_("Case"), [*known, new], key=f"case-of-{key}")
    name = chosen
    if chosen == new or not names:
        name = st.text_input(_("Name"), key=f"case-name-{key}", placeholder=_("Bike theft"))
    note = st.text_input(_("Note"), key=f"case-note-{key}")
    if st.button(_("Add to the case"), type="primary", key=f"case-add-{key}", disabled=not name):
        _add(name or "", library, [replace(item, note=note.strip()) for item in items])


def _add(name: str, library: str, items: Sequence[Item]) -> None:
    cases = resources.cases()
    access = identity.current()
    access.require("tag", _("collecting evidence"))
    try:
        if name not in cases.names():
            identity.record("case", detail={"case": name, "does": "begin"})
            name = cases.create(name, access.name).name
        ids = [item.entity.id for item in items if item.entity is not None]
        identity.record("case", library, {"case": name, "does": "add", "ids": ids})
        cases.add(name, items)
    except SightlineError as error:
        show(error)
        return
    st.session_state[LATEST] = name
    text = _("Added to the case **{name}**: {pictures}.")
    noun: Noun = "clip" if items[0].kind == "clip" else "picture"
    st.success(text.format(name=plain(name), pictures=counted(len(items), noun)))
