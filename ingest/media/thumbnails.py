"""Thumbnails: where they lie and how they are written, so that a crash leaves none half done."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from search_core.schema.entity import FrameRef

JPEG_QUALITY = 85


def thumbnail_path(ref: FrameRef) -> str:
    """Return the thumbnail's path relative to the data directory: the same frame, the same path."""
    track = f"v{ref.track}-" if ref.track else ""
    return f"thumbnails/{ref.source_id[:2]}/{ref.source_id}/{track}{ref.pts_ms}.jpg"


def write_thumbnail(image: Image.Image, ref: FrameRef, data_dir: Path, longest_px: int) -> str:
    """Write an RGB image as a JPEG no longer than ``longest_px``; return :func:`thumbnail_path`.

    The file appears whole or not at all. Raises OSError when it cannot be written.
    """
    relative = thumbnail_path(ref)
    write_picture(image, data_dir / relative, longest_px)
    return relative


def write_picture(image: Image.Image, target: Path, longest_px: int) -> None:
    """Write an RGB image as a JPEG no longer than ``longest_px``, whole or not at all.

    Raises OSError when it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            fitted(image, longest_px).save(file, "JPEG", quality=JPEG_QUALITY)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def fitted(image: Image.Image, longest_px: int) -> Image.Image:
    """Return the image scaled down so that its longer side is at most ``longest_px``."""
    longest = max(image.size)
    if longest <= longest_px:
        return image
    width, height = (max(1, round(side * longest_px / longest)) for side in image.size)
    # Nearly as sharp as bicubic at the cost of bilinear.
    return image.resize((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)
