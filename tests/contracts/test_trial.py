"""What every Trial does, asked of MemoryStore, Milvus Lite and real servers alike."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
from pymilvus import MilvusClient

from search_core.errors import (
    IndexNotOffered,
    SightlineError,
    StoreError,
    TrialTimeout,
    UsageError,
)
from search_core.indexes import (
    BinFlat,
    BinIvfFlat,
    DiskAnn,
    Flat,
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfSq8,
)
from search_core.schema.filters import Filter
from search_core.store.exact_search import NearestSoFar
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.scratch import MilvusTrial, VectorSpace
from search_core.store.milvus.session import MilvusSession, connect
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import Trial, bucket_of
from tests.conftest import clip_like_vectors, make_entity
from tests.contracts.test_store import opened_store

ROWS = 300
DIM = 16
VECTORS = clip_like_vectors(ROWS, DIM)
BITS = np.packbits(np.median(VECTORS, axis=0) < VECTORS, axis=1)
NUMBERS = np.arange(ROWS)


@pytest.fixture(
    scope="module",
    params=["memory", "lite", pytest.param("server", marks=pytest.mark.server)],
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with opened_store(request, tmp_path_factory) as store:
        yield store


@pytest.fixture(scope="module")
def trial(store: Store) -> Iterator[Trial]:
    """A settled trial of ROWS rows, without an index; row i is make_entity(i)'s."""
    with store.open_trial(DIM, metric="COSINE") as trial:
        fill(trial, VECTORS)
        yield trial


def fill(trial: Trial, vectors: np.ndarray) -> None:
    for part in np.array_split(NUMBERS, 3):
        trial.insert(part, vectors[part], [make_entity(number) for number in part.tolist()])
    trial.settle()


def exact(
    queries: np.ndarray, vectors: np.ndarray, k: int, metric: str, keep: np.ndarray = NUMBERS
) -> tuple[np.ndarray, np.ndarray]:
    nearest = NearestSoFar(queries, k, metric)
    nearest.add(NUMBERS[keep], vectors[keep])
    return nearest.rows, nearest.distances


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        (Flat(), {}),
        (IvfFlat(nlist=4), {"nprobe": 4}),
        (Hnsw(m=16, ef_construction=64), {"ef": 300}),
    ],
    ids=lambda value: getattr(value, "index_type", ""),
)
def test_one_index_after_the_other_is_built_over_the_same_rows(
    trial: Trial, spec: IndexSpec, params: dict[str, int]
) -> None:
    times = trial.build(spec)
    assert times.build_s >= 0.0
    assert times.load_s >= 0.0
    rows, distances = trial.search(VECTORS[:7], k=10, params=params)
    expected, values = exact(VECTORS[:7], VECTORS, 10, "COSINE")
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(distances, values, atol=1e-4)


@pytest.mark.parametrize(
    "where",
    [
        Filter(cameras=("cam-1", 'say "no"')),
        Filter(tags=("odd",), media_type="frame"),
        Filter(
            after=datetime.fromtimestamp(20, UTC),
            before=datetime.fromtimestamp(90, UTC),
            source_ids=tuple(f"source{number}" for number in range(60)),
        ),
    ],
)
def test_filters_mean_the_same_as_on_a_library(trial: Trial, where: Filter) -> None:
    trial.build(Flat())
    keep = np.array([where.matches(make_entity(number)) for number in NUMBERS.tolist()])
    expected, _ = exact(VECTORS[:3], VECTORS, ROWS, "COSINE", keep)
    expression = where.with_regions().expression()
    for found in (
        trial.search(VECTORS[:3], k=ROWS, params={}, expression=expression),
        trial.search_exact(VECTORS[:3], k=ROWS, expression=expression),
    ):
        np.testing.assert_array_equal(found[0], expected)
        assert (found[0] >= 0).sum() == 3 * keep.sum()
        assert np.isnan(found[1][found[0] < 0]).all()


@pytest.mark.parametrize(("bound", "passing"), [(5000, 150), (1000, 30), (100, 3)])
def test_a_bucket_passes_its_share(trial: Trial, bound: int, passing: int) -> None:
    trial.build(Flat())
    rows, _ = trial.search(VECTORS[:1], k=ROWS, params={}, expression=f"bucket < {bound}")
    found = set(rows[rows >= 0].tolist())
    assert found == set(NUMBERS[bucket_of(NUMBERS) < bound].tolist())
    assert len(found) == passing


@pytest.mark.parametrize("metric", ["L2", "IP"])
def test_distances_are_milvuss_in_every_metric(store: Store, metric: str) -> None:
    with store.open_trial(DIM, metric=metric) as trial:
        fill(trial, VECTORS)
        trial.build(Flat())
        expected = exact(VECTORS[5:6], VECTORS, 8, metric)
        for found in (
            trial.search(VECTORS[5:6], k=8, params={}),
            trial.search_exact(VECTORS[5:6], k=8),
        ):
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_allclose(found[1], expected[1], atol=1e-4)


@pytest.mark.parametrize("metric", ["HAMMING", "JACCARD"])
def test_bits_are_compared_by_their_own_metrics(store: Store, metric: str) -> None:
    if store.server().embedded and not isinstance(store, MemoryStore):
        with pytest.raises(IndexNotOffered, match="binary"):
            store.open_trial(DIM, metric=metric, vector_kind="binary")
        return
    with store.open_trial(DIM, metric=metric, vector_kind="binary") as trial:
        fill(trial, BITS)
        _, expected = exact(BITS[:4], BITS, 10, metric)
        for spec, params in ((BinFlat(), {}), (BinIvfFlat(nlist=4), {"nprobe": 4})):
            trial.build(spec)
            # Ties are broken as Milvus pleases; the distances are what must agree.
            _, distances = trial.search(BITS[:4], k=10, params=params)
            np.testing.assert_allclose(distances, expected, atol=1e-5)
        np.testing.assert_allclose(trial.search_exact(BITS[:4], k=10)[1], expected, atol=1e-5)


def test_an_index_that_cannot_be_is_refused_and_the_next_one_built(
    store: Store, trial: Trial
) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("builds anything")
    with pytest.raises(IndexNotOffered):
        trial.build(DiskAnn())
    with pytest.raises(UsageError):
        trial.build(BinFlat())
    trial.build(IvfSq8(nlist=2))
    rows, _ = trial.search(VECTORS[:2], k=1, params={"nprobe": 2})
    assert rows.tolist() == [[0], [1]]


def test_sizes_are_measured_where_they_are_shown(store: Store, trial: Trial) -> None:
    trial.build(IvfSq8(nlist=2))
    quantised = trial.index_bytes()
    trial.build(IvfFlat(nlist=2))
    flat = trial.index_bytes()
    if isinstance(store, MilvusStore) and store.server().embedded:
        assert quantised is not None and flat is not None
        assert ROWS * DIM < quantised < ROWS * DIM * 4 < flat
    else:
        assert quantised is None and flat is None


def test_without_an_index_there_is_no_search(store: Store) -> None:
    with store.open_trial(DIM, metric="COSINE") as trial:
        fill(trial, VECTORS)
        with pytest.raises(StoreError):
            trial.search(VECTORS[:1], k=1, params={})


def test_a_build_ends_at_its_time_limit_and_leaves_nothing(store: Store) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("takes no time")
    with store.open_trial(DIM, metric="COSINE", timeout_s=1e-3) as trial:
        fill(trial, VECTORS)
        with pytest.raises(TrialTimeout):
            trial.build(Hnsw())
        with pytest.raises(SightlineError):
            trial.search(VECTORS[:1], k=1, params={})


def test_a_trial_is_no_library_and_goes_with_its_block(store: Store) -> None:
    before = store.libraries()
    with pytest.raises(KeyboardInterrupt), store.open_trial(DIM, metric="COSINE") as trial:
        fill(trial, VECTORS)
        assert store.libraries() == before
        assert store.remove_leftovers() == []  # this process lives
        raise KeyboardInterrupt
    trial.drop()
    assert store.libraries() == before
    with pytest.raises(SightlineError):
        trial.build(Flat())
        trial.search(VECTORS[:1], k=1, params={})


class _InterruptedClient:
    """A Milvus client whose process is told to stop while a collection is created."""

    def __init__(self, client: MilvusClient) -> None:
        self._client = client

    def create_collection(self, name: str, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        self._client.create_collection(name, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_trial_stopped_while_it_is_created_leaves_nothing(store: Store) -> None:
    if not isinstance(store, MilvusStore):
        pytest.skip("asks no client")
    client = connect(store.endpoint)
    before = client.list_collections()
    space = VectorSpace(DIM, "COSINE", "float")
    interrupted = cast(MilvusClient, _InterruptedClient(client))
    session = MilvusSession(interrupted, store.endpoint, store.session.catalog)
    with pytest.raises(KeyboardInterrupt):
        MilvusTrial(session, store.server(), space, 60)
    assert client.list_collections() == before
