"""The pen that draws things in their own units, and the picture of one thing ready to be placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

PALETTE: dict[str, Colour] = {
    "red": (196, 30, 34),
    "orange": (236, 122, 22),
    "yellow": (238, 208, 36),
    "green": (34, 138, 56),
    "blue": (32, 78, 196),
    "purple": (120, 42, 160),
    "pink": (240, 138, 178),
    "white": (234, 234, 230),
    "black": (26, 26, 30),
    "grey": (112, 114, 118),
    "brown": (118, 78, 46),
}
"""RGB of each named colour under plain daylight."""

SKIN: tuple[Colour, ...] = ((232, 190, 160), (206, 158, 122), (150, 104, 72), (98, 66, 46))


def tinted(colour: Colour, rng: np.random.Generator, spread: float = 14.0) -> Colour:
    """The colour as one particular thing wears it: a little lighter, darker or duller, its hue
    kept.
    """
    factor = 1.0 + float(rng.normal(0, 0.07))
    shift = float(rng.normal(0, spread * 0.35))
    return shaded(colour, factor, shift)


def shaded(colour: Colour, factor: float, shift: float = 0.0) -> Colour:
    """The colour multiplied by ``factor`` and moved by ``shift``, kept within 0 to 255."""
    r, g, b = (int(min(255, max(0, part * factor + shift))) for part in colour)
    return r, g, b


@dataclass(slots=True)
class Sprite:
    """RGBA picture of one thing; ``anchor`` is the pixel (x, y) that stands on the ground at its
    placement.
    """

    image: Image.Image
    anchor: tuple[float, float]


class Pen:
    """Draws in units of a person's height, y upwards, the origin on the ground in the middle of the
    canvas.
    """

    def __init__(self, width: float, height: float, scale: float, floor: float = 0.06) -> None:
        """Canvas of ``width`` x ``height`` units at ``scale`` pixels a unit, with ``floor`` units
        below the ground.
        """
        self.scale = scale
        self.origin = (width / 2 * scale, height * scale)
        size = (max(4, int(width * scale) + 1), max(4, int((height + floor) * scale) + 1))
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def at(self, point: Point) -> Point:
        """Pixel of a point given in units."""
        return self.origin[0] + point[0] * self.scale, self.origin[1] - point[1] * self.scale

    def limb(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A thick line with round ends and joints, ``width`` in units."""
        pixels = [self.at(point) for point in points]
        thick = max(1, round(width * self.scale))
        self.draw.line(pixels, fill=(*colour, 255), width=thick, joint="curve")
        radius = thick / 2
        for x, y in (pixels[0], pixels[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, 255))

    def polygon(self, points: Sequence[Point], colour: Colour, alpha: int = 255) -> None:
        """A filled polygon."""
        self.draw.polygon([self.at(point) for point in points], fill=(*colour, alpha))

    def box(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        colour: Colour,
        radius: float = 0.0,
    ) -> None:
        """A filled rectangle, its corners rounded by ``radius`` units."""
        x0, y0 = self.at((left, top))
        x1, y1 = self.at((right, bottom))
        if x1 - x0 < 1 or y1 - y0 < 1:
            return
        if radius * self.scale >= 1:
            self.draw.rounded_rectangle(
                (x0, y0, x1, y1), radius=radius * self.scale, fill=(*colour, 255)
            )
        else:
            self.draw.rectangle((x0, y0, x1, y1), fill=(*colour, 255))

    def disc(self, centre: Point, rx: float, ry: float, colour: Colour) -> None:
        """A filled ellipse with half axes ``rx`` and ``ry``."""
        x, y = self.at(centre)
        a, b = rx * self.scale, ry * self.scale
        self.draw.ellipse((x - a, y - b, x + a, y + b), fill=(*colour, 255))

    def ring(self, centre: Point, radius: float, width: float, colour: Colour) -> None:
        """A circle's outline."""
        x, y = self.at(centre)
        r = radius * self.scale
        self.draw.ellipse(
            (x - r, y - r, x + r, y + r),
            outline=(*colour, 255),
            width=max(1, round(width * self.scale)),
        )

    def arch(self, centre: Point, rx: float, ry: float, colour: Colour) -> None:
        """The upper half of an ellipse, filled."""
        x, y = self.at(centre)
        a, b = rx * self.scale, ry * self.scale
        self.draw.pieslice(((x - a, y - b), (x + a, y + b)), 180, 360, fill=(*colour, 255))


def reduced(image: Image.Image, factor: int) -> Image.Image:
    """The picture shrunk by a whole factor, edges softened (alpha handled as premultiplied)."""
    if factor == 1:
        return image
    return image.convert("RGBa").reduce(factor).convert("RGBA")


def lit(
    image: Image.Image, rng: np.random.Generator, above: float = 1.12, below: float = 0.84
) -> Image.Image:
    """Shading across a thing: light from above (factors at its top and foot) and from one side."""
    pixels = np.asarray(image, dtype=np.float32).copy()
    height, width = pixels.shape[:2]
    down = np.linspace(above, below, height, dtype=np.float32)[:, None]
    slope = float(rng.uniform(-0.12, 0.12))
    across = 1 + np.linspace(-slope, slope, width, dtype=np.float32)[None, :]
    grain = rng.standard_normal((height, width), dtype=np.float32) * 0.035 + 1
    pixels[..., :3] *= (down * across * grain)[..., None]
    np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(pixels.astype(np.uint8), "RGBA")
