"""How thoroughly an index is searched: the search parameters of all index types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_core.index_specs.parameters import (
    EF_RANGE,
    NLIST_RANGE,
    check_parameters,
    number,
    parameters_of,
)

#: Searches keep at least as many candidates as hits are asked for: Milvus refuses fewer.
_AT_LEAST_K = ("ef", "search_list", "reorder_k", "itopk_size")


@dataclass(frozen=True, slots=True)
class SearchParams:
    """How thoroughly an index is searched; None leaves the library's default.

    Each index type reads those it has; more of any is slower and finds more of the true neighbours.

    ``nprobe`` (IVF types, SCANN): clusters searched, 1 to the index's nlist.
    ``ef`` (HNSW types): candidates kept while walking the graph, 1 to 32,768, at least k.
    ``search_list`` (DISKANN): candidates kept, 1 to 65,535, at least k.
    ``reorder_k`` (SCANN): candidates compared again with full vectors, from 1, at least k.
    ``refine_k`` (HNSW_SQ, IVF_RABITQ, built with refine): k times as many candidates are compared
    again with finer vectors, 1 to 1,000.
    ``rbq_query_bits`` (IVF_RABITQ): bits a dimension of the query is rounded to, 1 (coarse, fast)
    to 8; 0 does not round.
    ``itopk_size`` (GPU_CAGRA): candidates kept, 1 to 1,024, at least k; Milvus rounds it up to 32s.
    ``search_width`` (GPU_CAGRA): nodes each round starts from, 1 to 1,024.
    ``level`` (AUTOINDEX): effort from 1 (fast) to 10 (thorough), where the service has levels.
    """

    nprobe: int | None = number("nprobe", None, NLIST_RANGE, "clusters", "finds more, slower")
    ef: int | None = number("ef", None, EF_RANGE, "candidates", "finds more, slower")
    search_list: int | None = number(
        "search_list", None, (1, 65_535), "candidates", "finds more, reads more from disk"
    )
    reorder_k: int | None = number(
        "reorder_k", None, (1, 2_147_483_647), "candidates", "finds more, slower"
    )
    refine_k: int | None = number("refine_k", None, (1, 1_000), "times k", "finds more, slower")
    rbq_query_bits: int | None = number(
        "rbq_query_bits", None, (0, 8), "bits", "finds more, slower; 0 does not round at all"
    )
    itopk_size: int | None = number(
        "itopk_size", None, (1, 1_024), "candidates", "finds more, slower"
    )
    search_width: int | None = number(
        "search_width", None, (1, 1_024), "nodes", "finds more, slower"
    )
    level: int | None = number("level", None, (1, 10), "levels", "finds more, slower")

    def __post_init__(self) -> None:
        check_parameters(self)

    def given(self) -> dict[str, int]:
        """Return those that are set, by name."""
        values = ((name, getattr(self, name)) for name, _ in parameters_of(self))
        return {name: value for name, value in values if value is not None}

    def over(self, default: SearchParams) -> SearchParams:
        """Return these values, with ``default``'s where there are none."""
        return replace(default, **self.given())

    def for_hits(self, k: int) -> SearchParams:
        """Return these values with those that may not be below ``k`` raised to it."""
        low = {name: k for name, value in self.given().items() if name in _AT_LEAST_K and value < k}
        return replace(self, **low)
