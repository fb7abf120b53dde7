"""A map of similarities laid over its picture in colours of heat, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from search_core.encoders.base import HeatMap

#: From cold to hot: how far along, red, green, blue, and how much of the picture is covered (0 to
#: 1). Hotter is darker and redder, which is seen on snow and at night, and without colour vision.
SCALE = (
    (0.00, 255, 237, 160, 0.00),
    (0.25, 254, 217, 118, 0.12),
    (0.50, 253, 141, 60, 0.38),
    (0.75, 240, 59, 32, 0.58),
    (1.00, 189, 0, 38, 0.72),
)
#: What an encoder did not look at is darkened by so much.
_UNSEEN = 0.55

Sides = tuple[float, float, float, float]


def draw_heat(image: Image.Image, heat: HeatMap, seen: Sides) -> Image.Image:
    """Return the picture, RGB, with a map (rows, cols) over the part of it that it was made of.

    ``seen`` is that part's left, top, right and bottom as shares of width and height. The hottest
    patch has the hottest colour, however little it is; nothing is drawn for zero and below.
    """
    base = np.asarray(image.convert("RGB"), dtype=np.float32)
    left, right = round(seen[0] * image.width), round(seen[2] * image.width)
    top, bottom = round(seen[1] * image.height), round(seen[3] * image.height)
    relative = np.maximum(heat, 0).astype(np.float32) / np.float32(max(float(heat.max()), 1e-12))
    fitted = Image.fromarray(relative).resize(
        (max(1, right - left), max(1, bottom - top)), Image.Resampling.BICUBIC
    )
    whole = Image.new("F", image.size, -1.0)
    whole.paste(fitted, (left, top))
    level = np.asarray(whole)
    stops = np.array(SCALE, dtype=np.float32)
    colour, cover = (
        np.stack([np.interp(level, stops[:, 0], stops[:, part]) for part in parts], axis=-1)
        for parts in ((1, 2, 3), (4,))
    )
    drawn = base * (1 - cover) + colour * cover
    unseen = np.ones(level.shape, dtype=bool)
    unseen[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = False
    drawn[unseen] = base[unseen] * (1 - _UNSEEN)
    return Image.fromarray(drawn.clip(0, 255).astype(np.uint8))


def draw_frames(image: Image.Image, boxes: Iterable[Sides]) -> None:
    """Draw a frame round each box into a picture, dark on light so that it is seen on anything."""
    draw = ImageDraw.Draw(image)
    wide = max(2, round(max(image.size) / 320))
    for left, top, right, bottom in boxes:
        sides = (left * image.width, top * image.height, right * image.width, bottom * image.height)
        for grown, width, colour in ((2 * wide, 2 * wide, "black"), (1.5 * wide, wide, "white")):
            outer = (sides[0] - grown, sides[1] - grown, sides[2] + grown, sides[3] + grown)
            draw.rectangle(outer, outline=colour, width=width)


def hottest_point(heat: HeatMap) -> tuple[float, float] | None:
    """Return the middle of the hottest patch: across and down, as shares of the map's sides.

    None where no patch is above zero.
    """
    if heat.max() <= 0:
        return None
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    return float((column + 0.5) / heat.shape[1]), float((row + 0.5) / heat.shape[0])
