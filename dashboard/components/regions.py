"""The choice of which parts of pictures are embedded as well, wherever footage is taken in."""

from __future__ import annotations

import streamlit as st

from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import N_, _
from ingest.media.regions.registry import OFF, PROPOSERS

_LABELS = {OFF: N_("none"), "motion": N_("what moves"), "tiles": N_("tiles of the picture")}


def pick_regions(key: str, now: str = OFF) -> str:
    """Draw the choice, as it is ``now``; return the name of what was chosen."""
    names = [OFF, *PROPOSERS]
    return st.selectbox(
        _("Regions"),
        names,
        index=names.index(now.strip().lower()),
        format_func=name_of_regions,
        help=_(
            "Parts of each picture that are embedded as well, so that small things are found: what "
            "moves, for fixed cameras; tiles, for photographs and what stands still. Ingest takes "
            "longer, and searches do."
        ),
        key=key,
    )


def name_of_regions(name: str) -> str:
    """Return what people call a kind of regions."""
    return _(_LABELS[name]) if name in _LABELS else plain(name)
