"""Indexes with nothing to choose: exact ones, and the one Milvus chooses itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_core.indexes.base import BINARY_METRICS, IndexSpec, Offer, VectorKind
from search_core.indexes.search_params import SearchParams


@dataclass(frozen=True, slots=True)
class Flat(IndexSpec):
    """FLAT: every vector is compared; exact, no build, slower in proportion to the rows."""

    index_type: ClassVar[str] = "FLAT"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits: none."""
        self.require_hits(k)
        return {}


@dataclass(frozen=True, slots=True)
class BinFlat(Flat):
    """BIN_FLAT: every vector of bits is compared; exact, slower in proportion to the rows."""

    index_type: ClassVar[str] = "BIN_FLAT"
    vector_kind: ClassVar[VectorKind] = "binary"
    metrics: ClassVar[tuple[str, ...]] = BINARY_METRICS
    offer: ClassVar[Offer] = Offer("2.0")


@dataclass(frozen=True, slots=True)
class AutoIndex(IndexSpec):
    """AUTOINDEX: Milvus chooses; in the open-source Milvus and in Lite that is an HNSW graph.

    No build parameters; a server with a GPU takes GPU_CAGRA. A managed Milvus (Zilliz Cloud) has
    ``level`` to search with; others ignore it.
    """

    index_type: ClassVar[str] = "AUTOINDEX"
    offer: ClassVar[Offer] = Offer("2.2", lite=True)

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return level where it was given."""
        self.require_hits(k)
        return {} if params.level is None else {"level": params.level}
