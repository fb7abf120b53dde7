"""What a comparison measures: indexes, the search settings of each, and filters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.errors import IndexParameterError, UsageError
from search_core.filters import Filter
from search_core.index_specs import (
    INDEX_SPECS,
    IndexSpec,
    IvfPq,
    Parameter,
    SearchParams,
    default_specs,
    make_index_spec,
    parameters_of,
    usual_nlist,
)
from search_core.lab.records import IndexRun
from search_core.library import NO_FILTER
from search_core.servers import ServerInfo
from search_core.trials import BUCKETS, bucket_of

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """An index to build, and the settings to search it with, from the fastest to the most thorough.

    ``complete`` is whether all settings are measured; else those after the first that finds
    everything are left out.
    """

    spec: IndexSpec
    settings: tuple[SearchParams, ...]
    complete: bool = False


@dataclass(frozen=True, slots=True)
class FilterCase:
    """A filter to measure under: one on the facets, or a random ``share`` (0 to 1) of the rows."""

    label: str
    where: Filter = NO_FILTER
    share: float = 1.0

    @classmethod
    def of_share(cls, text: str) -> FilterCase | None:
        """Read a share such as ``10%`` or ``0.1%``; None for other text.

        Raises UsageError for a share a trial cannot make (see :data:`trials.BUCKETS`).
        """
        if (found := _SHARE.fullmatch(text.strip())) is None:
            return None
        share = float(found[1]) / 100
        if not 1 <= share * BUCKETS <= BUCKETS:
            raise UsageError(
                f"{text} is not a share of rows to filter by.", "Give 0.01% to 100%, such as 1%."
            )
        return cls(f"{float(found[1]):g}%", share=share)

    @property
    def buckets(self) -> int:
        """How many of a trial's buckets a share takes."""
        return round(self.share * BUCKETS)

    def expression(self) -> str:
        """Return it as a trial's Milvus expression; raises FilterError."""
        parts = [self.where.expression()] if not self.where.is_empty else []
        if self.share < 1.0:
            parts.append(f"bucket < {self.buckets}")
        return " and ".join(parts)

    def mask(self, rows: NDArray[np.int64], facets: Sequence[Any]) -> NDArray[np.bool_]:
        """Return which of the rows (n,) with those facets pass."""
        passing = np.ones(len(rows), dtype=bool)
        if self.share < 1.0:
            passing &= bucket_of(rows) < self.buckets
        if not self.where.is_empty:
            passing &= np.array([self.where.matches(entity) for entity in facets], dtype=bool)
        return passing


def make_plan(
    rows: int,
    dim: int,
    *,
    k: int,
    types: Sequence[str] = (),
    sweeps: Mapping[str, Sequence[int]] | None = None,
    server: ServerInfo | None = None,
) -> list[PlannedIndex]:
    """Return what to measure over ``rows`` vectors of ``dim`` dimensions.

    Without ``types`` these are FLAT, IVF_FLAT, IVF_SQ8 and HNSW. ``sweeps`` are values by
    parameter: of a search parameter to measure all of, of a build parameter (nlist, M …) to build
    an index of each. Raises IndexParameterError for a type or parameter that does not exist, and
    for a sweep that none of the indexes has.
    """
    given = dict(sweeps or {})
    named = [_usual_spec(name, rows, dim) for name in types]
    planned: list[PlannedIndex] = []
    used: set[str] = set()
    for start in named or default_specs(rows, server):
        for spec in _built_ways(start, given, used):
            asked = next((name for name in given if _is_search_sweep(spec, name)), None)
            used |= {asked} if asked else set()
            values = given[asked] if asked else spec.sweep_values(k)
            planned.append(PlannedIndex(spec, _settings(spec, values, k), asked is not None))
    for name in given:
        if name not in used:
            raise IndexParameterError(
                f"None of the indexes to compare has a parameter {name}.",
                f"They are {', '.join(dict.fromkeys(item.spec.index_type for item in planned))}.",
            )
    return planned


def thinned(planned: Sequence[PlannedIndex], settings: int) -> list[PlannedIndex]:
    """Return the plan with at most so many settings an index, spread evenly."""
    return [
        PlannedIndex(item.spec, _spread(item.settings, settings), item.complete) for item in planned
    ]


def spec_of(run: IndexRun) -> IndexSpec:
    """Return the index a run measured."""
    names = {item.name: name for name, item in parameters_of(INDEX_SPECS[run.index_type])}
    return make_index_spec(
        run.index_type,
        {names[key]: _switched(value) for key, value in run.build_params.items() if key in names},
    )


def search_params_of(run: IndexRun) -> SearchParams:
    """Return the search setting a run measured."""
    return SearchParams(**run.search_params)


def _usual_spec(name: str, rows: int, dim: int) -> IndexSpec:
    """Return an index type sized to the vectors."""
    kind = type(make_index_spec(name))
    options: dict[str, int | str | bool | None] = {}
    if "nlist" in (item.name for item in fields(kind)):
        options["nlist"] = usual_nlist(rows)
    if kind is IvfPq:
        options["m"] = max(size for size in range(1, 65) if dim % size == 0)
    return make_index_spec(name, options)


def _built_ways(
    start: IndexSpec, sweeps: Mapping[str, Sequence[int]], used: set[str]
) -> list[IndexSpec]:
    """Return the index built with every combination of the build parameters swept."""
    own: dict[str, tuple[str, Sequence[int]]] = {}
    for name, parameter in parameters_of(start):
        for asked, values in sweeps.items():
            if _names(asked, name, parameter):
                own[name] = (asked, values)
                used.add(asked)
    if not own:
        return [start]
    before = {item.name: getattr(start, item.name) for item in fields(start)}
    return [
        make_index_spec(start.index_type, {**before, **dict(zip(own, chosen, strict=True))})
        for chosen in product(*(values for _, values in own.values()))
    ]


def _is_search_sweep(spec: IndexSpec, asked: str) -> bool:
    return spec.sweep is not None and asked.lower() == spec.sweep.lower()


def _names(asked: str, field: str, parameter: Parameter) -> bool:
    return asked.lower() in (field.lower(), parameter.name.lower())


def _settings(spec: IndexSpec, values: Sequence[int], k: int) -> tuple[SearchParams, ...]:
    """Return a setting for each value the index takes; one of its defaults where it has none.

    A value out of range for this index (nprobe above its nlist) is left out; raises
    IndexParameterError where all of them are.
    """
    if spec.sweep is None:
        return (SearchParams(),)
    settings = []
    refused: IndexParameterError | None = None
    for value in sorted(set(values)):
        try:
            params = SearchParams(**{spec.sweep: value})
            spec.search_params(params, k)
        except IndexParameterError as error:
            refused = error
            continue
        settings.append(params)
    if not settings and refused is not None:
        raise refused
    return tuple(settings) or (SearchParams(),)


def _spread(settings: tuple[SearchParams, ...], count: int) -> tuple[SearchParams, ...]:
    if len(settings) <= count:
        return settings
    chosen = np.linspace(0, len(settings) - 1, count).round().astype(int)
    return tuple(settings[at] for at in dict.fromkeys(chosen.tolist()))


def _switched(value: Any) -> Any:
    return value == "true" if value in ("true", "false") else value
