"""What an encoder is: the protocol, the identity a library remembers, image preprocessing, and what
a runtime that computes encoders adds.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Embeddings = NDArray[np.float32]
Pixels = NDArray[np.uint8]
#: What each patch of an image gives to a similarity: (rows, cols), in parts of a cosine.
HeatMap = NDArray[np.float32]
#: Longer side over shorter side up to which an image is scaled whole.
MAX_ASPECT = 64


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Which encoder made a vector: its weights and its preprocessing, whatever runtime computes it.

    ``digest`` is that of the weights (:func:`weights_digest`), ``preprocessing`` that of what is
    done to images before (:func:`preprocessing_digest`), "" where a library was made before it was
    recorded. ``dim`` is the embedding's length, ``precision`` the weights' type while encoding.
    """

    name: str
    pretrained: str
    digest: str
    dim: int
    precision: str
    preprocessing: str = ""

    @property
    def label(self) -> str:
        """How people read it, e.g. ``ViT-B-32 laion2b_s34b_b79k (512-d, weights 1f0c9a2b)``."""
        which = f"{self.name} {self.pretrained}".strip()
        return f"{which} ({self.dim}-d, weights {self.digest[:8]})"

    def label_beside(self, other: EncoderIdentity) -> str:
        """Return the label, with the preprocessing where the weights are those of the other too."""
        if self.digest != other.digest or not self.preprocessing:
            return self.label
        return f"{self.label.removesuffix(')')}, preprocessing {self.preprocessing[:8]})"

    def same_space(self, other: EncoderIdentity) -> bool:
        """Whether vectors of both may be compared.

        An unknown preprocessing passes for the same: libraries made before it was recorded are
        told apart by their weights, as they always were.
        """
        if self.digest != other.digest or self.dim != other.dim:
            return False
        known = self.preprocessing and other.preprocessing
        return not known or self.preprocessing == other.preprocessing

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> EncoderIdentity:
        """Read what :meth:`to_dict` wrote."""
        return cls(**{of.name: record[of.name] for of in fields(cls) if of.name in record})


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Resize and crop of an RGB image to an encoder's input, with Pillow alone.

    It gives the same bytes as the torchvision transform open_clip builds from the same values, and
    needs no torch, so that decoding processes start fast and stay small. ``size`` is (height,
    width) in pixels. Mean and standard deviation are applied later, to whole batches.
    """

    size: tuple[int, int]
    resize_mode: Literal["shortest", "squash", "longest"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill_color: int = 0

    def __call__(self, image: Image.Image) -> Pixels:
        """Return RGB uint8 pixels of shape (height, width, 3)."""
        rgb = _without_far_ends(image)
        rgb = rgb if rgb.mode == "RGB" else rgb.convert("RGB")
        height, width = self.size
        resized = rgb.resize(self._resized_size(rgb.size), self._filter())
        if resized.size != (width, height):
            resized = self._crop_or_pad(resized)
        return np.asarray(resized, dtype=np.uint8)

    def seen(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return which part of an image of (width, height) pixels becomes the input.

        Left, top, right and bottom as shares of width and height: below 0 or above 1 where the
        input has a margin that the image has not.
        """
        kept = _kept_middle(size)
        resized = self._resized_size(kept)
        # All that is cut off or added is cut off or added at both ends alike, to half a pixel.
        across = self.size[1] / resized[0] * kept[0] / size[0]
        down = self.size[0] / resized[1] * kept[1] / size[1]
        return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2

    def _filter(self) -> Image.Resampling:
        bicubic = self.interpolation == "bicubic"
        return Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR

    def _resized_size(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = size
        to_height, to_width = self.size
        if self.resize_mode == "squash":
            return to_width, to_height
        if self.resize_mode == "shortest" and to_height == to_width:
            # torchvision's Resize with one number truncates the longer side.
            if width <= height:
                return to_width, max(1, int(to_width * height / width))
            return max(1, int(to_height * width / height)), to_height
        ratios = (height / to_height, width / to_width)
        ratio = max(ratios) if self.resize_mode == "longest" else min(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def _crop_or_pad(self, image: Image.Image) -> Image.Image:
        to_height, to_width = self.size
        width, height = image.size
        left = round((width - to_width) / 2.0)
        top = round((height - to_height) / 2.0)
        if width >= to_width and height >= to_height:
            return image.crop((left, top, left + to_width, top + to_height))
        canvas = Image.new("RGB", (to_width, to_height), (self.fill_color,) * 3)
        canvas.paste(image, ((to_width - width) // 2, (to_height - height) // 2))
        return canvas


def _without_far_ends(image: Image.Image) -> Image.Image:
    """Return the middle of an image so long and narrow that scaling it up would exhaust memory."""
    width, height = image.size
    to_width, to_height = _kept_middle(image.size)
    if (to_width, to_height) == image.size:
        return image
    left, top = (width - to_width) // 2, (height - to_height) // 2
    return image.crop((left, top, left + to_width, top + to_height))


def _kept_middle(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    return min(width, MAX_ASPECT * height), min(height, MAX_ASPECT * width)


@runtime_checkable
class Encoder(Protocol):
    """Images and sentences to L2-normalised float32 embeddings of one space."""

    @property
    def identity(self) -> EncoderIdentity:
        """Which encoder this is."""

    @property
    def preprocess(self) -> Preprocess:
        """How images become this encoder's input pixels."""

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Embed preprocessed images, each (height, width, 3) RGB uint8; returns (n, dim)."""

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed Pillow images of any mode and size; returns (n, dim)."""

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        """Embed sentences; returns (n, dim). Several templates are averaged (see prompts)."""


def l2_normalised(vectors: NDArray[Any]) -> Embeddings:
    """Return rows (n, dim) or one vector scaled to length 1, as float32; zeros stay zero."""
    rows = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    result: Embeddings = rows / np.maximum(norms, np.float32(1e-12))
    return result


@runtime_checkable
class Explainer(Protocol):
    """An encoder that can tell which patches of an image carry its similarity to a query."""

    def explain(self, image: Image.Image, embedding: Embeddings) -> HeatMap | None:
        """Return each patch's part in the similarity to ``embedding`` (dim,), as (rows, cols).

        The map is of the image as the encoder sees it (``preprocess.seen``); None where this model
        does not allow it.
        """


def explain(encoder: Encoder, image: Image.Image, embedding: Embeddings) -> HeatMap | None:
    """Return an encoder's map of an image for a query; None where it does not offer any."""
    return encoder.explain(image, embedding) if isinstance(encoder, Explainer) else None


def weights_digest(weights: Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Return the BLAKE2b-128 of weights as they are stored, given by name and in order of names.

    Each is taken as float32, so that it is the same for files of any precision that hold the same
    numbers, and for every runtime that reads them.
    """
    blake = hashlib.blake2b(digest_size=16)
    for name, values in weights:
        blake.update(name.encode())
        blake.update(np.ascontiguousarray(values, dtype=np.float32).tobytes())
    return blake.hexdigest()


def preprocessing_digest(
    preprocess: Preprocess, mean: Sequence[float], std: Sequence[float]
) -> str:
    """Return the BLAKE2b-128 of how images become input: resizing, and what pixels are scaled by.

    ``mean`` and ``std`` are those of a channel, of RGB values from 0 to 1.
    """
    record = {**asdict(preprocess), "mean": list(map(float, mean)), "std": list(map(float, std))}
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Which encoder to load, and how it runs; small and picklable, for other machines too.

    ``model`` and ``pretrained`` name it, ``device`` and ``precision`` may be "auto".
    """

    model: str
    pretrained: str | None = None
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = 32


class EncoderRuntime(ABC):
    """An encoder as one runtime computes it: a subclass is an :class:`Encoder` too.

    All that a runtime needs stands on its class; :mod:`search_core.encoders.loading` lists them.
    ``runtime`` is its name, ``about`` says in a clause what it computes with.
    """

    runtime: ClassVar[str]
    about: ClassVar[str]

    @classmethod
    @abstractmethod
    def takes(cls, options: EncoderOptions) -> bool:
        """Whether this runtime can compute that encoder; decided without loading it."""

    @classmethod
    @abstractmethod
    def load(cls, options: EncoderOptions) -> Encoder:
        """Load an encoder; raises EncoderUnavailable where it is unknown or cannot be had."""
