"""Embeddings in two dimensions, and which of them lie far from all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings

_BLOCK_ROWS = 1000


def principal_components(vectors: Embeddings) -> tuple[NDArray[np.float64], float]:
    """Return vectors (n, dim) as points (n, 2), and the share of their variance that points show.

    The two directions in which they vary most: distances on the map are never larger than they are.
    """
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    points = centred @ directions[:, :-3:-1]
    total = float(variances.sum())
    return points, float(variances[-2:].sum()) / total if total > 0 else 0.0


def nearest_similarities(vectors: Embeddings) -> NDArray[np.float32]:
    """Return for each of the unit vectors (n, dim) its cosine similarity (n,) to its nearest one.

    The lower it is, the less there is like it. -1 for a vector that is alone.
    """
    nearest = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS] @ vectors.T
        rows = np.arange(len(block))
        block[rows, rows + start] = -1.0
        nearest[start : start + _BLOCK_ROWS] = block.max(axis=1, initial=-1.0)
    return nearest


def farthest(similarities: Sequence[float] | NDArray[np.float32], count: int) -> list[int]:
    """Return the rows whose nearest neighbour is farthest away, the farthest first."""
    return [int(row) for row in np.argsort(np.asarray(similarities), kind="stable")[:count]]
