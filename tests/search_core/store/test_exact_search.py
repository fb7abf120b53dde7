from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.store.exact_search import SIMILARITIES, NearestSoFar, distances


def slowly(query: np.ndarray, vector: np.ndarray, metric: str) -> float:
    """The definitions of Milvus's metrics, a pair at a time."""
    if metric in ("HAMMING", "JACCARD"):
        one, other = np.unpackbits(query), np.unpackbits(vector)
        every, shared = (one | other).sum(), (one & other).sum()
        if metric == "HAMMING":
            return float(every - shared)
        return 1.0 - float(shared / every) if every else 0.0
    query, vector = query.astype(np.float64), vector.astype(np.float64)
    if metric == "L2":
        return float(((query - vector) ** 2).sum())
    if metric == "IP":
        return float(query @ vector)
    return float(query @ vector / np.linalg.norm(query) / np.linalg.norm(vector))


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["COSINE", "IP", "L2", "HAMMING", "JACCARD"]),
    st.integers(0, 2**31),
    st.integers(1, 12),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_blocks_give_what_all_at_once_gives(
    metric: str, seed: int, k: int, blocks: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    binary = metric in ("HAMMING", "JACCARD")
    shape = (sum(blocks) + 3, 4)
    made = rng.integers(0, 256, shape).astype(np.uint8) if binary else rng.normal(size=shape)
    vectors = made if binary else made.astype(np.float32)
    queries, vectors = vectors[:3], vectors[3:]
    expected = np.array([[slowly(q, v, metric) for v in vectors] for q in queries])
    np.testing.assert_allclose(distances(queries, vectors, metric), expected, atol=1e-4)

    nearest = NearestSoFar(queries, k, metric)
    for rows in np.split(np.arange(len(vectors)), np.cumsum(blocks)[:-1]):
        nearest.add(rows, vectors[rows])

    best = np.sort(-expected if metric in SIMILARITIES else expected, axis=1)[:, :k]
    found = -nearest.distances if metric in SIMILARITIES else nearest.distances
    np.testing.assert_allclose(found[:, : best.shape[1]], best, atol=1e-4)
    missing = nearest.rows < 0
    assert missing.sum() == 3 * max(0, k - len(vectors))
    assert np.isnan(nearest.distances[missing]).all()


def test_two_vectors_without_bits_are_alike() -> None:
    nothing = np.zeros((1, 2), np.uint8)
    assert distances(nothing, nothing, "JACCARD") == pytest.approx(0.0)
