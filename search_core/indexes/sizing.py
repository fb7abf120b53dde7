"""How much memory and disk an index needs, by formula.

An index is made of parts (vectors, links, codes, centroids …), each so many bytes a row or once.
The formulas follow from how faiss and hnswlib, which Milvus and Milvus Lite build their indexes
with, lay them out; `python -m benchmarks index_sizes` checks them against measured sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from search_core.indexes import (
    AutoIndex,
    BinFlat,
    BinIvfFlat,
    DiskAnn,
    Flat,
    GpuCagra,
    GpuIvfFlat,
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

#: Bytes that a row of a library takes beside its vector and index: its fields, keys, timestamps.
#: Measured with `python -m benchmarks index_sizes` on Milvus 2.3.5 and Milvus Lite 3.2.2.
ROW_MEMORY_BYTES = 600
ROW_DISK_BYTES = 400
LITE_ROW_MEMORY_BYTES = 6_300
#: What Milvus takes whatever it has loaded: a server with all its roles in one process, Lite in
#: the process that uses it. Lite is measured likewise; a server took 0.1 to 0.5 GB by the moment.
SERVER_BYTES = 400 * 2**20
LITE_BYTES = 120 * 2**20
#: What is left of an index's files where a server has compressed them: 0.87 to 0.93 by type.
FILE_SHARE = 0.92
_ID = 8
_SECTOR = 4096
_BYTES_OF = {"SQ6": 0.75, "SQ8": 1.0, "BF16": 2.0, "FP16": 2.0, "FP32": 4.0}
_FAISS = "layout of the faiss index, checked against faiss"


@dataclass(frozen=True, slots=True)
class IndexSize:
    """What an index needs, in bytes.

    ``memory_bytes``: all of Milvus, loaded and ready to search. ``disk_bytes``: on disk in
    all, the vectors Milvus keeps beside every index and the fields included. ``index_bytes``: the
    files of the index alone. ``gpu_bytes``: memory of the GPU.
    ``loaded_bytes``: what the index alone holds, loaded, in memory or on the GPU.
    ``formula`` says in words what makes up the index, ``source`` where the formula comes from.
    """

    memory_bytes: int
    disk_bytes: int
    index_bytes: int
    formula: str
    source: str
    gpu_bytes: int = 0
    loaded_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of an index: ``each`` bytes for every row, ``once`` bytes whatever the rows."""

    what: str
    each: float = 0.0
    once: float = 0.0
    memory: bool = True
    disk: bool = True

    def bytes(self, rows: int) -> float:
        return self.each * rows + self.once


def estimate(spec: IndexSpec, rows: int, dim: int, server: ServerInfo | None = None) -> IndexSize:
    """Return what a library of ``rows`` vectors of ``dim`` dimensions needs with this index.

    On ``server``, or on a Milvus server where there is none.

    Raises IndexParameterError where vectors of ``dim`` dimensions cannot be indexed so.
    """
    spec.require_dim(dim)
    parts = list(_parts(spec, dim))
    held = sum(part.bytes(rows) for part in parts if part.memory)
    index = sum(part.bytes(rows) for part in parts if part.disk)
    vectors = rows * (dim / 8 if spec.vector_kind == "binary" else dim * 4)
    on_gpu = spec.offer.gpu
    lite = server is not None and server.embedded
    if not lite and not isinstance(spec, DiskAnn):
        index *= FILE_SHARE
    fields = rows * (LITE_ROW_MEMORY_BYTES if lite else ROW_MEMORY_BYTES)
    itself = LITE_BYTES if lite else SERVER_BYTES
    return IndexSize(
        memory_bytes=round((0 if on_gpu else held) + fields + itself),
        disk_bytes=round(vectors + index + rows * ROW_DISK_BYTES),
        index_bytes=round(index),
        formula=" + ".join(part.what for part in parts),
        source=_source(spec),
        gpu_bytes=round(held) if on_gpu else 0,
        loaded_bytes=round(held),
    )


def _parts(spec: IndexSpec, dim: int) -> Iterator[_Part]:
    """Yield what an index of ``dim`` dimensions is made of."""
    full = dim * 4
    match spec:
        case BinFlat():
            yield _Part("bits (dim / 8 a row)", dim / 8, disk=False)
        case Flat():
            yield _Part("vectors (4 * dim a row)", full, disk=False)
        case HnswSq():
            yield _Part(f"{spec.sq_type} codes", dim * _BYTES_OF[spec.sq_type])
            yield _links(spec.m)
            if spec.refine:
                yield _refined(spec.refine_type, dim)
        case Hnsw():
            yield _Part("vectors (4 * dim a row)", full)
            yield _links(spec.m)
        case AutoIndex():
            yield from _parts(Hnsw(m=18), dim)
        case DiskAnn():
            yield from _disk_parts(dim)
        case GpuCagra():
            yield _Part("vectors (4 * dim a row)", full)
            yield _Part("links (4 * graph_degree a row)", 4 * spec.graph_degree)
        case BinIvfFlat():
            yield _Part("bits (dim / 8 a row)", dim / 8)
            yield from _clusters(spec.nlist, dim / 8)
        case IvfFlat() | GpuIvfFlat():
            yield _Part("vectors (4 * dim a row)", full)
            yield from _clusters(spec.nlist, full)
        case IvfSq8():
            yield _Part("codes (dim a row)", dim)
            yield from _clusters(spec.nlist, full)
        case IvfPq():
            yield _Part("codes (m * nbits / 8 a row)", math.ceil(spec.m * spec.nbits / 8))
            yield _Part("codebooks (4 * dim * 2**nbits)", once=full * 2**spec.nbits)
            yield from _clusters(spec.nlist, full)
        case IvfRabitq():
            yield _Part("codes (dim / 8 + 8 a row)", math.ceil(dim / 8) + 8)
            yield _Part("rotation (4 * dim * dim)", once=full * dim)
            yield from _clusters(spec.nlist, full)
            if spec.refine:
                yield _refined(spec.refine_type, dim)
        case Scann():
            yield _Part("4-bit codes (dim / 4 a row)", dim / 4)
            yield _Part("half a block a cluster", once=spec.nlist * 16 * dim / 4)
            yield _Part("codebooks (64 * dim)", once=64 * dim)
            yield from _clusters(spec.nlist, full)
            if spec.with_raw_data:
                yield _Part("vectors (4 * dim a row)", full)
        case _:
            raise TypeError(f"no size is known of {spec!r}")


def _clusters(nlist: int, vector_bytes: float) -> Iterator[_Part]:
    yield _Part("row numbers (8 a row)", _ID)
    yield _Part("nlist centroids", once=nlist * vector_bytes)


def _links(m: int) -> _Part:
    # 2 * M on the ground layer; of M nodes one reaches the next layer, and has M links there.
    upper = m / (m - 1)
    return _Part("links (8 * M + 16 a row)", 4 * (2 * m + upper) + 12)


def _refined(refine_type: str, dim: int) -> _Part:
    return _Part(f"{refine_type} vectors to refine with", dim * _BYTES_OF[refine_type])


def _disk_parts(dim: int) -> Iterator[_Part]:
    """Yield DISKANN's parts at Milvus's configuration: 56 links, codes 0.125, cache 0.1."""
    full, links = dim * 4, 56
    node = full + 4 + 4 * links
    sector = _SECTOR / (_SECTOR // node) if node <= _SECTOR else math.ceil(node / _SECTOR) * _SECTOR
    codes = min(dim, full * 0.125)
    yield _Part("in memory: codes (an eighth of the vectors)", codes)
    yield _Part("a tenth of the nodes as a cache", node * 0.1, disk=False)
    yield _Part("on disk: nodes of vector and 56 links in sectors of 4,096", sector, memory=False)


def _source(spec: IndexSpec) -> str:
    match spec:
        case DiskAnn():
            return "DiskANN's disk layout at Milvus's default configuration; not measured here"
        case GpuCagra() | GpuIvfFlat():
            return "the Milvus documentation's 'GPU Index Overview'; not measured here"
        case Flat():
            return "Milvus keeps no file for it, and the vectors themselves in memory"
        case AutoIndex():
            return "an HNSW with M 18, what Milvus 2.3.5 was seen to build"
        case _:
            return _FAISS
