"""Embeddings in two dimensions, and which of them lie far from all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings
from search_core.messages import Message

#: What groups of footage are told apart by; an encoder says which of them fit.
WORDS = (
    Message("a person"),
    Message("a crowd"),
    Message("a child"),
    Message("a bicycle"),
    Message("a motorcycle"),
    Message("a car"),
    Message("a van"),
    Message("a truck"),
    Message("a bus"),
    Message("a train"),
    Message("a dog"),
    Message("a cat"),
    Message("a bird"),
    Message("an umbrella"),
    Message("a bag"),
    Message("a parcel"),
    Message("an empty street"),
    Message("a crossing"),
    Message("a car park"),
    Message("a loading dock"),
    Message("a gate"),
    Message("a shop"),
    Message("an office"),
    Message("a corridor"),
    Message("a kitchen"),
    Message("a building"),
    Message("a garden"),
    Message("trees"),
    Message("a river"),
    Message("the sea"),
    Message("mountains"),
    Message("night"),
    Message("bright daylight"),
    Message("rain"),
    Message("snow"),
    Message("fog"),
    Message("text"),
    Message("food"),
    Message("a drawing"),
    Message("a blank picture"),
)
_ROUNDS, _STARTS = 25, 3
_BLOCK_ROWS = 1000


def groups_of(vectors: Embeddings, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return for each of the unit vectors (n, dim) its group (n,), 0 being the largest.

    Spherical k-means with ``count`` groups at most, the best of some starts; the same every time.
    """
    import faiss

    data = np.ascontiguousarray(vectors, dtype=np.float32)
    means = faiss.Kmeans(
        data.shape[1],
        min(count, len(data)),
        niter=_ROUNDS,
        nredo=_STARTS,
        spherical=True,
        seed=seed,
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        min_points_per_centroid=1,
        max_points_per_centroid=len(data),
    )
    means.train(data)
    _, nearest = means.assign(data)
    _, groups, sizes = np.unique(nearest, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[groups]


def telling_words(
    vectors: Embeddings, groups: NDArray[np.int64], word_vectors: Embeddings, count: int = 2
) -> list[list[int]]:
    """Return for each group the rows of the ``word_vectors`` (m, dim) that fit it more than others.

    At most ``count`` each, the best first: how well a word fits all of them says nothing of one.
    """
    fits = np.asarray(vectors, dtype=np.float32) @ np.asarray(word_vectors, dtype=np.float32).T
    spread = fits.std(axis=0) + 1e-6
    told = []
    for group in range(int(groups.max()) + 1):
        lift = (fits[groups == group].mean(axis=0) - fits.mean(axis=0)) / spread
        best = np.argsort(-lift, kind="stable")[:count]
        told.append([int(row) for row in best if lift[row] > 0])
    return told


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
