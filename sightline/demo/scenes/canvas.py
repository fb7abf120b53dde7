"""A picture addressed in fractions of its size, with a ground in perspective."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from sightline.demo.scenes.scenes import HORIZON
from sightline.demo.scenes.sprites import Colour

SUPERSAMPLE = 2


FloatImage = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Canvas:
    """A picture addressed in fractions of its width and height (x to the right, y down)."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        """Canvas of ``width`` x ``height`` pixels, drawn twice as large and reduced at the end."""
        self.width, self.height = width * SUPERSAMPLE, height * SUPERSAMPLE
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)
        self.rng = rng
        self.horizon = HORIZON + float(rng.uniform(-0.03, 0.04))

    def polygon(self, points: tuple[tuple[float, float], ...], colour: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([(x * self.width, y * self.height) for x, y in points], fill=colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled rectangle between two corners given in any order."""
        left, right = sorted((x0, x1))
        top, bottom = sorted((y0, y1))
        self.draw.rectangle(
            (left * self.width, top * self.height, right * self.width, bottom * self.height),
            fill=colour,
        )

    def line(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, width: float
    ) -> None:
        """A line; ``width`` is a fraction of the height."""
        ends = (x0 * self.width, y0 * self.height, x1 * self.width, y1 * self.height)
        self.draw.line(ends, fill=colour, width=max(1, round(width * self.height)))

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly between two."""
        return float(self.rng.uniform(low, high))

    def grey(self, low: float, high: float, warm: float = 0.0) -> Colour:
        """A grey between two levels, ``warm`` levels towards yellow."""
        level = self.between(low, high)
        return int(level + warm), int(level + warm * 0.5), int(level - warm)

    def ground(self, x: float, depth: float) -> tuple[float, float]:
        """Point of the ground plane: ``x`` from -1 to 1 across at the front, ``depth`` 0 front to 1
        at the horizon.
        """
        y = self.horizon + (1.0 - self.horizon) * (1 - depth) ** 1.6
        near = (y - self.horizon) / (1.0 - self.horizon)
        return 0.5 + x * (0.12 + 0.88 * near), y

    def quad(self, x0: float, x1: float, d0: float, d1: float, colour: Colour) -> None:
        """A rectangle lying on the ground."""
        self.polygon(
            (self.ground(x0, d0), self.ground(x1, d0), self.ground(x1, d1), self.ground(x0, d1)),
            colour,
        )
