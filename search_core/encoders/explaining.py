"""Why an image matched: what an encoder may offer beside embeddings."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from PIL import Image

from search_core.encoders.base import Embeddings, Encoder, HeatMap


@runtime_checkable
class Explainer(Protocol):
    """An encoder that can tell which patches of an image carry its similarity to a query."""

    def explain(self, image: Image.Image, embedding: Embeddings) -> HeatMap | None:
        """Return each patch's part in the similarity to ``embedding`` (dim,), as (rows, cols).

        The map is of the image as the encoder sees it (``preprocess.seen``); None where this model
        does not allow it.
        """
        ...


def explain(encoder: Encoder, image: Image.Image, embedding: Embeddings) -> HeatMap | None:
    """Return an encoder's map of an image for a query; None where it does not offer any."""
    return encoder.explain(image, embedding) if isinstance(encoder, Explainer) else None
