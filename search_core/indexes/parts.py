"""What an index is made of: vectors, links, codes, centroids, each so many bytes a row or once.

The layouts are those of faiss and hnswlib, which Milvus and Milvus Lite build their indexes with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_ROW_NUMBER_BYTES = 8
_BYTES_OF = {"SQ6": 0.75, "SQ8": 1.0, "BF16": 2.0, "FP16": 2.0, "FP32": 4.0}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an index: ``each`` bytes for every row, ``once`` bytes whatever the rows.

    ``memory`` and ``disk`` say where it is kept.
    """

    what: str
    each: float = 0.0
    once: float = 0.0
    memory: bool = True
    disk: bool = True

    def bytes(self, rows: int) -> float:
        """Return its size with so many rows."""
        return self.each * rows + self.once


def vectors(dim: int, *, disk: bool = True) -> Part:
    """Return full vectors."""
    return Part("vectors (4 * dim a row)", dim * 4, disk=disk)


def bits(dim: int, *, disk: bool = True) -> Part:
    """Return vectors of bits."""
    return Part("bits (dim / 8 a row)", dim / 8, disk=disk)


def clusters(nlist: int, vector_bytes: float) -> Iterator[Part]:
    """Yield the clusters of an IVF index; a centroid is as large as a vector."""
    yield Part("row numbers (8 a row)", _ROW_NUMBER_BYTES)
    yield Part("nlist centroids", once=nlist * vector_bytes)


def links(m: int) -> Part:
    """Return the links of an HNSW graph."""
    # 2 * M on the ground layer; of M nodes one reaches the next layer, and has M links there.
    upper = m / (m - 1)
    return Part("links (8 * M + 16 a row)", 4 * (2 * m + upper) + 12)


def rounded(kind: str, dim: int) -> Part:
    """Return vectors rounded to a type of number, such as SQ8."""
    return Part(f"{kind} codes", dim * _BYTES_OF[kind])


def refining(kind: str, dim: int) -> Part:
    """Return the finer vectors that candidates are compared again with."""
    return Part(f"{kind} vectors to refine with", dim * _BYTES_OF[kind])
