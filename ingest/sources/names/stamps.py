"""Times in names: from the parts that were found to a time, or none where it cannot be.

The parts are found by a recorder's pattern, or by forms of dates and times that may be anywhere in
a file's name, whatever recorder wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from ingest.sources.names.patterns import expand

#: Years outside these are no years of recordings, whatever the digits are.
FIRST_YEAR, LAST_YEAR = 1980, 2099
#: Recordings whose names give a start and an end are no longer than this.
LONGEST = timedelta(days=1)
#: How far a local clock may be from UTC, with room for a clock that is not quite right.
_FURTHEST_ZONE = timedelta(hours=15)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun",
                  "jul", "aug", "sep", "oct", "nov", "dec")  # fmt: skip
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as it is written: ``local`` by a wall clock, or in UTC where ``utc`` is set.

    Where only the day is known, ``local`` is None and ``day`` is set.
    """

    local: datetime | None
    day: date | None
    utc: bool
    duration_ms: int | None = None

    @property
    def moment(self) -> tuple[datetime | date | None, bool]:
        """What tells this time from another."""
        return self.local or self.day, self.utc


def stamp_of(parts: Mapping[str, str | None], *, utc: bool) -> Stamp | None:
    """Return the time that parts make, by directive (``Y``, ``end_H`` …).

    Returns None where they make no time that can be: month 13, 30 February, 25:00, year 1234.
    """
    found = {name: text for name, text in parts.items() if text}
    try:
        return _stamp(found, utc)
    except (ValueError, OverflowError):
        return None


def _stamp(parts: Mapping[str, str], utc: bool) -> Stamp | None:
    day = _day(parts)
    if day is None:
        return _from_epoch(parts)
    start = _time(parts, day)
    if start is None:
        return Stamp(None, day, utc)
    duration_ms = _duration_ms(parts, start)
    if "s" in parts:
        exact = _EPOCH + timedelta(seconds=int(parts["s"]))
        near = abs(exact - start) <= _FURTHEST_ZONE
        return Stamp(exact, None, True, duration_ms) if near else None
    if "z" in parts:
        return Stamp(start - _offset(parts["z"]), None, True, duration_ms)
    return Stamp(start, None, utc, duration_ms)


def _day(parts: Mapping[str, str]) -> date | None:
    if not ("Y" in parts or "y" in parts):
        return None
    year = int(parts["Y"]) if "Y" in parts else 2000 + int(parts["y"])
    month = _MONTHS.index(parts["b"].lower()) + 1 if "b" in parts else int(parts["m"])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(year)
    return date(year, month, int(parts["d"]))


def _time(parts: Mapping[str, str], day: date) -> datetime | None:
    hour = _hour(parts)
    if hour is None or "M" not in parts:
        return None
    micros = int(parts.get("f", "0")[:6].ljust(6, "0"))
    return datetime(
        day.year, day.month, day.day, hour, int(parts["M"]), int(parts.get("S", "0")), micros
    )


def _hour(parts: Mapping[str, str]) -> int | None:
    text = parts.get("H", parts.get("I"))
    if text is None:
        return None
    hour = int(text)
    if "p" not in parts:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if parts["p"][0] in "pP" else 0)


def _duration_ms(parts: Mapping[str, str], start: datetime) -> int | None:
    """Return how long the recording is, by its length or its end; None where neither is given."""
    if "seconds" in parts:
        return int(parts["seconds"]) * 1000 or None
    end_parts = {name[4:]: text for name, text in parts.items() if name.startswith("end_")}
    hour = _hour(end_parts)
    if hour is None:
        return None
    dated = {name: parts[name] for name in ("Y", "y", "m", "b", "d") if name in parts}
    day = _day({**dated, **end_parts}) or start.date()
    # Recorders write the last moment of a day as 24:00:00 or 23:59:60.
    end = datetime(day.year, day.month, day.day) + timedelta(
        hours=hour, minutes=int(end_parts.get("M", "0")), seconds=int(end_parts.get("S", "0"))
    )
    end += timedelta(microseconds=int(end_parts.get("f", "0")[:6].ljust(6, "0")))
    if end <= start and "d" not in end_parts:
        end += timedelta(days=1)
    length = end - start
    return round(length / timedelta(milliseconds=1)) if timedelta() < length <= LONGEST else None


def _from_epoch(parts: Mapping[str, str]) -> Stamp | None:
    if "s" not in parts:
        return None
    moment = _EPOCH + timedelta(seconds=int(parts["s"]))
    return Stamp(moment, None, True) if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta()
    digits = re.sub(r"[^0-9]", "", text)
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


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
