"""Pictures from outside: the one place where the dashboard opens an image file, carefully."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageDraw, ImageOps

from dashboard.i18n.gettext import _
from ingest.media.images.formats import is_raw, preview_of, without_long_text
from search_core.errors import CorruptMedia, MediaTooLarge, UnsupportedMedia
from search_core.search.query_pictures import digest_of

# The limit is ours, of settings, and checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
#: Formats that are photographs or drawings of pixels; no PostScript, no icons, no fonts.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_BYTES = 64 * 1024 * 1024
#: A query, or a region of it, is embedded at a few hundred pixels; what is kept is no larger.
KEPT_PX = 1024
_QUALITY = 92
#: No side of a region is a smaller share of the picture.
LEAST_SIDE = 0.02


@dataclass(frozen=True, slots=True)
class QueryPicture:
    """A picture to search by: upright, RGB, scaled down, with nothing else of the file it came in.

    ``data`` is it as a JPEG, ``digest`` the hash of that, which makes two of them equal, and
    ``image`` what that decodes to: whoever opens the JPEG searches by the same pixels.
    """

    digest: str
    data: bytes = field(compare=False, repr=False)
    image: Image.Image = field(compare=False, repr=False)


#: How wide the line round a region is, as a share of the picture.
_OUTLINE = 0.0025


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: where its sides are, as shares of width and height from 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def of(self, image: Image.Image) -> Image.Image:
        """Return this part of a picture, at least a pixel each way."""
        left, top = round(self.left * image.width), round(self.top * image.height)
        right, bottom = round(self.right * image.width), round(self.bottom * image.height)
        left, top = min(left, image.width - 1), min(top, image.height - 1)
        return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def box_of(sides: Sequence[float]) -> Box | None:
    """Return the box with these four sides, None where they are none, or all of the picture."""
    if len(sides) != 4 or not all(math.isfinite(side) for side in sides):
        return None
    left, top, right, bottom = (round(min(1.0, max(0.0, side)), 3) for side in sides)
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        return None
    whole = (left, top, right, bottom) == (0.0, 0.0, 1.0, 1.0)
    return None if whole else Box(left, top, right, bottom)


def box_to_text(box: Box) -> str:
    """Return a box as an address carries it, such as ``0.1,0.25,0.5,0.75``."""
    return ",".join(f"{side:g}" for side in (box.left, box.top, box.right, box.bottom))


def box_from_text(text: str) -> Box | None:
    """Read what :func:`box_to_text` wrote; None for anything else."""
    try:
        return box_of([float(side) for side in text.split(",")])
    except ValueError:
        return None


def outlined(image: Image.Image, sides: Sequence[float]) -> Image.Image:
    """Return a picture with the outline of a region (left, top, right, bottom as fractions)."""
    marked = image.copy()
    width, height = image.size
    left, top, right, bottom = sides
    place = (left * width, top * height, right * width - 1, bottom * height - 1)
    line = max(1, round(_OUTLINE * width))
    draw = ImageDraw.Draw(marked)
    draw.rectangle(place, outline=(11, 15, 20), width=3 * line)
    inner = (place[0] + line, place[1] + line, place[2] - line, place[3] - line)
    draw.rectangle(inner, outline=(255, 209, 102), width=line)
    return marked


def read_picture(data: bytes, max_pixels: int) -> QueryPicture:
    """Decode an image file's bytes, whatever its name said it was, and keep its pixels alone.

    Raises UnsupportedMedia, CorruptMedia or MediaTooLarge.
    """
    kept = io.BytesIO()
    _decoded(data, max_pixels).save(kept, "JPEG", quality=_QUALITY, subsampling=0)
    return reopened_picture(kept.getvalue(), max_pixels)


def reopened_picture(data: bytes, max_pixels: int) -> QueryPicture:
    """Open the JPEG of a picture that :func:`read_picture` returned, trusting it no more than any.

    Raises UnsupportedMedia, CorruptMedia or MediaTooLarge.
    """
    return QueryPicture(digest_of(data), data, _decoded(data, max_pixels))


def read_file(path: Path, max_pixels: int, longest_px: int) -> Image.Image:
    """Decode an image file for looking at; raises MediaError, or OSError when it is gone."""
    with path.open("rb") as file:
        if is_raw(file):
            file.seek(0)
            preview, _note = preview_of(file.read())
            return _decode(preview, max_pixels, longest_px)
        file.seek(0)
        return _decode(file, max_pixels, longest_px)


def _decoded(data: bytes, max_pixels: int) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise MediaTooLarge(
            _("The picture has {size} MB.").format(size=f"{len(data) / 1e6:.0f}"),
            _("The limit for pictures to search by is {size} MB.").format(size=MAX_BYTES // 2**20),
        )
    return _decode(io.BytesIO(data), max_pixels, KEPT_PX)


def _decode(file: BinaryIO, max_pixels: int, longest_px: int) -> Image.Image:
    with warnings.catch_warnings(action="ignore"):
        try:
            opened = Image.open(without_long_text(file), formats=FORMATS)
        except Exception as error:
            raise UnsupportedMedia(
                _("The file is not a picture that can be searched with."),
                _("Use {formats}.").format(formats=", ".join(FORMATS)),
            ) from error
        with opened:
            if opened.width * opened.height > max_pixels:
                raise MediaTooLarge(
                    _("The picture has more than {count} million pixels.").format(
                        count=f"{max_pixels / 1e6:.0f}"
                    ),
                    _("Scale it down, or raise SIGHTLINE_MEDIA_MAX_PIXELS."),
                )
            try:
                opened.draft("RGB", (longest_px, longest_px))
                upright = ImageOps.exif_transpose(opened)
                rgb = _on_white(upright)
                rgb.thumbnail((longest_px, longest_px), reducing_gap=2.0)
            except Exception as error:
                raise CorruptMedia(
                    _("The picture is damaged and cannot be read completely."),
                    _("Try another copy."),
                ) from error
    return rgb


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")
