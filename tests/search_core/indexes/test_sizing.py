from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import faiss
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import IndexParameterError
from search_core.indexes import (
    INDEX_SPECS,
    BinFlat,
    BinIvfFlat,
    DiskAnn,
    Flat,
    GpuCagra,
    Hnsw,
    HnswSq,
    IndexSpec,
    IvfFlat,
    IvfPq,
    IvfRabitq,
    IvfSq8,
    Scann,
)
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.sizing import estimate
from tests.conftest import clip_like_vectors

ROWS, DIM = 2_000, 64
LITE = ServerInfo.reported("3.2.2", embedded=True)
ALL = [kind() for kind in INDEX_SPECS.values()]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More threads wait for each other where others work too."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(threads)


@pytest.mark.parametrize(
    ("spec", "factory"),
    [
        (IvfFlat(16), "IVF16,Flat"),
        (IvfSq8(16), "IVF16,SQ8"),
        (IvfPq(16, m=8, nbits=6), "IVF16,PQ8x6np"),
        (IvfRabitq(16, refine=False), "RR,IVF16,RaBitQ"),
        (IvfRabitq(16), "RR,IVF16,RaBitQ,Refine(SQ8)"),
        (Scann(16, with_raw_data=False), "IVF16,PQ32x4fs"),
        (Scann(16), "IVF16,PQ32x4fs,RFlat"),
        (Hnsw(m=8), "HNSW8"),
        (Hnsw(m=32), "HNSW32"),
        (HnswSq(m=8), "HNSW8,SQ8"),
        (HnswSq(m=8, sq_type="SQ6"), "HNSW8,SQ6"),
        (HnswSq(m=8, sq_type="BF16"), "HNSW8,SQbf16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_index_sizes_are_those_of_faiss(spec: IndexSpec, factory: str) -> None:
    vectors = clip_like_vectors(ROWS, DIM)
    index: Any = faiss.index_factory(DIM, factory, faiss.METRIC_INNER_PRODUCT)
    if "HNSW" in factory:
        index.hnsw.efConstruction = 16
    index.train(vectors)
    index.add(vectors)
    measured = faiss.serialize_index(index).size
    assert estimate(spec, ROWS, DIM, LITE).index_bytes == pytest.approx(measured, rel=0.02)


def test_binary_index_sizes_are_those_of_faiss() -> None:
    vectors = (clip_like_vectors(ROWS, DIM) * 255).astype("uint8")[:, : DIM // 8].copy()
    index: Any = faiss.index_binary_factory(DIM, "BIVF16")
    index.train(vectors)
    index.add(vectors)
    measured = faiss.serialize_index_binary(index).size
    assert estimate(BinIvfFlat(16), ROWS, DIM, LITE).index_bytes == pytest.approx(
        measured, rel=0.15
    )


@given(
    st.sampled_from(ALL),
    st.integers(0, 10**9),
    st.integers(1, 10**6),
    st.sampled_from([64, 128, 512, 768, 1024]),
    st.sampled_from([None, LITE]),
)
def test_sizes_grow_with_rows_and_hold_together(
    spec: IndexSpec, rows: int, more: int, dim: int, server: ServerInfo | None
) -> None:
    small, large = (estimate(spec, count, dim, server) for count in (rows, rows + more))
    assert small.memory_bytes < large.memory_bytes
    assert small.index_bytes <= large.index_bytes
    vectors = rows * dim // 8 if spec.vector_kind == "binary" else rows * dim * 4
    assert small.disk_bytes >= vectors + small.index_bytes
    assert small.formula and small.source
    assert small.gpu_bytes == 0 or spec.offer.gpu


def test_flat_keeps_vectors_in_memory_and_no_file() -> None:
    size = estimate(Flat(), 1_000_000, 512)
    assert size.index_bytes == 0
    assert size.memory_bytes > 1_000_000 * 2048
    assert estimate(BinFlat(), 1_000_000, 512).memory_bytes < size.memory_bytes - 1_900_000_000


def test_diskann_keeps_an_eighth_in_memory_and_a_sector_a_row_on_disk() -> None:
    disk, graph = estimate(DiskAnn(), 1_000_000, 512), estimate(Hnsw(), 1_000_000, 512)
    assert disk.memory_bytes < graph.memory_bytes / 2
    assert disk.index_bytes == pytest.approx(1_000_000 * (4096 + 256), rel=0.01)
    # Three short nodes share a sector; a long one takes several.
    assert estimate(DiskAnn(), 900, 256).index_bytes == 900 * (4096 // 3 + 128) + 300
    assert estimate(DiskAnn(), 10, 2048).index_bytes == 10 * (3 * 4096 + 1024)


def test_a_gpu_index_is_in_the_memory_of_the_gpu() -> None:
    size = estimate(GpuCagra(), 1_000_000, 512)
    assert size.gpu_bytes > 1_000_000 * 2048
    assert size.memory_bytes < size.gpu_bytes


def test_dimensions_that_cannot_be_indexed_are_refused() -> None:
    with pytest.raises(IndexParameterError, match="does not divide"):
        estimate(IvfPq(), 1000, 100)
