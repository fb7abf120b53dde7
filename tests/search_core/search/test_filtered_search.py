"""Searches under filters, on the embedded Milvus and on a real server: what is missed otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Hnsw, IndexSpec, IvfFlat, SearchParams
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import Found, find
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS, QUERIES, DIM, K = 8_000, 40, 16, 10
SPACE = clip_like_vectors(ROWS + QUERIES, DIM)
VECTORS, ASKED = SPACE[:ROWS], SPACE[ROWS:]
#: Each row's place in a random order is when it was captured, in seconds.
PLACES = np.random.default_rng(0).permutation(ROWS)


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def store(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    identity: EncoderIdentity,
) -> Iterator[MilvusStore]:
    endpoint = (
        Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db"))
        if request.param == "lite"
        else Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
    )
    with closing(MilvusStore(endpoint)) as store:
        store.ensure_library("filtered", identity)
        entities = [make_entity(i, captured_at=int(PLACES[i]) * 1000) for i in range(ROWS)]
        store.upsert("filtered", entities, VECTORS)
        store.settle("filtered")
        yield store
        store.drop_library("filtered")


def before(share: float) -> Filter:
    """Return a filter that lets this share of the rows pass, chosen by chance."""
    return Filter(before=datetime.fromtimestamp(share * ROWS, UTC))


def recall(store: MilvusStore, share: float, params: SearchParams | None) -> tuple[float, Found]:
    """Return the recall under a filter, of NumPy's neighbours; and what the last search found."""
    library, selectivities = store.library("filtered"), Selectivities(store)
    passing = np.flatnonzero(share * ROWS > PLACES)
    shares = []
    for query in ASKED:
        found = find(store, library, query, selectivities, k=K, where=before(share), params=params)
        best = passing[np.argsort(-(VECTORS[passing] @ query))[:K]]
        truth = {make_entity(int(row)).id for row in best}
        shares.append(len(truth & {match.entity.id for match in found.matches}) / K)
    return float(np.mean(shares)), found


@pytest.mark.parametrize(
    ("index", "usual"),
    [(IvfFlat(128), SearchParams(nprobe=40)), (Hnsw(), SearchParams(ef=128))],
    ids=["IVF_FLAT", "HNSW"],
)
def test_a_filter_costs_no_recall(
    store: MilvusStore, index: IndexSpec, usual: SearchParams
) -> None:
    store.rebuild("filtered", index, usual, in_place=True)
    store.settle("filtered")
    for share in (0.5, 0.1, 0.05, 0.005, 0.002):
        reached, found = recall(store, share, None)
        few = 0.002 if store.endpoint.embedded else 0.005
        exact = share <= few and index.index_type == "HNSW"
        assert found.effort.strategy == ("exact" if exact else "raised")
        assert found.effort.reason
        assert reached >= 0.98


def test_a_filter_costs_recall_where_the_search_is_asked_for_as_it_is(store: MilvusStore) -> None:
    store.rebuild("filtered", IvfFlat(128), SearchParams(nprobe=40), in_place=True)
    store.settle("filtered")
    reached, found = recall(store, 0.05, SearchParams(nprobe=2))
    assert reached < 0.9
    assert found.effort.params == SearchParams(nprobe=2)
    assert found.effort.reason == "Searched with nprobe 2, as asked for."
