"""How thoroughly an index is searched: the search parameters of all index types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from search_core.indexes.parameters import (
    EF_RANGE,
    N_,
    NLIST_RANGE,
    check_parameters,
    number,
    parameters_of,
)

_RENAMED = {"rbq_query_bits": "rbq_bits_query"}
#: Searches keep at least as many candidates as hits are asked for: Milvus refuses fewer.
_AT_LEAST_K = ("ef", "search_list", "reorder_k", "itopk_size")


@dataclass(frozen=True, slots=True)
class SearchParams:
    """How thoroughly an index is searched; None leaves the library's default.

    Each index type reads those it has; more of any is slower and finds more of the true neighbours.

    ``nprobe`` (IVF types, SCANN): clusters searched, 1 to the index's nlist, default an eighth of
    them; more find more, and take longer in proportion.
    ``ef`` (HNSW types): candidates kept while walking the graph, 1 to 32,768, at least k, default
    64; more find more, slower.
    ``search_list`` (DISKANN): candidates kept, 1 to 65,535, at least k, default 100; more find
    more, and read more from disk.
    ``reorder_k`` (SCANN): candidates compared again with full vectors, 1 to 2,147,483,647, at least
    k, default 10 times k; more find more, slower.
    ``refine_k`` (HNSW_SQ, IVF_RABITQ, built with refine): so many times k candidates are compared
    again with finer vectors, 1 to 1,000, default 10; more find more, slower.
    ``rbq_bits_query`` (IVF_RABITQ): bits a dimension of the query is rounded to, 0 to 8, default 0,
    which does not round; of the others 1 is the fastest and finds least, 8 finds most.
    ``itopk_size`` (GPU_CAGRA): candidates kept, 1 to 1,024, at least k, default 64; more find more,
    slower. Milvus rounds it up to 32s.
    ``search_width`` (GPU_CAGRA): nodes each round starts from, 1 to 1,024, default Milvus's own;
    more find more, slower.
    ``level`` (AUTOINDEX): effort, 1 to 10 levels, default the service's own, where it has levels;
    more find more, slower.
    """

    nprobe: int | None = number(
        "nprobe", None, NLIST_RANGE, N_("clusters"), N_("finds more, slower")
    )
    ef: int | None = number("ef", None, EF_RANGE, N_("candidates"), N_("finds more, slower"))
    search_list: int | None = number(
        "search_list", None, (1, 65_535), N_("candidates"), N_("finds more, reads more from disk")
    )
    reorder_k: int | None = number(
        "reorder_k", None, (1, 2_147_483_647), N_("candidates"), N_("finds more, slower")
    )
    refine_k: int | None = number(
        "refine_k", None, (1, 1_000), N_("times k"), N_("finds more, slower")
    )
    # Knowhere reads rbq_bits_query (src/index/ivf/ivf_config.h) and ignores the rbq_query_bits of
    # some pages of the Milvus documentation.
    rbq_bits_query: int | None = number(
        "rbq_bits_query",
        None,
        (0, 8),
        N_("bits"),
        N_("finds more, slower; 0 does not round at all"),
    )
    itopk_size: int | None = number(
        "itopk_size", None, (1, 1_024), N_("candidates"), N_("finds more, slower")
    )
    search_width: int | None = number(
        "search_width", None, (1, 1_024), N_("nodes"), N_("finds more, slower")
    )
    level: int | None = number("level", None, (1, 10), N_("levels"), N_("finds more, slower"))

    def __post_init__(self) -> None:
        check_parameters(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, int | None]) -> SearchParams:
        """Read what is stored with a library, also by a name that a parameter had before."""
        return cls(**{_RENAMED.get(name, name): value for name, value in record.items()})

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
