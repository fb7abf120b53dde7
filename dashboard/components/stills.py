"""Pictures of an entity: its thumbnail, as it lies in the data directory, and its still, to search
by a region of it: as large as it can be had here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from PIL import Image

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.components import video_serving as footage
from dashboard.i18n.gettext import _
from search_core.errors import CorruptMedia, MediaError
from search_core.schema.entity import MediaEntity


def show_thumbnail(
    relative: str, alt: str, caption: str = "", others: Mapping[str, str] | None = None
) -> None:
    """Show a thumbnail of the data directory, or that it is gone; ``caption`` is Markdown.

    ``others`` are thumbnails to show below it, each with what it is called; those that are gone are
    left out. They are one element with it, which is quicker to draw than several.
    """
    path = thumbnail_file(relative)
    if path is None:
        st.markdown("\n\n".join((_("The thumbnail is gone."), caption)))
        return
    below = {path: alt for one, alt in (others or {}).items() if (path := thumbnail_file(one))}
    if below:
        captions = [caption, *("" for _file in below)]
        st.image([path, *below], caption=captions, alt=[alt, *below.values()], width="stretch")
    else:
        st.image(path, width="stretch", alt=alt, caption=caption or None)


def thumbnail_file(relative: str) -> Path | None:
    """Return a thumbnail's file; None when it is gone, or is none of the data directory's."""
    settings = resources.settings()
    # By its name alone: resolving links takes a tenth of the time that a page of cards does.
    path = Path(os.path.normpath(settings.data_dir / relative))
    return path if path.is_relative_to(settings.thumbnails_dir) and path.is_file() else None


def still_of(entity: MediaEntity) -> Image.Image:
    """Return a photograph or a live camera's still, else a keyframe's thumbnail.

    The dashboard decodes no video. Raises MediaError where nothing of it is left.
    """
    limit = resources.settings().media.max_pixels
    path = None if entity.in_video else footage.file_of(entity)
    if path is not None:
        try:
            return query_image.read_file(path, limit, query_image.KEPT_PX)
        except (MediaError, OSError):
            pass  # such as HEIC: its thumbnail does
    thumbnail = thumbnail_file(entity.thumbnail)
    if thumbnail is None:
        raise CorruptMedia(
            _("The thumbnail of {id} is missing.").format(id=entity.id),
            _("Ingest the file again to recreate it."),
        )
    return query_image.read_file(thumbnail, limit, query_image.KEPT_PX)
