from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from search_core.lab.ground_truth import find_truth, sign_bits
from search_core.lab.queries import VectorSpool
from tests.conftest import clip_like_vectors, make_entity


def spool_of(vectors: NDArray[np.float32]) -> VectorSpool:
    spool = VectorSpool(vectors.shape[1])
    for start in range(0, len(vectors), 100):
        part = vectors[start : start + 100]
        spool.append([make_entity(start + at) for at in range(len(part))], part)
    return spool


def nearness(queries: NDArray[Any], vectors: NDArray[Any], metric: str) -> NDArray[np.float64]:
    """Every similarity (q, n), written down anew in double precision."""
    if metric in ("HAMMING", "JACCARD"):
        left, right = queries > 0, vectors > 0
        differ = np.array([[np.sum(a != b) for b in right] for a in left], dtype=float)
        either = np.array([[np.sum(a | b) for b in right] for a in left], dtype=float)
        return -differ if metric == "HAMMING" else -differ / np.maximum(either, 1)
    q, v = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "L2":
        return np.array([[-np.sum((a - b) ** 2) for b in v] for a in q])
    if metric == "COSINE":
        q = q / np.linalg.norm(q, axis=1, keepdims=True)
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
    return q @ v.T


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2", "HAMMING", "JACCARD"])
def test_the_neighbours_are_those_of_plain_numpy_under_every_mask(metric: str) -> None:
    vectors, queries = clip_like_vectors(700, 16), clip_like_vectors(9, 16, seed=1)
    masks = {"": None, "few": np.arange(700) % 97 == 0, "half": np.arange(700) % 2 == 0}
    scores = nearness(queries, vectors, metric)

    with spool_of(vectors) as spool:
        truths = find_truth(spool, queries, k=10, metric=metric, masks=masks)

        for label, mask in masks.items():
            passing = np.arange(700) if mask is None else np.flatnonzero(mask)
            truth = truths[label]
            for at in range(len(queries)):
                best = np.sort(scores[at, passing])[::-1][:10]
                rows = truth.nearest[at][truth.nearest[at] >= 0]
                assert len(rows) == min(10, len(passing))
                assert np.allclose(np.sort(scores[at, rows])[::-1], best, atol=1e-6)
            assert np.all(truth.shares(truth.nearest, spool) == 1.0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 60),
    k=st.integers(1, 12),
    copies=st.integers(1, 5),
    share=st.floats(0.0, 1.0),
)
def test_a_share_counts_every_neighbour_at_least_as_near_as_the_kth(
    seed: int, rows: int, k: int, copies: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = clip_like_vectors(rows, 8, seed)[rng.integers(0, max(1, rows // copies), rows)]
    queries = clip_like_vectors(3, 8, seed + 1)
    mask = rng.random(rows) <= share
    found = np.full((3, k), -1, dtype=np.int64)
    for at in range(3):
        chosen = rng.permutation(rows)[: rng.integers(0, min(k, rows) + 1)]
        found[at, : len(chosen)] = chosen

    with spool_of(vectors) as spool:
        truth = find_truth(spool, queries, k=k, metric="COSINE", masks={"m": mask})["m"]
        shares = truth.shares(found, spool)

    scores = nearness(queries, vectors, "COSINE")
    for at in range(3):
        passing = np.sort(scores[at, mask])[::-1]
        wanted = min(k, len(passing))
        if not wanted:
            assert shares[at] == 1.0
            continue
        rows_found = [row for row in found[at] if row >= 0 and mask[row]]
        near = sum(scores[at, row] >= passing[wanted - 1] - 1e-6 for row in rows_found)
        assert shares[at] == pytest.approx(min(1.0, near / wanted))


def test_a_row_that_is_there_twice_or_does_not_pass_does_not_count() -> None:
    vectors = clip_like_vectors(50, 8)
    mask = np.arange(50) < 25
    with spool_of(vectors) as spool:
        truth = find_truth(spool, vectors[:1], k=2, metric="COSINE", masks={"m": mask})["m"]
        first, second = truth.nearest[0]
        assert first == 0
        assert truth.shares(np.array([[first, first]]), spool) == [0.5]
        assert truth.shares(np.array([[first, 40]]), spool) == [0.5]
        assert truth.shares(np.array([[second, first]]), spool) == [1.0]


def test_signs_are_packed_eight_to_a_byte() -> None:
    assert sign_bits(np.array([[1, -1, 0.5, 0, 0, 0, 0, 2]], dtype=np.float32)).tolist() == [[161]]


def test_neighbours_are_found_across_blocks() -> None:
    vectors, queries = clip_like_vectors(40_000, 8), clip_like_vectors(5, 8, seed=1)
    mask = np.arange(40_000) % 1_000 == 7
    exact = np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)

    with spool_of(vectors) as spool:
        truths = find_truth(spool, queries, k=10, metric="COSINE", masks={"": None, "rare": mask})

    assert np.array_equal(truths[""].nearest, exact[:, :10])
    for at in range(5):
        assert truths["rare"].nearest[at].tolist() == exact[at][mask[exact[at]]][:10].tolist()
