from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from search_core.encoders.base import Embeddings
from search_core.lab.queries import (
    FEW_RECORDED,
    VectorSpool,
    how_many_held_out,
    image_queries,
    sentences,
    text_queries,
)
from search_core.schema.filters import Filter
from search_core.search.query_log import RecordedQuery
from tests.conftest import clip_like_vectors, make_entity


def recorded(kind: Literal["text", "image"], vectors: Embeddings) -> list[RecordedQuery]:
    return [RecordedQuery(kind, "", vector, Filter(), 10) for vector in vectors]


def encode(texts: Sequence[str]) -> Embeddings:
    return clip_like_vectors(len(texts), 8, seed=len(texts[0]))


def test_sentences_are_different_and_drawn_by_their_seed() -> None:
    made = sentences(500)
    assert len(set(made)) == 500
    assert made == sentences(500) != sentences(500, seed=1)
    assert all(text == text.strip() and "  " not in text for text in made)


def test_recorded_sentences_are_asked_where_there_are_enough() -> None:
    vectors = clip_like_vectors(FEW_RECORDED, 8)
    searches = recorded("text", vectors) * 2

    enough = text_queries(50, encode, searches)
    few = text_queries(50, encode, searches[:5])

    assert enough is not None and enough.kind == "recorded_text"
    assert len(enough.embeddings) == FEW_RECORDED
    assert few is not None and few.kind == "text" and len(few.embeddings) == 50
    assert text_queries(50, None, searches[:5]) is None


def test_pictures_are_held_out_of_a_library_that_is_large_enough() -> None:
    assert how_many_held_out(100, 1000) == 100
    assert how_many_held_out(100, 999) == 0
    vectors = clip_like_vectors(30, 8)
    with VectorSpool(8) as spool:
        spool.append([make_entity(at) for at in range(20)], vectors[:20])
        held_out = image_queries(10, vectors[20:], spool)
        disturbed = image_queries(10, vectors[:0], spool)
        asked = image_queries(10, vectors[20:], spool, recorded("image", vectors))
    assert held_out.embeddings == pytest.approx(vectors[20:])
    nearest = disturbed.embeddings @ vectors[:20].T
    assert len(disturbed.embeddings) == 10 and nearest.max() < 0.9999
    assert np.linalg.norm(disturbed.embeddings, axis=1) == pytest.approx(1.0)
    assert asked.kind == "recorded_image" and len(asked.embeddings) == 10
