"""What a parameter of an index may be: its Milvus name, range, unit and what more of it does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
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
