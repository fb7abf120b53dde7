"""Graph indexes: a search walks from neighbour to neighbour towards the query.

Ranges and defaults are those of the Milvus documentation ("HNSW", "HNSW_SQ", "DISKANN",
"GPU_CAGRA") and of Knowhere, the library it builds indexes with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from search_core.errors import IndexNotOffered, IndexParameterError
from search_core.indexes import starting_points as measured
from search_core.indexes.base import (
    GPU_SOURCE,
    IndexSpec,
    Offer,
    Part,
    Start,
    at_least_k,
    doubling,
    links,
    refining,
    rounded,
    vectors,
)
from search_core.indexes.ivf import REFINE_TYPES, refine_params
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.parameters import (
    EF_CONSTRUCTION_RANGE,
    M_RANGE,
    N_,
    SearchParams,
    choice,
    number,
    switch,
)
from search_core.indexes.starting_points import Reached

#: DISKANN at Milvus's configuration: the links of a node, and the sectors that nodes are read in.
_DISK_LINKS, _SECTOR = 56, 4096


@dataclass(frozen=True, slots=True)
class Graph(IndexSpec):
    """A search keeps so many candidates while it walks, at least k: the ``sweep`` parameter.

    ``usual_candidates`` are kept where none are asked for; ``swept`` are the fewest and the most
    worth trying.
    """

    usual_candidates: ClassVar[int] = 64
    swept: ClassVar[tuple[int, int]] = (16, 512)

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return the candidates to keep, never below k.

        Raises IndexParameterError when they were asked for and are below ``k``.
        """
        self.require_hits(k)
        name = self.sweep or ""
        return {name: at_least_k(name, getattr(params, name), k, self.usual_candidates)}

    def sweep_values(self, k: int) -> list[int]:
        """Return doublings of the fewest worth trying, from k on."""
        first, last = self.swept
        return [max(first, k)] + [value for value in doubling(2 * first, last) if value > k]


@dataclass(frozen=True, slots=True)
class Hnsw(Graph):
    """HNSW: a navigable graph; the fastest at high recall, and the largest.

    ``m``: links a node keeps (twice as many on the ground layer), 2 to 2,048, default 16; more
    find more, for more memory.
    ``ef_construction``: candidates while building, 8 to 2,147,483,647, default 200; more make a
    better graph for a longer build.
    """

    index_type: ClassVar[str] = "HNSW"
    sweep: ClassVar[str | None] = "ef"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)
    explanation: ClassVar[str] = N_(
        "Walks a graph of neighbours: fastest at high recall, and the most memory."
    )
    why: ClassVar[str] = N_("the fastest at high recall, for the most memory")
    colour: ClassVar[str] = "#12936a"
    shape: ClassVar[str] = "triangle-up"
    speed_rank: ClassVar[int | None] = 30
    usual: ClassVar[bool] = True
    reached: ClassVar[Reached] = measured.HNSW
    m: int = number("M", 16, M_RANGE, N_("links"), N_("finds more, larger"))
    ef_construction: int = number(
        "efConstruction",
        200,
        EF_CONSTRUCTION_RANGE,
        N_("candidates"),
        N_("finds more, builds longer"),
    )

    @classmethod
    def start(cls, rows: int, dim: int, target_recall: float) -> Start:
        """Return the fewest candidates that reached the target recall, else the most."""
        ef, recall = measured.ef_for(rows, cls.reached, target_recall)
        return Start(cls(measured.HNSW_M), SearchParams(ef=ef), recall)

    def parts(self, dim: int) -> Iterable[Part]:
        """Return full vectors and their links."""
        return [vectors(dim), links(self.m)]


@dataclass(frozen=True, slots=True)
class HnswSq(Hnsw):
    """HNSW_SQ: HNSW over rounded vectors; a third of the memory, a little recall.

    ``sq_type``: what vectors are rounded to, one of SQ6, SQ8, BF16, FP16, default SQ8; finer
    finds more, and is larger. Milvus Lite has SQ8 alone, and no refining.
    ``refine``: true or false, default false: keep finer vectors too, to compare candidates again.
    ``refine_type``: what those are, one of SQ6, SQ8, FP16, BF16, FP32, default FP32; finer than
    sq_type.
    """

    index_type: ClassVar[str] = "HNSW_SQ"
    offer: ClassVar[Offer] = Offer("2.5", lite=True)
    explanation: ClassVar[str] = N_(
        "As HNSW over rounded vectors: a third of the memory, a little less found."
    )
    why: ClassVar[str] = N_("nearly as fast as HNSW in a third of its memory, for a little recall")
    colour: ClassVar[str] = "#6f8f1f"
    shape: ClassVar[str] = "cross"
    speed_rank: ClassVar[int | None] = 40
    usual: ClassVar[bool] = False
    reached: ClassVar[Reached] = measured.HNSW_SQ
    sq_type: str = choice(
        "sq_type", "SQ8", ("SQ6", "SQ8", "BF16", "FP16"), N_("finds more, larger")
    )
    refine: bool = switch("refine", False, N_("finds more, larger"))
    refine_type: str = choice("refine_type", "FP32", REFINE_TYPES, N_("finer finds more, larger"))

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

    def parts(self, dim: int) -> Iterable[Part]:
        """Return rounded vectors, their links, and what candidates are compared again with."""
        return [
            rounded(self.sq_type, dim),
            links(self.m),
            *([refining(self.refine_type, dim)] if self.refine else []),
        ]


@dataclass(frozen=True, slots=True)
class DiskAnn(Graph):
    """DISKANN: a graph with full vectors on a fast SSD, and small codes of them in memory.

    No build parameters: Milvus takes them from its configuration (MaxDegree 56, SearchListSize
    100, PQCodeBudgetGBRatio 0.125, SearchCacheBudgetGBRatio 0.1).
    """

    index_type: ClassVar[str] = "DISKANN"
    sweep: ClassVar[str | None] = "search_list"
    offer: ClassVar[Offer] = Offer("2.2", pip_build=False)
    explanation: ClassVar[str] = N_(
        "Walks a graph on a fast SSD; only small codes of the vectors are in memory."
    )
    why: ClassVar[str] = N_("vectors and graph on a fast SSD, an eighth of them in memory")
    colour: ClassVar[str] = "#97703c"
    shape: ClassVar[str] = "M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z"
    speed_rank: ClassVar[int | None] = 90
    compressed: ClassVar[bool] = False
    size_source: ClassVar[str] = (
        "DiskANN's disk layout at Milvus's default configuration; not measured here"
    )
    #: Milvus's own is 16.
    usual_candidates: ClassVar[int] = 100
    first_search: ClassVar[SearchParams] = SearchParams(search_list=100)
    swept: ClassVar[tuple[int, int]] = (16, 256)

    def parts(self, dim: int) -> Iterable[Part]:
        """Return codes, cache and nodes at Milvus's configuration: 56 links, codes 0.125."""
        node = dim * 4 + 4 + 4 * _DISK_LINKS
        in_sectors = (
            _SECTOR / (_SECTOR // node) if node <= _SECTOR else math.ceil(node / _SECTOR) * _SECTOR
        )
        return [
            Part("in memory: codes (an eighth of the vectors)", min(dim, dim * 4 * 0.125)),
            Part("a tenth of the nodes as a cache", node * 0.1, disk=False),
            Part(
                "on disk: nodes of vector and 56 links in sectors of 4,096",
                in_sectors,
                memory=False,
            ),
        ]


@dataclass(frozen=True, slots=True)
class GpuCagra(Graph):
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
    swept: ClassVar[tuple[int, int]] = (32, 512)
    first_search: ClassVar[SearchParams] = SearchParams(itopk_size=128)
    max_hits: ClassVar[int] = 1_024
    offer: ClassVar[Offer] = Offer("2.4", gpu=True)
    explanation: ClassVar[str] = N_("Walks a graph on a GPU: the most queries a second.")
    why: ClassVar[str] = N_("the most queries a second, for many that come at once")
    colour: ClassVar[str] = "#b05f2c"
    shape: ClassVar[str] = "M-0.9,-0.9L0,-0.3L0.9,-0.9L0.3,0L0.9,0.9L0,0.3L-0.9,0.9L-0.3,0Z"
    speed_rank: ClassVar[int | None] = 10
    size_source: ClassVar[str] = GPU_SOURCE
    intermediate_graph_degree: int = number(
        "intermediate_graph_degree", 128, (1, 1_024), N_("links"), N_("finds more, builds longer")
    )
    graph_degree: int = number(
        "graph_degree", 64, (1, 1_024), N_("links"), N_("finds more, larger")
    )
    build_algo: str = choice(
        "build_algo",
        "NN_DESCENT",
        ("IVF_PQ", "NN_DESCENT"),
        N_("IVF_PQ: better graph, slower build"),
    )
    cache_dataset_on_device: bool = switch(
        "cache_dataset_on_device", False, N_("finds more, more GPU memory")
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
        taken = Graph.search_params(self, params, k)
        if params.search_width is not None:
            taken["search_width"] = params.search_width
        return taken

    def parts(self, dim: int) -> Iterable[Part]:
        """Return full vectors and their links."""
        return [vectors(dim), Part("links (4 * graph_degree a row)", 4 * self.graph_degree)]
