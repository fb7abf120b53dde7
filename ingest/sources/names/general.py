"""Dates and times anywhere in a file's name, whatever recorder wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ingest.sources.names.patterns import expand
from ingest.sources.names.stamps import Stamp, stamp_of

_DATE = r"%Y(?P<sep>[-_.])%m(?P=sep)%d"
_DAY_FIRST = r"%-d(?P<sep>[-_.])%-m(?P=sep)%Y"
_MONTH_FIRST = r"%-m(?P<sep>[-_.])%-d(?P=sep)%Y"
_BETWEEN = r"(?:[ _T-]|, ?| at | - )"
_TIME = r"%H(?P<colon>[-_.:h])%M(?:(?P=colon)|m)%Ss?"
_TIME_12H = r"%-I[-_.:]%M[-_.:]%S\s?%p"

#: Forms of a time, the most telling first. Where one has two readings, both are given.
_FORMS: Final[tuple[tuple[str, ...], ...]] = (
    (rf"{_DATE}{_BETWEEN}{_TIME_12H}",),
    (rf"{_DAY_FIRST}{_BETWEEN}{_TIME_12H}", rf"{_MONTH_FIRST}{_BETWEEN}{_TIME_12H}"),
    (rf"{_DATE}{_BETWEEN}{_TIME}(?:[.,_-]%f)?%z",),
    (rf"{_DATE}{_BETWEEN}{_TIME}(?:[.,]%f)?",),
    (rf"{_DATE}{_BETWEEN}%H%M%S",),
    (rf"{_DAY_FIRST}{_BETWEEN}{_TIME}", rf"{_MONTH_FIRST}{_BETWEEN}{_TIME}"),
    (r"%Y%m%d[ _T-]%H(?P<colon>[-_.])%M(?P=colon)%S",),
    (r"%Y%m%d[ _T.-]?%H%M%S(?:(?P<ms>[0-9]{3})|\.%f)?%z",),
    (r"%Y%m%d[ _T.-]?%H%M%S(?:(?P<ms>[0-9]{3})|\.%f)?",),
    (_DATE,),
)
_EXPRESSIONS: Final = tuple(
    tuple(
        re.compile(rf"(?<![0-9])(?:{expand(form)})(?![0-9A-Za-z])", re.IGNORECASE) for form in forms
    )
    for forms in _FORMS
)


@dataclass(frozen=True, slots=True)
class Found:
    """A time in a name, from ``start`` to ``end``; several ``stamps`` where it can be read so."""

    start: int
    end: int
    stamps: tuple[Stamp, ...]


def stamps_in(name: str) -> list[Found]:
    """Return the times in a name in their order; digits that make no time are left out."""
    taken: list[tuple[int, int]] = []
    found: list[Found] = []
    for expressions in _EXPRESSIONS:
        for start, end in _spans(name, expressions):
            if any(start < other_end and end > other_start for other_start, other_end in taken):
                continue
            taken.append((start, end))  # of an impossible time no part is read either
            stamps = tuple(_readings(name[start:end], expressions))
            if stamps:
                found.append(Found(start, end, stamps))
    return sorted(found, key=lambda item: item.start)


def _spans(name: str, expressions: tuple[re.Pattern[str], ...]) -> Iterator[tuple[int, int]]:
    for expression in expressions:
        yield from (match.span() for match in expression.finditer(name))


def _readings(text: str, expressions: tuple[re.Pattern[str], ...]) -> Iterator[Stamp]:
    seen: set[object] = set()
    for expression in expressions:
        match = expression.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        stamp = stamp_of({**parts, "f": parts.get("f") or parts.get("ms")}, utc=False)
        if stamp is not None and stamp.moment not in seen:
            seen.add(stamp.moment)
            yield stamp
