"""Every index type that a Milvus is said to offer, built and searched there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from search_core.indexes import (
    INDEX_SPECS,
    IndexSpec,
    SearchParams,
    make_index_spec,
    parameters_of,
)
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS, DIM = 2_000, 32  # a server builds no index over fewer than 1,024 rows
VECTORS = clip_like_vectors(ROWS, DIM)
BITS = np.packbits(np.median(VECTORS, axis=0) < VECTORS, axis=1)
SMALL = {"nlist": 16, "m": 8, "nbits": 4, "ef_construction": 40}


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MilvusStore]:
    if request.param == "lite":
        endpoint = Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db"))
    else:
        endpoint = Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
    milvus = MilvusStore(endpoint)
    yield milvus
    milvus.close()


def small(kind: type[IndexSpec]) -> IndexSpec:
    names = {name for name, _ in parameters_of(kind)}
    return make_index_spec(
        kind.index_type, {name: value for name, value in SMALL.items() if name in names}
    )


@pytest.mark.parametrize(
    ("kind", "metric"), [("float", "COSINE"), ("binary", "HAMMING"), ("binary", "JACCARD")]
)
def test_offered_types_build_and_find(store: MilvusStore, kind: str, metric: str) -> None:
    server = store.server()
    offered = [
        small(spec)
        for spec in INDEX_SPECS.values()
        if spec.vector_kind == kind and not spec.offer.refusal(server)
    ]
    if not offered:
        pytest.skip(f"{server} has none")
    vectors = VECTORS if kind == "float" else BITS
    with store.open_trial(
        DIM, metric=metric, vector_kind="float" if kind == "float" else "binary", timeout_s=120
    ) as trial:
        trial.insert(np.arange(ROWS), vectors, [make_entity(number) for number in range(ROWS)])
        trial.settle()
        for spec in offered:
            trial.build(spec)
            params = spec.search_params(SearchParams(), 5)
            found, _ = trial.search(vectors[:50], k=5, params=params)
            itself = (found == np.arange(50)[:, None]).any(axis=1).mean()
            # Coarse codes lose some of them, and of equal bits any may come first.
            assert itself >= 0.7, f"{spec.index_type} finds {itself:.0%}"
