"""The still of an entity, to search by a region of it: as large as it can be had here."""

from __future__ import annotations

from PIL import Image

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.components import video_serving as footage
from dashboard.components.thumbnails import thumbnail_file
from dashboard.i18n.gettext import _
from search_core.errors import CorruptMedia, MediaError
from search_core.schema.entity import MediaEntity


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
            _("The thumbnail of {id} is gone.").format(id=entity.id),
            _("Ingest its file again to make it anew."),
        )
    return query_image.read_file(thumbnail, limit, query_image.KEPT_PX)
