"""What every index type is: its parameters, what it is searched with, which Milvus has it, and what
it is made of (vectors, links, codes, centroids), each so many bytes a row or once.

The layouts are those of faiss and hnswlib, which Milvus and Milvus Lite build their indexes with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from search_core.errors import IndexNotOffered, IndexParameterError
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.parameters import SearchParams, check_parameters, parameters_of
from search_core.messages import Message

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


MetricType = Literal["COSINE", "IP", "L2"]
METRICS: tuple[MetricType, ...] = ("COSINE", "IP", "L2")
BinaryMetricType = Literal["HAMMING", "JACCARD"]
BINARY_METRICS: tuple[BinaryMetricType, ...] = ("HAMMING", "JACCARD")
VectorKind = Literal["float", "binary"]
#: Where the sizes of indexes on a GPU come from.
GPU_SOURCE = "the Milvus documentation's 'GPU Index Overview'; not measured here"


@dataclass(frozen=True, slots=True)
class Offer:
    """Which Milvus offers an index type.

    Servers from release ``since`` on do, those with a GPU only where ``gpu``; the server of the
    PyPI package ``milvus`` where ``pip_build``; Milvus Lite where ``lite``.
    """

    since: str
    lite: bool = False
    gpu: bool = False
    pip_build: bool = True

    @property
    def where(self) -> str:
        """Who offers it, in words."""
        server = Message("Milvus {since} or later", since=self.since)
        if self.gpu:
            server = Message("{server} with an NVIDIA GPU, in its GPU build,", server=server)
        elif not self.pip_build:
            server = Message("{server} in a container or on Kubernetes", server=server)
        return Message("Milvus Lite and {server}", server=server) if self.lite else server

    def refusal(self, server: ServerInfo) -> str:
        """Return why this Milvus cannot, in words; "" when it can, or may."""
        if server.embedded:
            return "" if self.lite else Message("Milvus Lite does not have it")
        if not server.at_least(self.since):
            return Message("it came with Milvus {since}", since=self.since)
        if self.gpu and server.gpu is False:
            return Message("it needs a GPU, and this Milvus is not a GPU build")
        if server.pip_build and not self.pip_build:
            return Message("the server of the PyPI package milvus is built without it")
        return ""


@dataclass(frozen=True, slots=True)
class IndexSpec(ABC):
    """A vector index and its build parameters; one frozen dataclass an index type.

    All that an index type needs stands on its class; the catalogue lists the classes.

    ``sweep`` names the search parameter that trades time for recall; None where there is none.
    ``max_hits`` is the largest k it answers. Making one with a value Milvus would refuse raises
    IndexParameterError.

    Shown: ``explanation`` is the sentence beside the choice in the dashboard, ``why`` the clause
    of advice that says what the type is good for. ``colour`` and ``shape`` (a name of Vega's or an
    SVG path) mark it in charts: a contrast of at least 3:1 to both backgrounds (WCAG 2.2, 1.4.11),
    and shapes that differ where colours may be confused.
    Ordered: ``speed_rank`` orders types by speed at the same recall, fastest first; None is never
    advised. ``usual`` types are compared where none are named.
    Searched: an ``exact`` type compares every vector; one with ``full_clusters`` is exact where
    all its clusters are searched. ``first_search`` is where to begin with a type whose recall was
    not measured. A type is ``tunable`` unless Milvus keeps its parameters secret.
    Sized: ``size_source`` says where the formula of :meth:`parts` comes from; ``compressed`` that
    a server compresses the files.
    """

    index_type: ClassVar[str] = ""
    vector_kind: ClassVar[VectorKind] = "float"
    metrics: ClassVar[tuple[str, ...]] = METRICS
    sweep: ClassVar[str | None] = None
    max_hits: ClassVar[int] = 16_384
    offer: ClassVar[Offer]
    explanation: ClassVar[str]
    why: ClassVar[str]
    colour: ClassVar[str]
    shape: ClassVar[str]
    speed_rank: ClassVar[int | None] = None
    usual: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    full_clusters: ClassVar[bool] = False
    first_search: ClassVar[SearchParams] = SearchParams()
    tunable: ClassVar[bool] = True
    size_source: ClassVar[str] = "layout of the faiss index, checked against faiss"
    compressed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_parameters(self)
        self.check_together()

    def check_together(self) -> None:
        """Raise IndexParameterError for parameters that are fine alone and not together."""
        return

    @classmethod
    def refusal(cls, server: ServerInfo, *, surely: bool = False) -> str:
        """Return why this Milvus does not have the type, in words; "" when it has.

        Where it is unknown whether it has a GPU it may have a type that needs one: that counts as
        having it, except where it is to be had ``surely``.
        """
        if cls.index_type in server.lacks:
            return "`sightline doctor --probe` found that it cannot build it"
        if surely and cls.offer.gpu and not server.gpu:
            return "it needs a GPU, which this Milvus does not report"
        return cls.offer.refusal(server)

    @classmethod
    def sized(cls, rows: int, dim: int) -> Self:
        """Return the type with the usual build parameters for so many vectors."""
        return cls()

    @classmethod
    def start(cls, rows: int, dim: int, target_recall: float) -> Start:
        """Return the least effort that reached the target recall, else the most measured."""
        return Start(cls.sized(rows, dim), cls.first_search, None)

    @abstractmethod
    def parts(self, dim: int) -> Iterable[Part]:
        """Return what an index of vectors of ``dim`` dimensions is made of."""

    def compared(self, rows: int, search: SearchParams) -> int | None:
        """Return how many of ``rows`` vectors a search compares; None where that says little."""
        return None

    def build_params(self) -> dict[str, Any]:
        """Return Milvus's build parameters, by Milvus's names; a switch as the text it takes.

        Milvus 2.3 tries for ever to build an index with a True in place of the text "true".
        """
        given = {item.name: getattr(self, name) for name, item in parameters_of(self)}
        if not given.get("refine", True):
            del given["refine_type"]  # of what is not kept
        return {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in given.items()
        }

    @abstractmethod
    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits, of those the type has.

        Raises IndexParameterError where one does not go with this index or with ``k``.
        """

    def sweep_values(self, k: int) -> list[int]:
        """Return values of the sweep parameter to try, ascending; none for an exact index."""
        return []

    def require_offered(self, server: ServerInfo) -> None:
        """Raise IndexNotOffered, saying what would offer it, unless this Milvus has the type."""
        if reason := self.refusal(server):
            raise IndexNotOffered(
                "{server} does not offer {index_type}: {reason}.",
                "{where} offers it; SIGHTLINE_MILVUS_URI says which Milvus to use.",
                server=str(server),
                index_type=self.index_type,
                reason=reason,
                where=self.offer.where,
            )

    def require_hits(self, k: int) -> None:
        """Raise IndexParameterError where more hits are asked for than the type answers."""
        if k > self.max_hits:
            raise IndexParameterError(
                "{index_type} answers at most {most} hits, not {k}.",
                "Ask for fewer, or use another index type.",
                index_type=self.index_type,
                most=self.max_hits,
                k=k,
            )

    def require_dim(self, dim: int) -> None:
        """Raise IndexParameterError where vectors of ``dim`` dimensions cannot be indexed so."""
        return

    def require_rows(self, rows: int) -> None:
        """Raise IndexParameterError where so few vectors cannot be indexed so; 0 passes."""
        return

    def metric_for(self, metric: str) -> str:
        """Return the metric to build with where vectors are compared by ``metric``.

        Vectors are of unit length here, so that IP orders as COSINE does where a type lacks that.
        Raises IndexParameterError where it has no such metric.
        """
        if metric in self.metrics:
            return metric
        if metric == "COSINE" and "IP" in self.metrics:
            return "IP"
        raise IndexParameterError(
            "{index_type} does not compare by {metric}.",
            "It takes {metrics}.",
            index_type=self.index_type,
            metric=metric,
            metrics=", ".join(self.metrics),
        )


@dataclass(frozen=True, slots=True)
class Start:
    """An index to begin with; ``recall`` is what it found, None where nothing was measured."""

    spec: IndexSpec
    search: SearchParams
    recall: float | None


def at_least_k(name: str, value: int | None, k: int, usual: int) -> int:
    """Return ``value``, or ``usual`` raised to ``k`` where there is none.

    Raises IndexParameterError when ``value`` was asked for and is below ``k``.
    """
    if value is not None and value < k:
        raise IndexParameterError(
            "{name} {value} is less than the {k} hits asked for.",
            "Use --{option} {k} or more, or ask for fewer hits.",
            name=name,
            value=value,
            k=k,
            option=name.replace("_", "-"),
        )
    return max(usual, k) if value is None else value


def doubling(first: int, last: int) -> list[int]:
    """Return ``first``, twice that, and so on up to ``last``."""
    values = []
    while first <= last:
        values.append(first)
        first *= 2
    return values
