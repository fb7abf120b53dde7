"""Milvus Lite builds the index that was asked for: nlist and nprobe count what a search reaches."""

from __future__ import annotations

import numpy as np
import pytest

from search_core.encoders.base import EncoderIdentity, l2_normalised
from search_core.indexes import IndexSpec, IvfFlat, IvfSq8, SearchParams
from search_core.store.milvus.store import MilvusStore
from tests.conftest import make_entity

ROWS = 400


@pytest.mark.parametrize("spec", [IvfFlat(nlist=4), IvfSq8(nlist=4)])
def test_all_of_nlist_clusters_reach_every_row(
    lite_store: MilvusStore, identity: EncoderIdentity, spec: IndexSpec
) -> None:
    vectors = l2_normalised(np.random.default_rng(0).normal(size=(ROWS, identity.dim)))
    lite_store.ensure_library("main", identity)
    lite_store.upsert("main", [make_entity(number) for number in range(ROWS)], vectors)
    lite_store.settle("main")
    lite_store.rebuild("main", spec, in_place=True)

    reached = [
        len(lite_store.search("main", vectors[:1], k=ROWS, params=SearchParams(nprobe=nprobe))[0])
        for nprobe in (1, 2, 4)
    ]

    assert reached[0] < reached[1] < reached[2] == ROWS
