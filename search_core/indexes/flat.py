"""Indexes with nothing to choose: exact ones, and the one Milvus chooses itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from search_core.indexes.base import (
    BINARY_METRICS,
    IndexSpec,
    Offer,
    Part,
    Start,
    VectorKind,
    bits,
    links,
    vectors,
)
from search_core.indexes.parameters import N_, SearchParams


@dataclass(frozen=True, slots=True)
class Flat(IndexSpec):
    """FLAT: every vector is compared; exact, no build, slower in proportion to the rows."""

    index_type: ClassVar[str] = "FLAT"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)
    explanation: ClassVar[str] = N_(
        "Compares every vector: exact, and slower in proportion to the library."
    )
    why: ClassVar[str] = N_("exact, with nothing to build or choose; its time grows with the rows")
    colour: ClassVar[str] = "#7c838c"
    shape: ClassVar[str] = "square"
    speed_rank: ClassVar[int | None] = 120
    usual: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    size_source: ClassVar[str] = "Milvus keeps no file for it, and the vectors themselves in memory"

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits: none."""
        self.require_hits(k)
        return {}

    @classmethod
    def start(cls, rows: int, dim: int, target_recall: float) -> Start:
        """Return the type itself: it finds everything."""
        return Start(cls(), SearchParams(), 1.0)

    def parts(self, dim: int) -> Iterable[Part]:
        """Return the vectors."""
        return [vectors(dim, disk=False)]

    def compared(self, rows: int, search: SearchParams) -> int | None:
        """Return all rows."""
        return rows


@dataclass(frozen=True, slots=True)
class BinFlat(Flat):
    """BIN_FLAT: every vector of bits is compared; exact, slower in proportion to the rows."""

    index_type: ClassVar[str] = "BIN_FLAT"
    vector_kind: ClassVar[VectorKind] = "binary"
    metrics: ClassVar[tuple[str, ...]] = BINARY_METRICS
    offer: ClassVar[Offer] = Offer("2.0")
    explanation: ClassVar[str] = N_(
        "Compares every vector of bits: exact, and slower in proportion to the library."
    )
    why: ClassVar[str] = N_("exact over vectors of bits; its time grows with the rows")
    colour: ClassVar[str] = "#8d7a86"
    shape: ClassVar[str] = "M-0.45,-1L0.45,-1L0.45,1L-0.45,1Z"
    speed_rank: ClassVar[int | None] = None
    usual: ClassVar[bool] = False

    def parts(self, dim: int) -> Iterable[Part]:
        """Return the vectors of bits."""
        return [bits(dim, disk=False)]


@dataclass(frozen=True, slots=True)
class AutoIndex(IndexSpec):
    """AUTOINDEX: Milvus chooses; in the open-source Milvus and in Lite that is an HNSW graph.

    No build parameters; a server with a GPU takes GPU_CAGRA. A managed Milvus (Zilliz Cloud) has
    ``level`` to search with; others ignore it.
    """

    index_type: ClassVar[str] = "AUTOINDEX"
    offer: ClassVar[Offer] = Offer("2.2", lite=True)
    explanation: ClassVar[str] = N_("Leaves the index and its parameters to Milvus.")
    why: ClassVar[str] = N_("an HNSW whose parameters Milvus chooses and you cannot")
    colour: ClassVar[str] = "#1591a3"
    shape: ClassVar[str] = "M-1,-0.5L0,-1L1,-0.5L1,0.5L0,1L-1,0.5Z"
    speed_rank: ClassVar[int | None] = 110
    tunable: ClassVar[bool] = False
    size_source: ClassVar[str] = "an HNSW with M 18, what Milvus 2.3.5 was seen to build"

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return level where it was given."""
        self.require_hits(k)
        return {} if params.level is None else {"level": params.level}

    def parts(self, dim: int) -> Iterable[Part]:
        """Return those of an HNSW with M 18."""
        return [vectors(dim), links(18)]
