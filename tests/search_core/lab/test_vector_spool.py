from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.lab.ground_truth import find_masks
from search_core.lab.plan import FilterCase
from search_core.lab.queries import VectorSpool, spool_library
from search_core.schema.filters import Filter
from search_core.store.memory.store import MemoryStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 2500


@pytest.fixture
def store(identity: EncoderIdentity) -> MemoryStore:
    store = MemoryStore()
    store.ensure_library("main", identity)
    store.upsert("main", [make_entity(at) for at in range(ROWS)], clip_like_vectors(ROWS, 16))
    return store


@pytest.fixture
def spool() -> Iterator[VectorSpool]:
    with VectorSpool(16) as spool:
        yield spool


def rows_of(vectors: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in vectors}


def test_all_vectors_but_those_held_out_are_copied(store: MemoryStore, spool: VectorSpool) -> None:
    held_out = spool_library(store, "main", spool, limit=ROWS - 40, held_out=40)

    copied = np.concatenate([block for _, block in spool.blocks(700)])
    assert (len(held_out), spool.rows) == (40, ROWS - 40)
    assert not rows_of(held_out) & rows_of(copied)
    assert rows_of(held_out) | rows_of(copied) == rows_of(clip_like_vectors(ROWS, 16))
    pages = list(spool.pages())
    assert np.concatenate([page.rows for page in pages]).tolist() == list(range(spool.rows))
    assert np.array_equal(np.concatenate([page.embeddings for page in pages]), copied)
    assert np.array_equal(spool.vectors[np.array([7, 3, 7])], copied[[7, 3, 7]])


def test_a_sample_is_drawn_by_its_seed(store: MemoryStore) -> None:
    samples = []
    for seed in (1, 1, 2):
        with VectorSpool(16) as spool:
            spool_library(store, "main", spool, limit=200, held_out=20, seed=seed)
            assert spool.rows == 200
            samples.append(rows_of(spool.vectors[:200]))
    assert samples[0] == samples[1] != samples[2]


def test_masks_say_which_rows_pass(store: MemoryStore, spool: VectorSpool) -> None:
    spool_library(store, "main", spool, limit=ROWS, held_out=0)
    tenth = FilterCase.of_share("10%")
    assert tenth is not None
    odd = FilterCase("odd at cam-1", Filter(tags=("odd",), cameras=("cam-1",)))

    masks = find_masks(spool, [tenth, odd])

    assert masks["10%"].sum() == ROWS // 10
    entities = [entity for page in spool.pages() for entity in page.facets]
    passing = [at for at, mask in enumerate(masks["odd at cam-1"]) if mask]
    assert passing == [at for at, entity in enumerate(entities) if odd.where.matches(entity)]
    assert np.array_equal(find_masks(spool, [tenth])["10%"], masks["10%"])


def test_what_is_not_there_cannot_be_read(spool: VectorSpool) -> None:
    spool.append([], np.empty((0, 16), dtype=np.float32))
    assert spool.rows == 0 and not list(spool.pages()) and not list(spool.blocks())
    with pytest.raises(IndexError):
        spool.vectors[0]
