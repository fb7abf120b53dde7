"""Thumbnails as they lie in the data directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboard import resources


def show_thumbnail(relative: str, alt: str, caption: str = "") -> None:
    """Show a thumbnail of the data directory, or that it is gone; ``caption`` is Markdown."""
    path = thumbnail_file(relative)
    if path is None:
        st.markdown(f"The thumbnail is gone.\n\n{caption}")
    else:
        st.image(path, width="stretch", alt=alt, caption=caption or None)


def show_thumbnails(named: Mapping[str, str]) -> None:
    """Show thumbnails of the data directory, each with what it is called, in a row.

    Those that are gone are left out.
    """
    files = {path: alt for relative, alt in named.items() if (path := thumbnail_file(relative))}
    if files:
        st.image(list(files), alt=list(files.values()), width="stretch")


def thumbnail_file(relative: str) -> Path | None:
    """Return a thumbnail's file; None when it is gone, or is none of the data directory's."""
    settings = resources.settings()
    # By its name alone: resolving links takes a tenth of the time that a page of cards does.
    path = Path(os.path.normpath(settings.data_dir / relative))
    return path if path.is_relative_to(settings.thumbnails_dir) and path.is_file() else None
