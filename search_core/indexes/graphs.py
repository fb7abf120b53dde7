"""Graph indexes: a search walks from neighbour to neighbour towards the query.

Ranges and defaults are those of the Milvus documentation ("HNSW", "HNSW_SQ", "DISKANN",
"GPU_CAGRA") and of Knowhere, the library it builds indexes with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from search_core.errors import IndexNotOffered, IndexParameterError
from search_core.indexes.base import IndexSpec, Offer, at_least_k, doubling
from search_core.indexes.ivf import REFINE_TYPES, refine_params, without_refine_type
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.parameters import (
    EF_CONSTRUCTION_RANGE,
    M_RANGE,
    choice,
    number,
    switch,
)
from search_core.indexes.search_params import SearchParams


@dataclass(frozen=True, slots=True)
class Hnsw(IndexSpec):
    """HNSW: a navigable graph; the fastest at high recall, and the largest.

    ``m``: links a node keeps (twice as many on the ground layer), 2 to 2,048, default 16; more
    find more, for more memory.
    ``ef_construction``: candidates while building, 8 to 2,147,483,647, default 200; more make a
    better graph for a longer build.
    """

    index_type: ClassVar[str] = "HNSW"
    sweep: ClassVar[str | None] = "ef"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)
    m: int = number("M", 16, M_RANGE, "links", "finds more, larger")
    ef_construction: int = number(
        "efConstruction", 200, EF_CONSTRUCTION_RANGE, "candidates", "finds more, builds longer"
    )

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return ef; 64 by default, never below k.

        Raises IndexParameterError when ``ef`` was asked for and is below ``k``.
        """
        self.require_hits(k)
        return {"ef": at_least_k("ef", params.ef, k, 64)}

    def sweep_values(self, k: int) -> list[int]:
        """Return 16, 32 … 512, from k on."""
        return [max(16, k)] + [value for value in doubling(32, 512) if value > k]


@dataclass(frozen=True, slots=True)
class HnswSq(Hnsw):
    """HNSW_SQ: HNSW over rounded vectors; a third of the memory, a little recall.

    ``m``: links a node keeps (twice as many on the ground layer), 2 to 2,048, default 16; more
    find more, for more memory.
    ``ef_construction``: candidates while building, 8 to 2,147,483,647, default 200; more make a
    better graph for a longer build.
    ``sq_type``: what vectors are rounded to, one of SQ6, SQ8, BF16, FP16, default SQ8; finer
    finds more, and is larger. Milvus Lite has SQ8 alone, and no refining.
    ``refine``: true or false, default false: keep finer vectors too, to compare candidates again.
    ``refine_type``: what those are, one of SQ6, SQ8, FP16, BF16, FP32, default FP32; finer than
    sq_type.
    """

    index_type: ClassVar[str] = "HNSW_SQ"
    offer: ClassVar[Offer] = Offer("2.5", lite=True)
    sq_type: str = choice("sq_type", "SQ8", ("SQ6", "SQ8", "BF16", "FP16"), "finds more, larger")
    refine: bool = switch("refine", False, "finds more, larger")
    refine_type: str = choice("refine_type", "FP32", REFINE_TYPES, "finer finds more, larger")

    def build_params(self) -> dict[str, Any]:
        """Return Milvus's build parameters; refine_type only where there is refining."""
        return without_refine_type(IndexSpec.build_params(self), self.refine)

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return ef (64 by default, never below k) and, refining, refine_k (10).

        Raises IndexParameterError for an ef below k, or a refine_k without refine.
        """
        return Hnsw.search_params(self, params, k) | refine_params(self.refine, params)

    def require_offered(self, server: ServerInfo) -> None:
        """Raise IndexNotOffered unless this Milvus has it; Milvus Lite only rounds to SQ8."""
        IndexSpec.require_offered(self, server)
        if not server.embedded or (self.sq_type == "SQ8" and not self.refine):
            return
        how = "refine" if self.sq_type == "SQ8" else f"sq_type {self.sq_type}"
        raise IndexNotOffered(
            "{server} does not offer HNSW_SQ with {how}: it rounds to SQ8 and does not refine.",
            "Milvus {since} or later does; SIGHTLINE_MILVUS_URI says which Milvus to use.",
            server=str(server),
            how=how,
            since=self.offer.since,
        )


@dataclass(frozen=True, slots=True)
class DiskAnn(IndexSpec):
    """DISKANN: a graph with full vectors on a fast SSD, and small codes of them in memory.

    No build parameters: Milvus takes them from its configuration (MaxDegree 56, SearchListSize
    100, PQCodeBudgetGBRatio 0.125, SearchCacheBudgetGBRatio 0.1).
    """

    index_type: ClassVar[str] = "DISKANN"
    sweep: ClassVar[str | None] = "search_list"
    offer: ClassVar[Offer] = Offer("2.2", pip_build=False)

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return search_list; 100 by default (Milvus's own is 16), never below k.

        Raises IndexParameterError when it was asked for and is below ``k``.
        """
        self.require_hits(k)
        return {"search_list": at_least_k("search_list", params.search_list, k, 100)}

    def sweep_values(self, k: int) -> list[int]:
        """Return 16, 32 … 256, from k on."""
        return [max(16, k)] + [value for value in doubling(32, 256) if value > k]


@dataclass(frozen=True, slots=True)
class GpuCagra(IndexSpec):
    """GPU_CAGRA: a graph built and walked on a GPU; the most queries a second.

    ``intermediate_graph_degree``: links while building, 1 to 1,024, default 128; more find more
    and build longer.
    ``graph_degree``: links kept, 1 to 1,024, fewer than that, default 64; more find more, and are
    larger.
    ``build_algo``: how the first graph is made, one of IVF_PQ, NN_DESCENT, default NN_DESCENT;
    IVF_PQ makes a better one more slowly.
    ``cache_dataset_on_device``: true or false, default false: keep full vectors on the GPU too;
    finds more, and needs their memory there.

    Answers at most 1,024 hits.
    """

    index_type: ClassVar[str] = "GPU_CAGRA"
    metrics: ClassVar[tuple[str, ...]] = ("IP", "L2")
    sweep: ClassVar[str | None] = "itopk_size"
    max_hits: ClassVar[int] = 1_024
    offer: ClassVar[Offer] = Offer("2.4", gpu=True)
    intermediate_graph_degree: int = number(
        "intermediate_graph_degree", 128, (1, 1_024), "links", "finds more, builds longer"
    )
    graph_degree: int = number("graph_degree", 64, (1, 1_024), "links", "finds more, larger")
    build_algo: str = choice(
        "build_algo", "NN_DESCENT", ("IVF_PQ", "NN_DESCENT"), "IVF_PQ: better graph, slower build"
    )
    cache_dataset_on_device: bool = switch(
        "cache_dataset_on_device", False, "finds more, more GPU memory"
    )

    def check_together(self) -> None:
        """Raise IndexParameterError unless fewer links are kept than were made."""
        if self.graph_degree >= self.intermediate_graph_degree:
            raise IndexParameterError(
                "graph_degree {graph_degree} must be less than "
                "intermediate_graph_degree {intermediate_graph_degree}.",
                "Half of it is usual.",
                graph_degree=self.graph_degree,
                intermediate_graph_degree=self.intermediate_graph_degree,
            )

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return itopk_size (64 by default, never below k) and search_width where it was given."""
        self.require_hits(k)
        taken = {"itopk_size": at_least_k("itopk_size", params.itopk_size, k, 64)}
        if params.search_width is not None:
            taken["search_width"] = params.search_width
        return taken

    def sweep_values(self, k: int) -> list[int]:
        """Return 32, 64 … 512, from k on."""
        return [max(32, k)] + [value for value in doubling(64, 512) if value > k]
