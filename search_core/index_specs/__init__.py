"""The vector indexes Sightline builds, one frozen dataclass each, with Milvus's parameter ranges.

Ranges and meanings are those of the Milvus documentation, "In-memory Index". A value out of range
is refused here, before Milvus is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

from search_core.errors import IndexParameterError

MetricType = Literal["COSINE", "IP", "L2"]
METRICS: tuple[MetricType, ...] = ("COSINE", "IP", "L2")

NLIST_RANGE = (1, 65_536)
M_RANGE = (2, 2_048)
EF_CONSTRUCTION_RANGE = (8, 2_147_483_647)
EF_RANGE = (1, 32_768)


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise IndexParameterError(
            f"{name} must be a whole number from {low} to {high}, not {value!r}.",
            "Milvus accepts no other value.",
        )


@dataclass(frozen=True, slots=True)
class SearchParams:
    """How thoroughly an index is searched; None leaves the library's default.

    ``nprobe`` (IVF indexes): how many of the ``nlist`` clusters are searched; more is slower and
    finds more of the true neighbours. ``ef`` (HNSW): how many candidates are kept while walking the
    graph, at least as many as hits are asked for; more is slower and finds more.
    """

    nprobe: int | None = None
    ef: int | None = None

    def __post_init__(self) -> None:
        if self.nprobe is not None:
            _in_range("nprobe", self.nprobe, *NLIST_RANGE)
        if self.ef is not None:
            _in_range("ef", self.ef, *EF_RANGE)

    def over(self, default: SearchParams) -> SearchParams:
        """Return these values, with ``default``'s where there are none."""
        return SearchParams(
            nprobe=default.nprobe if self.nprobe is None else self.nprobe,
            ef=default.ef if self.ef is None else self.ef,
        )


@dataclass(frozen=True, slots=True)
class Flat:
    """FLAT: every vector is compared; exact, no build, slower in proportion to the rows."""

    index_type: ClassVar[str] = "FLAT"

    def build_params(self) -> dict[str, int]:
        """Return Milvus's build parameters: none."""
        return {}

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits: none."""
        return {}


@dataclass(frozen=True, slots=True)
class _Ivf:
    """Vectors are put into ``nlist`` clusters; a search looks into the ``nprobe`` nearest.

    ``nlist``: 1 to 65,536, default 128; some 4 * sqrt(rows) is usual. More clusters make each
    smaller, so that a search is faster at the same ``nprobe`` and finds less.
    """

    index_type: ClassVar[str] = ""
    nlist: int = 128

    def __post_init__(self) -> None:
        _in_range("nlist", self.nlist, *NLIST_RANGE)

    def build_params(self) -> dict[str, int]:
        """Return Milvus's build parameters."""
        return {"nlist": self.nlist}

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits; by default an eighth of the clusters.

        Raises IndexParameterError when ``nprobe`` is larger than ``nlist``.
        """
        nprobe = params.nprobe if params.nprobe is not None else max(1, self.nlist // 8)
        if nprobe > self.nlist:
            raise IndexParameterError(
                f"nprobe {nprobe} is more than the {self.nlist} clusters (nlist) of this index.",
                f"Use --nprobe from 1 to {self.nlist}.",
            )
        return {"nprobe": nprobe}


@dataclass(frozen=True, slots=True)
class IvfFlat(_Ivf):
    """IVF_FLAT: clusters of full vectors; fast, exact within the clusters it looks into."""

    index_type: ClassVar[str] = "IVF_FLAT"


@dataclass(frozen=True, slots=True)
class IvfSq8(_Ivf):
    """IVF_SQ8: as IVF_FLAT with one byte a dimension; a quarter of the memory, a little recall."""

    index_type: ClassVar[str] = "IVF_SQ8"


@dataclass(frozen=True, slots=True)
class Hnsw:
    """HNSW: a navigable graph; the fastest at high recall, and the largest.

    ``m``: links a node keeps, 2 to 2,048, default 16; more recall, more memory.
    ``ef_construction``: candidates while building, from 8, default 200; a better graph for a longer
    build.
    """

    index_type: ClassVar[str] = "HNSW"
    m: int = 16
    ef_construction: int = 200

    def __post_init__(self) -> None:
        _in_range("M", self.m, *M_RANGE)
        _in_range("efConstruction", self.ef_construction, *EF_CONSTRUCTION_RANGE)

    def build_params(self) -> dict[str, int]:
        """Return Milvus's build parameters."""
        return {"M": self.m, "efConstruction": self.ef_construction}

    def search_params(self, params: SearchParams, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits; ``ef`` is 64 by default, never below k.

        Raises IndexParameterError when ``ef`` was asked for and is below ``k``.
        """
        if params.ef is not None and params.ef < k:
            raise IndexParameterError(
                f"ef {params.ef} is less than the {k} hits asked for.",
                f"Use --ef {k} or more, or ask for fewer hits.",
            )
        return {"ef": params.ef if params.ef is not None else max(64, k)}


IndexSpec = Flat | IvfFlat | IvfSq8 | Hnsw
INDEX_SPECS: dict[str, type[Flat] | type[IvfFlat] | type[IvfSq8] | type[Hnsw]] = {
    spec.index_type: spec for spec in (Flat, IvfFlat, IvfSq8, Hnsw)
}
#: Exact, and fast enough for as many keyframes as the embedded Milvus is good for. HNSW's graph can
#: lose one of many near-identical keyframes altogether, which is what a static camera gives.
DEFAULT_INDEX: IndexSpec = Flat()


def make_index_spec(index_type: str, options: Mapping[str, int | None] | None = None) -> IndexSpec:
    """Return the spec of an index type by its Milvus name, any case, with the options given.

    ``options`` are field names (``nlist``, ``m``, ``ef_construction``); None means the default.
    Raises IndexParameterError for an unknown type, an option the type lacks, or a bad value.
    """
    spec = INDEX_SPECS.get(index_type.upper().replace("-", "_"))
    if spec is None:
        raise IndexParameterError(
            f"{index_type} is not an index type Sightline builds.",
            f"Choose one of {', '.join(INDEX_SPECS)}.",
        )
    given = {name: value for name, value in (options or {}).items() if value is not None}
    known = [item.name for item in fields(spec)]
    for name in given:
        if name not in known:
            takes = ", ".join(known) if known else "no build parameters"
            raise IndexParameterError(
                f"{spec.index_type} has no parameter {name}.", f"It takes {takes}."
            )
    return spec(**given)


def index_spec_to_dict(spec: IndexSpec) -> dict[str, Any]:
    """Return a spec as plain JSON values."""
    return {"index_type": spec.index_type, **asdict(spec)}


def index_spec_from_dict(record: Mapping[str, Any]) -> IndexSpec:
    """Read what :func:`index_spec_to_dict` wrote."""
    options = {key: int(value) for key, value in record.items() if key != "index_type"}
    return make_index_spec(str(record["index_type"]), options)
