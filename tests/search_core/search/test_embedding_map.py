from __future__ import annotations

import numpy as np

from search_core.search.embedding_map import farthest, nearest_similarities, principal_components
from tests.conftest import clip_like_vectors


def test_a_plane_is_shown_as_it_is() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 2)) @ np.linalg.qr(rng.normal(size=(16, 2)))[0].T

    points, share = principal_components(flat.astype(np.float32))

    assert share > 0.999
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    assert np.allclose(np.linalg.norm(points[:, None] - points[None], axis=2), apart, atol=1e-5)


def test_equal_vectors_have_one_point() -> None:
    points, share = principal_components(np.ones((4, 8), dtype=np.float32))
    assert np.allclose(points, 0)
    assert share == 0


def test_what_is_like_nothing_else_is_an_outlier() -> None:
    vectors = clip_like_vectors(1500, 16)
    vectors[1203] = -vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))

    similarities = nearest_similarities(vectors)

    assert farthest(similarities, 3)[0] == 1203
    assert np.all(similarities <= 1.0001)
