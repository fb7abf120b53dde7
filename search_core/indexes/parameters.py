"""What a parameter of an index may be: its Milvus name, range, unit and what more of it does; and
the search parameters of all index types, which say how thoroughly an index is searched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from search_core.errors import IndexParameterError

NLIST_RANGE = (1, 65_536)
M_RANGE = (2, 2_048)
EF_CONSTRUCTION_RANGE = (8, 2_147_483_647)
EF_RANGE = (1, 32_768)
_KEY = "parameter"


def N_(message: str) -> str:
    """Mark a text for translation in the dashboard (`make words` reads it here); return it."""
    return message


def usual_nlist(rows: int) -> int:
    """Return the usual number of clusters: 4 * sqrt(rows).

    Bounded by Milvus's range, and by rows / 39: k-means wants 39 vectors a cluster to learn from
    (faiss warns below that).
    """
    return max(1, min(round(4 * math.sqrt(max(1, rows))), rows // 39, NLIST_RANGE[1]))


def largest_divisor(dim: int, most: int) -> int:
    """Return the largest divisor of ``dim`` up to ``most``; 1 where ``most`` is less."""
    return max(size for size in range(1, max(1, min(most, dim)) + 1) if dim % size == 0)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an index or of its searches, as Milvus takes it.

    ``name`` is Milvus's spelling. A whole number lies in ``low`` to ``high``, both included, and
    counts ``unit``; one of ``choices`` is text; one with neither is a switch. ``effect`` says in a
    clause what a larger (or the other) value costs and brings.
    """

    name: str
    effect: str
    low: int = 0
    high: int = 0
    unit: str = ""
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The values it may have, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.high:
            return f"a whole number from {self.low} to {self.high}"
        return "true or false"

    def check(self, value: object) -> None:
        """Raise IndexParameterError for a value Milvus would refuse."""
        if self.choices:
            fits = value in self.choices
        elif self.high:
            whole = isinstance(value, int) and not isinstance(value, bool)
            fits = isinstance(value, int) and whole and self.low <= value <= self.high
        else:
            fits = isinstance(value, bool)
        if not fits:
            raise IndexParameterError(
                "{name} must be {allowed}, not {value}.",
                "Milvus accepts no other value.",
                name=self.name,
                allowed=self.allowed,
                value=repr(value),
            )


def number(name: str, default: int | None, limits: tuple[int, int], unit: str, effect: str) -> Any:
    """Declare a dataclass field that holds a whole number; ``limits`` are included."""
    low, high = limits
    made = Parameter(name, effect, low=low, high=high, unit=unit)
    return field(default=default, metadata={_KEY: made})


def choice(name: str, default: str, choices: tuple[str, ...], effect: str) -> Any:
    """Declare a dataclass field that holds one of several words."""
    return field(default=default, metadata={_KEY: Parameter(name, effect, choices=choices)})


def switch(name: str, default: bool, effect: str) -> Any:
    """Declare a dataclass field that is on or off."""
    return field(default=default, metadata={_KEY: Parameter(name, effect)})


def parameters_of(owner: Any) -> Iterator[tuple[str, Parameter]]:
    """Yield the field names of a dataclass (or of an instance) with their parameters."""
    for item in fields(owner):
        if (parameter := item.metadata.get(_KEY)) is not None:
            yield item.name, parameter


def check_parameters(owner: Any) -> None:
    """Raise IndexParameterError unless every parameter of a dataclass instance may be so.

    A None stands for "not given" and passes where it is the default.
    """
    for item in fields(owner):
        value = getattr(owner, item.name)
        parameter = item.metadata.get(_KEY)
        if parameter is not None and not (value is None and item.default is None):
            parameter.check(value)


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
