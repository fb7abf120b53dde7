"""Any Pillow mode to RGB: deep greys scaled, CMYK and Lab by their profiles, alpha on white."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image as RGB, transparent parts on white; deep greys keep their whole range."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _grey_from_deep(image)
    if mode in ("CMYK", "LAB"):
        return _through_profile(image)
    if _has_alpha(image):
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size, _WHITE)
        flat.paste(rgba, mask=rgba.getchannel("A"))
        return flat
    return image if mode == "RGB" else image.convert("RGB")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _grey_from_deep(image: Image.Image) -> Image.Image:
    """Scale 16-bit integers by their range; 32-bit integers and floats by what they hold."""
    values: NDArray[np.float32] = np.asarray(image).astype(np.float32)
    clear = image.info.get("transparency")
    transparent = values == clear if isinstance(clear, int) else None
    finite = np.isfinite(values)
    low, high = 0.0, 65535.0
    if finite.any():
        least, most = float(values[finite].min()), float(values[finite].max())
        if image.mode.startswith("I") and least >= 0 and most <= high:
            # Sensors of 10, 12 or 14 bits are stored as 16: scale by the bits that are in use.
            high = next(top for top in (255.0, 1023.0, 4095.0, 16383.0, high) if most <= top)
        else:
            low, high = least, most
    scale = 255.0 / (high - low) if high > low else 0.0
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * scale
    grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[transparent] = 255
    return Image.fromarray(grey, "L").convert("RGB")


def _through_profile(image: Image.Image) -> Image.Image:
    """Convert CMYK or Lab with the embedded profile, or with what the mode means without one."""
    try:
        embedded = image.info.get("icc_profile")
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif embedded:
            source = ImageCms.ImageCmsProfile(BytesIO(embedded))
        else:
            return image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
        converted: Image.Image = transform.apply(image)
        return converted
    except ImageCms.PyCMSError:  # a profile that is damaged or of another colour space
        return image.convert("RGB") if image.mode == "CMYK" else image.getchannel(0).convert("RGB")
