"""ColourEncoder: the Encoder protocol without a neural network, for tests.

A picture's embedding says which named colours its pixels are nearest to; a sentence's says which of
those names it holds. So "red" finds red pictures, and everything is exact, instant and explainable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from search_core.encoders.base import (
    Embeddings,
    EncoderIdentity,
    Pixels,
    Preprocess,
    l2_normalised,
)
from search_core.encoders.prompts import apply_templates

#: Names and RGB values of the colours told apart.
COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "orange": (250, 140, 20),
    "purple": (140, 40, 160),
    "brown": (120, 70, 30),
}


class ColourEncoder:
    """An encoder of colours alone; ``dim`` is one more than the number of colours."""

    def __init__(self) -> None:
        self._palette = np.array(list(COLOURS.values()), dtype=np.float32)
        self.identity = EncoderIdentity("colours", "", "c0" * 16, len(COLOURS) + 1, "fp32")
        self.preprocess = Preprocess(size=(32, 32), resize_mode="squash")

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Embed preprocessed images, each (height, width, 3) RGB uint8; returns (n, dim)."""
        rows = [self._shares(picture) for picture in pixels]
        return l2_normalised(np.array(rows).reshape(len(rows), self.identity.dim))

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed Pillow images of any mode and size; returns (n, dim)."""
        return self.encode_pixels([self.preprocess(image) for image in images])

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        """Embed sentences; returns (n, dim)."""
        rows = [
            np.mean([self._named(prompt) for prompt in apply_templates(text, templates)], axis=0)
            for text in texts
        ]
        return l2_normalised(np.array(rows).reshape(len(rows), self.identity.dim))

    def _shares(self, picture: Pixels) -> Embeddings:
        flat = picture.reshape(-1, 1, 3).astype(np.float32)
        nearest = np.argmin(((flat - self._palette) ** 2).sum(axis=2), axis=1)
        return l2_normalised(np.bincount(nearest, minlength=self.identity.dim))

    def _named(self, text: str) -> Embeddings:
        words = set(text.lower().split())
        named = np.array([name in words for name in COLOURS] + [False], dtype=np.float32)
        if not named.any():
            named[-1] = 1.0  # a sentence without a colour is near no picture
        return l2_normalised(named)
