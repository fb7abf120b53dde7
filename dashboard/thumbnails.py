"""Thumbnails as they lie in the data directory."""

from __future__ import annotations

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


def thumbnail_file(relative: str) -> Path | None:
    """Return a thumbnail's file; None when it is gone, or is none of the data directory's."""
    settings = resources.settings()
    path = (settings.data_dir / relative).resolve()
    inside = path.is_relative_to(settings.thumbnails_dir.resolve())
    return path if relative and inside and path.is_file() else None
