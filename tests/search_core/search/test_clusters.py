from __future__ import annotations

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, l2_normalised
from search_core.search.embedding_map import groups_of, telling_words


def clumps(sizes: list[int], dim: int = 16) -> tuple[Embeddings, np.ndarray]:
    """Vectors round far-apart centres, mixed, and which centre each belongs to."""
    chance = np.random.default_rng(1)
    belongs = chance.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.eye(dim)[: len(sizes)]
    vectors = centres[belongs] + chance.normal(scale=0.05, size=(len(belongs), dim))
    return l2_normalised(vectors.astype(np.float32)), belongs


def test_finds_what_belongs_together_the_largest_first() -> None:
    vectors, belongs = clumps([20, 70, 40])

    groups = groups_of(vectors, 3)

    assert np.bincount(groups).tolist() == [70, 40, 20]
    assert [set(belongs[groups == group]) for group in range(3)] == [{1}, {2}, {0}]
    assert np.array_equal(groups, groups_of(vectors, 3))


@pytest.mark.parametrize("count", [1, 2, 8, 50])
def test_there_are_never_more_groups_than_kinds_of_vectors(count: int) -> None:
    same = np.tile(l2_normalised(np.ones((1, 8), dtype=np.float32)), (5, 1))
    assert groups_of(same, count).tolist() == [0] * 5

    vectors, _ = clumps([3, 4])
    groups = groups_of(vectors, count)
    assert set(groups) == set(range(groups.max() + 1))
    assert len(groups) == 7


def test_words_tell_a_group_from_the_others() -> None:
    vectors, _ = clumps([60, 40])
    word_vectors = np.eye(16, dtype=np.float32)[[1, 5, 0]]

    told = telling_words(vectors, groups_of(vectors, 2), word_vectors, count=1)

    assert told == [[2], [0]]
