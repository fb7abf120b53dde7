"""IVF indexes: vectors sorted into clusters, of which a search looks into the nearest.

Ranges and defaults are those of the Milvus documentation ("IVF_FLAT", "IVF_SQ8", "IVF_PQ",
"IVF_RABITQ", "SCANN") and of Knowhere, the library it builds indexes with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from search_core.errors import IndexParameterError
from search_core.indexes import starting_points as measured
from search_core.indexes.base import (
    BINARY_METRICS,
    GPU_SOURCE,
    IndexSpec,
    Offer,
    Part,
    Start,
    VectorKind,
    at_least_k,
    bits,
    clusters,
    doubling,
    refining,
    vectors,
)
from search_core.indexes.parameters import (
    N_,
    NLIST_RANGE,
    SearchParams,
    choice,
    largest_divisor,
    number,
    switch,
    usual_nlist,
)
from search_core.indexes.starting_points import Reached

#: What the candidates of a quantised index may be compared again with, smallest first.
REFINE_TYPES = ("SQ6", "SQ8", "FP16", "BF16", "FP32")
_REFINE_K = 10


@dataclass(frozen=True, slots=True)
class Ivf(IndexSpec):
    """Vectors are put into ``nlist`` clusters; a search looks into the ``nprobe`` nearest.

    ``nlist``: clusters, 1 to 65,536, default 128; some 4 * sqrt(rows) is usual. More clusters make
    each smaller, so that a search is faster at the same ``nprobe`` and finds less.
    """

    sweep: ClassVar[str | None] = "nprobe"
    offer: ClassVar[Offer] = Offer("2.0")
    #: What shares of the clusters found, and what else they were searched with.
    reached: ClassVar[Reached] = ()
    refined: ClassVar[SearchParams] = SearchParams()
    nlist: int = number(
        "nlist", 128, NLIST_RANGE, N_("clusters"), N_("faster at one nprobe, finds less")
    )

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return nprobe; by default an eighth of the clusters.

        Raises IndexParameterError when ``nprobe`` is larger than ``nlist``, or k than it answers.
        """
        return {"nprobe": self.nprobe(params, k)}

    def nprobe(self, params: SearchParams, k: int) -> int:
        """Return how many clusters a search looks into."""
        self.require_hits(k)
        nprobe = params.nprobe if params.nprobe is not None else max(1, self.nlist // 8)
        if nprobe > self.nlist:
            raise IndexParameterError(
                "nprobe {nprobe} is more than the {nlist} clusters (nlist) of this index.",
                "Use --nprobe from 1 to {nlist}.",
                nprobe=nprobe,
                nlist=self.nlist,
            )
        return nprobe

    def require_rows(self, rows: int) -> None:
        """Raise IndexParameterError where there are fewer vectors than clusters; 0 passes.

        Milvus would make fewer clusters without saying so.
        """
        if 0 < rows < self.nlist:
            raise IndexParameterError(
                "nlist {nlist} is more than the {rows} vectors: only as many clusters as "
                "vectors can be made.",
                "Use --nlist from 1 to {rows}.",
                nlist=self.nlist,
                rows=rows,
            )

    def sweep_values(self, k: int) -> list[int]:
        """Return 1, 2, 4 … 128, within nlist."""
        return doubling(1, min(128, self.nlist))

    @classmethod
    def sized(cls, rows: int, dim: int) -> Self:
        """Return the type with some 4 * sqrt(rows) clusters."""
        return cls(usual_nlist(rows))

    @classmethod
    def start(cls, rows: int, dim: int, target_recall: float) -> Start:
        """Return the fewest clusters to search that reached the target recall, else the most."""
        spec = cls.sized(rows, dim)
        if not cls.reached:
            return Start(spec, SearchParams(), None)
        nprobe, recall = measured.nprobe_for(spec.nlist, cls.reached, target_recall)
        return Start(spec, SearchParams(nprobe=nprobe).over(cls.refined), recall)

    def compared(self, rows: int, search: SearchParams) -> int | None:
        """Return the centroids and the vectors of the clusters that are searched; on a CPU."""
        if self.offer.gpu or search.nprobe is None:
            return None
        return self.nlist + math.ceil(rows * search.nprobe / self.nlist)


@dataclass(frozen=True, slots=True)
class IvfFlat(Ivf):
    """IVF_FLAT: clusters of full vectors; fast, exact within the clusters it looks into."""

    index_type: ClassVar[str] = "IVF_FLAT"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)
    explanation: ClassVar[str] = N_("Sorts vectors into clusters and searches the nearest ones.")
    why: ClassVar[str] = N_("fast, and finds all that is in the clusters it looks into")
    colour: ClassVar[str] = "#1f7fc4"
    shape: ClassVar[str] = "circle"
    speed_rank: ClassVar[int | None] = 60
    usual: ClassVar[bool] = True
    full_clusters: ClassVar[bool] = True
    reached: ClassVar[Reached] = measured.IVF_FLAT

    def parts(self, dim: int) -> Iterable[Part]:
        """Return vectors in clusters."""
        return [vectors(dim), *clusters(self.nlist, dim * 4)]


@dataclass(frozen=True, slots=True)
class IvfSq8(Ivf):
    """IVF_SQ8: as IVF_FLAT with one byte a dimension; a quarter of the memory, a little recall."""

    index_type: ClassVar[str] = "IVF_SQ8"
    offer: ClassVar[Offer] = Offer("2.0", lite=True)
    explanation: ClassVar[str] = N_(
        "As IVF_FLAT with a byte a dimension: a quarter of the memory, a little less found."
    )
    why: ClassVar[str] = N_("a quarter of the memory of IVF_FLAT, for a little recall")
    colour: ClassVar[str] = "#c47a00"
    shape: ClassVar[str] = "diamond"
    speed_rank: ClassVar[int | None] = 70
    usual: ClassVar[bool] = True
    reached: ClassVar[Reached] = measured.IVF_SQ8

    def parts(self, dim: int) -> Iterable[Part]:
        """Return a byte a dimension, in clusters."""
        return [Part("codes (dim a row)", dim), *clusters(self.nlist, dim * 4)]


@dataclass(frozen=True, slots=True)
class IvfPq(Ivf):
    """IVF_PQ: vectors cut into m pieces, each kept as a code of nbits; very small, coarse.

    ``m``: pieces, 1 to 65,536, a divisor of the dimensions, default 64; more find more, and are
    larger (m * nbits / 8 bytes a vector). Milvus has no default.
    ``nbits``: bits a piece, 1 to 16, default 8; more find more, are larger, and train on
    2**nbits vectors or more.
    """

    index_type: ClassVar[str] = "IVF_PQ"
    explanation: ClassVar[str] = N_(
        "Cuts vectors into pieces and keeps a code of each: very small, and coarse."
    )
    why: ClassVar[str] = N_("the smallest; coarse, and slow to build")
    colour: ClassVar[str] = "#d1495b"
    shape: ClassVar[str] = "triangle-down"
    speed_rank: ClassVar[int | None] = 100
    m: int = number("m", 64, (1, 65_536), N_("pieces"), N_("finds more, larger"))
    nbits: int = number("nbits", 8, (1, 16), N_("bits"), N_("finds more, larger, slower to train"))

    def require_dim(self, dim: int) -> None:
        """Raise IndexParameterError unless m divides the dimensions."""
        if dim % self.m:
            fits = max(size for size in range(1, min(self.m, dim) + 1) if dim % size == 0)
            raise IndexParameterError(
                "m {m} does not divide the {dim} dimensions of these vectors.",
                "Use a divisor of {dim}, such as {fits}.",
                m=self.m,
                dim=dim,
                fits=fits,
            )

    def require_rows(self, rows: int) -> None:
        """Raise IndexParameterError where there are fewer vectors than codes or clusters."""
        Ivf.require_rows(self, rows)
        if 0 < rows < 2**self.nbits:
            raise IndexParameterError(
                "nbits {nbits} needs {least:,} vectors or more to learn from, and "
                "there are {rows}.",
                "Use --option nbits={most}, or IVF_SQ8.",
                nbits=self.nbits,
                least=2**self.nbits,
                rows=rows,
                most=rows.bit_length() - 1,
            )

    @classmethod
    def sized(cls, rows: int, dim: int) -> Self:
        """Return the type with the most pieces up to 64 that divide the dimensions."""
        return cls(usual_nlist(rows), m=largest_divisor(dim, 64))

    @classmethod
    def start(cls, rows: int, dim: int, target_recall: float) -> Start:
        """Return pieces of two dimensions, and the clusters to search that reached the target."""
        spec = cls(usual_nlist(rows), m=largest_divisor(dim, dim // 2))
        piece = 2 if dim <= 2 * spec.m else 4 if dim <= 4 * spec.m else 0
        reached = measured.IVF_PQ.get(piece, measured.IVF_PQ_COARSE)
        nprobe, recall = measured.nprobe_for(spec.nlist, reached, target_recall)
        return Start(spec, SearchParams(nprobe=nprobe), recall)

    def parts(self, dim: int) -> Iterable[Part]:
        """Return codes of pieces and their codebooks, in clusters."""
        return [
            Part("codes (m * nbits / 8 a row)", math.ceil(self.m * self.nbits / 8)),
            Part("codebooks (4 * dim * 2**nbits)", once=dim * 4 * 2**self.nbits),
            *clusters(self.nlist, dim * 4),
        ]


@dataclass(frozen=True, slots=True)
class IvfRabitq(Ivf):
    """IVF_RABITQ: one bit a dimension, and finer vectors to compare the candidates again with.

    ``refine``: true or false, default true: keep finer vectors too, so that candidates are
    compared again; without them recall stays low. Milvus's own default is false.
    ``refine_type``: what those are, one of SQ6, SQ8, FP16, BF16, FP32, default SQ8; finer finds
    more, and is larger.
    """

    index_type: ClassVar[str] = "IVF_RABITQ"
    offer: ClassVar[Offer] = Offer("2.6")
    explanation: ClassVar[str] = N_(
        "Keeps one bit a dimension, and finer vectors to compare the candidates again."
    )
    why: ClassVar[str] = N_(
        "small: one bit a dimension, and bytes to check the best candidates with"
    )
    colour: ClassVar[str] = "#7d6ad8"
    shape: ClassVar[str] = "triangle-left"
    speed_rank: ClassVar[int | None] = 80
    reached: ClassVar[Reached] = measured.IVF_RABITQ
    refined: ClassVar[SearchParams] = SearchParams(refine_k=measured.RABITQ_REFINE_K)
    refine: bool = switch("refine", True, N_("finds far more, larger"))
    refine_type: str = choice("refine_type", "SQ8", REFINE_TYPES, N_("finer finds more, larger"))

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return nprobe, rbq_bits_query (0: the query is not rounded) and, refining, refine_k (10).

        Raises IndexParameterError for nprobe over nlist, or a refine_k without refine.
        """
        bits = 0 if params.rbq_bits_query is None else params.rbq_bits_query
        taken = {"nprobe": self.nprobe(params, k), "rbq_bits_query": bits}
        return taken | refine_params(self.refine, params)

    def parts(self, dim: int) -> Iterable[Part]:
        """Return a bit a dimension in clusters, and what candidates are compared again with."""
        return [
            Part("codes (dim / 8 + 8 a row)", math.ceil(dim / 8) + 8),
            Part("rotation (4 * dim * dim)", once=dim * 4 * dim),
            *clusters(self.nlist, dim * 4),
            *([refining(self.refine_type, dim)] if self.refine else []),
        ]


@dataclass(frozen=True, slots=True)
class Scann(Ivf):
    """SCANN: 4-bit codes scanned very fast, the best candidates compared again in full.

    ``with_raw_data``: true or false, default true: keep full vectors to compare the candidates
    again; without them it is a sixteenth of the size and finds less.

    Needs a processor with AVX2, and an even number of dimensions.
    """

    index_type: ClassVar[str] = "SCANN"
    offer: ClassVar[Offer] = Offer("2.3")
    explanation: ClassVar[str] = N_(
        "Scans 4-bit codes of the nearest clusters, and compares the best again in full."
    )
    why: ClassVar[str] = N_("scans small codes very fast, and checks the best with full vectors")
    colour: ClassVar[str] = "#c454a8"
    shape: ClassVar[str] = "triangle-right"
    speed_rank: ClassVar[int | None] = 50
    reached: ClassVar[Reached] = measured.SCANN
    refined: ClassVar[SearchParams] = SearchParams(reorder_k=100)
    with_raw_data: bool = switch("with_raw_data", True, N_("finds more, 17 times as large"))

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return nprobe and reorder_k, ten times k by default.

        Raises IndexParameterError for nprobe over nlist, or reorder_k below k.
        """
        reorder_k = at_least_k("reorder_k", params.reorder_k, k, 10 * k)
        return {"nprobe": self.nprobe(params, k), "reorder_k": reorder_k}

    def require_dim(self, dim: int) -> None:
        """Raise IndexParameterError for an odd number of dimensions."""
        if dim % 2:
            raise IndexParameterError(
                "SCANN needs an even number of dimensions, not {dim}.",
                "Use IVF_SQ8 instead.",
                dim=dim,
            )

    def parts(self, dim: int) -> Iterable[Part]:
        """Return 4-bit codes in clusters, and full vectors where they are kept."""
        return [
            Part("4-bit codes (dim / 4 a row)", dim / 4),
            Part("half a block a cluster", once=self.nlist * 16 * dim / 4),
            Part("codebooks (64 * dim)", once=64 * dim),
            *clusters(self.nlist, dim * 4),
            *([vectors(dim)] if self.with_raw_data else []),
        ]

    def compared(self, rows: int, search: SearchParams) -> int | None:
        """Return None: codes are compared many at once, so that their number says little."""
        return None


@dataclass(frozen=True, slots=True)
class GpuIvfFlat(IvfFlat):
    """GPU_IVF_FLAT: IVF_FLAT held and searched on a GPU, for many queries at once.

    Answers at most 256 hits.
    """

    index_type: ClassVar[str] = "GPU_IVF_FLAT"
    metrics: ClassVar[tuple[str, ...]] = ("IP", "L2")
    max_hits: ClassVar[int] = 256
    offer: ClassVar[Offer] = Offer("2.3", gpu=True)
    explanation: ClassVar[str] = N_(
        "As IVF_FLAT, held and searched on a GPU, for many queries at once."
    )
    why: ClassVar[str] = N_("IVF_FLAT for many queries at once")
    colour: ClassVar[str] = "#4c86a8"
    shape: ClassVar[str] = "M-1,-0.45L1,-0.45L1,0.45L-1,0.45Z"
    speed_rank: ClassVar[int | None] = 20
    usual: ClassVar[bool] = False
    size_source: ClassVar[str] = GPU_SOURCE


@dataclass(frozen=True, slots=True)
class BinIvfFlat(Ivf):
    """BIN_IVF_FLAT: IVF_FLAT over vectors of bits."""

    index_type: ClassVar[str] = "BIN_IVF_FLAT"
    vector_kind: ClassVar[VectorKind] = "binary"
    metrics: ClassVar[tuple[str, ...]] = BINARY_METRICS
    explanation: ClassVar[str] = N_(
        "Sorts vectors of bits into clusters and searches the nearest ones."
    )
    why: ClassVar[str] = N_("IVF_FLAT over vectors of bits")
    colour: ClassVar[str] = "#a05fb4"
    shape: ClassVar[str] = "M-1,0L0,-0.6L1,0L0,0.6Z"
    full_clusters: ClassVar[bool] = True

    def parts(self, dim: int) -> Iterable[Part]:
        """Return vectors of bits in clusters."""
        return [bits(dim), *clusters(self.nlist, dim / 8)]

    def compared(self, rows: int, search: SearchParams) -> int | None:
        """Return None: comparing bits takes another time."""
        return None


def refine_params(refine: bool, params: SearchParams) -> dict[str, int]:
    """Return refine_k where the index refines; raises IndexParameterError for one it ignores."""
    if refine:
        return {"refine_k": _REFINE_K if params.refine_k is None else params.refine_k}
    if params.refine_k is not None:
        raise IndexParameterError(
            "refine_k does nothing on an index built without refine.",
            "Build it with refine, or leave refine_k out.",
        )
    return {}
