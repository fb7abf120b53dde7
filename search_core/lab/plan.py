"""What a comparison is asked to do and what it measures: indexes, the search settings of each, and
filters; and how it tells of its progress.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.errors import IndexParameterError, UsageError
from search_core.indexes import (
    INDEX_SPECS,
    IndexSpec,
    Parameter,
    SearchParams,
    default_specs,
    make_index_spec,
    parameters_of,
)
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.records import IndexRun
from search_core.messages import Message
from search_core.schema.filters import Filter
from search_core.store.library import NO_FILTER, check_k
from search_core.store.scratch import BUCKETS, FACETS, TRIAL_TIMEOUT_S, bucket_of

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """An index to build, and the settings to search it with, from the fastest to the most thorough.

    ``complete`` is whether all settings are measured; else those after the first that finds
    everything are left out. ``remarks`` say what was asked for and is not measured.
    """

    spec: IndexSpec
    settings: tuple[SearchParams, ...]
    complete: bool = False
    remarks: tuple[str, ...] = ()


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
                "{text} is not a share of rows to filter by.",
                "Give 0.01% to 100%, such as 1%.",
                text=text,
            )
        return cls(f"{float(found[1]):g}%", share=share)

    @property
    def buckets(self) -> int:
        """How many of a trial's buckets a share takes."""
        return round(self.share * BUCKETS)

    @property
    def facets(self) -> tuple[str, ...]:
        """What a trial's rows have to hold for it."""
        return ("bucket",) if self.where.is_empty else FACETS

    def expression(self) -> str:
        """Return it as a trial's Milvus expression; raises FilterError."""
        parts = [] if self.where.is_empty else [self.where.with_regions().expression()]
        if self.share < 1.0:
            parts.append(f"bucket < {self.buckets}")
        return " and ".join(parts)

    def mask(self, rows: NDArray[np.int64], facets: Sequence[Any]) -> NDArray[np.bool_]:
        """Return which of the rows (n,) with those facets pass."""
        passing = np.ones(len(rows), dtype=bool)
        if self.share < 1.0:
            passing &= bucket_of(rows) < self.buckets
        if not self.where.is_empty:
            where = self.where.with_regions()
            passing &= np.array([where.matches(entity) for entity in facets], dtype=bool)
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

    Without ``types`` these are the usual ones that the Milvus offers. ``sweeps`` are values by
    parameter: of search parameters to measure every combination of, of build parameters (nlist,
    M …) to build an index of each. An index is built to refine where refine_k is swept. Raises
    IndexParameterError for a type or parameter that does not exist, a value out of its range, and
    for a sweep that none of the indexes has.
    """
    given = dict(sweeps or {})
    kinds = [type(make_index_spec(name)) for name in types]
    named = [kind.sized(rows, dim) for kind in kinds]
    planned: list[PlannedIndex] = []
    used: set[str] = set()
    for start in named or default_specs(rows, dim, server):
        for spec in _built_ways(start, given, used):
            asked = {
                field: (name, given[name])
                for field, parameter in parameters_of(SearchParams)
                for name in given
                if _names(name, field, parameter) and _takes(spec, field)
            }
            used |= {name for name, _ in asked.values()}
            planned.append(_planned(spec, {field: at for field, (_, at) in asked.items()}, k))
    for name in given:
        if name not in used:
            raise IndexParameterError(
                "None of the indexes to compare has a parameter {name}.",
                "They are {known}.",
                name=name,
                known=", ".join(dict.fromkeys(item.spec.index_type for item in planned)),
            )
    return planned


def thinned(planned: Sequence[PlannedIndex], settings: int) -> list[PlannedIndex]:
    """Return the plan with at most so many settings an index, spread evenly."""
    return [replace(item, settings=_spread(item.settings, settings)) for item in planned]


def spec_of(run: IndexRun) -> IndexSpec:
    """Return the index a run measured."""
    names = {item.name: name for name, item in parameters_of(INDEX_SPECS[run.index_type])}
    return make_index_spec(
        run.index_type,
        {
            names[key]: value == "true" if value in ("true", "false") else value
            for key, value in run.build_params.items()
            if key in names
        },
    )


def search_params_of(run: IndexRun) -> SearchParams:
    """Return the search setting a run measured."""
    return SearchParams(**run.search_params)


def _built_ways(
    start: IndexSpec, sweeps: Mapping[str, Sequence[int]], used: set[str]
) -> list[IndexSpec]:
    """Return the index built with every combination of the build parameters swept."""
    if any(name.lower() == "refine_k" for name in sweeps) and hasattr(start, "refine"):
        start = make_index_spec(
            start.index_type,
            {**{item.name: getattr(start, item.name) for item in fields(start)}, "refine": True},
        )
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


def _takes(spec: IndexSpec, field: str) -> bool:
    """Return whether an index is searched with a parameter."""
    try:
        return field in spec.search_params(SearchParams(**{field: 1}), 1)
    except IndexParameterError:
        return False


def _names(asked: str, field: str, parameter: Parameter) -> bool:
    return asked.lower() in (field.lower(), parameter.name.lower())


def _planned(spec: IndexSpec, asked: Mapping[str, Sequence[int]], k: int) -> PlannedIndex:
    """Return an index with a setting for each combination of ``asked``, else its usual ones."""
    if asked:
        settings, remarks = _settings(spec, asked, k)
        return PlannedIndex(spec, settings, complete=True, remarks=remarks)
    if spec.sweep is None:
        return PlannedIndex(spec, (SearchParams(),))
    settings, _ = _settings(spec, {spec.sweep: spec.sweep_values(k)}, k)
    return PlannedIndex(spec, settings or (SearchParams(),))


def _settings(
    spec: IndexSpec, asked: Mapping[str, Sequence[int]], k: int
) -> tuple[tuple[SearchParams, ...], tuple[str, ...]]:
    """Return a setting for each combination the index takes, and remarks on those it does not.

    What this index or this k has no use for (nprobe above its nlist, ef below k) is left out;
    raises IndexParameterError where all are, and for a value out of the range of its parameter.
    """
    settings: list[SearchParams] = []
    remarks: dict[str, None] = {}
    refused: IndexParameterError | None = None
    for chosen in product(*(sorted(set(values)) for values in asked.values())):
        params = SearchParams(**dict(zip(asked, chosen, strict=True)))
        try:
            spec.search_params(params, k)
        except IndexParameterError as error:
            refused = error
            remark = Message(
                "{index}: {reason} Not measured.", index=spec.index_type, reason=error.message
            )
            remarks[remark] = None
            continue
        settings.append(params)
    if not settings and refused is not None:
        raise refused
    return tuple(settings), tuple(remarks)


def _spread(settings: tuple[SearchParams, ...], count: int) -> tuple[SearchParams, ...]:
    if len(settings) <= count:
        return settings
    chosen = np.linspace(0, len(settings) - 1, count).round().astype(int)
    return tuple(settings[at] for at in dict.fromkeys(chosen.tolist()))


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How much of what is measured.

    ``max_rows`` bounds how many vectors are copied (None: all of the library's); ``queries`` of
    each kind are asked for ``k`` neighbours, and timed ``repeats`` times (2 or more). ``types`` and
    ``sweeps`` choose indexes and settings (see plan.make_plan), ``settings`` bounds the settings of
    an index. ``nq`` are queries a request, ``concurrency`` clients at once, both besides one query
    at a time. ``time_limit_s``, above 0, ends an index that does not get built.
    """

    k: int = 10
    queries: int = 100
    max_rows: int | None = 20_000
    repeats: int = 5
    seed: int = 0
    types: tuple[str, ...] = ()
    sweeps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    settings: int | None = None
    filters: tuple[FilterCase, ...] = ()
    nq: tuple[int, ...] = (1,)
    concurrency: tuple[int, ...] = ()
    target_recall: float = 0.95
    time_limit_s: float = TRIAL_TIMEOUT_S

    def __post_init__(self) -> None:
        check_k(self.k)
        for name, value, least in (
            ("queries", self.queries, 1),
            ("repeats", self.repeats, 2),
            ("the queries a request", min(self.nq, default=1), 1),
            ("the clients at once", min(self.concurrency, default=1), 1),
        ):
            if value < least:
                raise UsageError(
                    "{name} must be {least} or more, not {value}.",
                    name=name,
                    least=least,
                    value=value,
                )
        if not self.time_limit_s > 0:
            raise UsageError(
                "The time limit must be above 0 seconds, not {seconds:g}.",
                "Give the seconds an index may take to build, such as 600.",
                seconds=self.time_limit_s,
            )
        if not 0 < self.target_recall <= 1:
            raise UsageError(
                "The target recall must be above 0 and at most 1, not {target_recall}.",
                "It is a share: 0.95 is 95 of 100 true neighbours.",
                target_recall=self.target_recall,
            )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, filters by their labels."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["sweeps"] = {name: list(swept) for name, swept in self.sweeps.items()}
        values["filters"] = [case.label for case in self.filters]
        lists = {name: list(v) for name, v in values.items() if isinstance(v, tuple)}
        return values | lists


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done, and how much of it: ``done`` of ``total``, 0 where unknown."""

    doing: str
    done: int
    total: int
