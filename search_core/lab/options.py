"""What a comparison is asked to do, and how it tells of its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from search_core.errors import UsageError
from search_core.lab.plan import FilterCase
from search_core.store.library import check_k
from search_core.store.scratch import TRIAL_TIMEOUT_S


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
