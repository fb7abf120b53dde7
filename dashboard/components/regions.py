"""The choice of which parts of pictures are embedded as well, wherever footage is taken in."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from dashboard import resources
from dashboard.components.errors import show
from dashboard.i18n.gettext import N_, _
from ingest.media.regions.registry import OFF, PROPOSERS, spelled
from search_core.errors import UsageError
from search_core.settings import Settings

_LABELS = {
    OFF: N_("none"),
    "auto": N_("as the footage is"),
    "motion": N_("what moves"),
    "tiles": N_("tiles of the picture"),
}
_WITHOUT_FILES = [name for name, proposer in PROPOSERS.items() if not proposer.argument]


def pick_regions(key: str, now: str = OFF) -> str:
    """Draw the choice, as it is ``now``; return what was chosen, as it is recorded."""
    names = [OFF, *_WITHOUT_FILES]
    try:
        names = offered_regions(resources.settings())
    except UsageError as error:
        show(error)
    if now not in names:  # a detector of another file
        names.append(now)
    return st.selectbox(
        _("Regions"),
        names,
        index=names.index(now),
        format_func=name_of_regions,
        help=_(
            "Parts of each picture that are embedded as well, so that small things are found: what "
            "moves, for fixed cameras; tiles, for photographs and what stands still. Ingest takes "
            "longer, and searches do."
        ),
        key=key,
    )


def offered_regions(settings: Settings) -> list[str]:
    """Return which there are, as they are recorded; a detector where the settings name its file.

    Raises UsageError where that is of no use.
    """
    names = [OFF, *_WITHOUT_FILES]
    file = settings.media.detector
    return names if file is None else [*names, spelled(f"detector:{file}")]


def name_of_regions(which: str) -> str:
    """Return what people call a kind of regions, by how it is recorded; it is no Markdown."""
    name, _colon, file = which.partition(":")
    if file:
        return _("what {detector} finds").format(detector=PurePath(file.partition("#")[0]).stem)
    return _(_LABELS[name]) if name in _LABELS else name
