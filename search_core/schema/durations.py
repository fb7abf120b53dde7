"""Durations as people write them: ``30d``, ``12h``, ``90m``, ``45s``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from search_core.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: So that the moment this long ago can be written as a date.
LONGEST = timedelta(days=36_500)
_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Return how long ``text`` says: a whole number and s, m, h, d or w, above 0 to LONGEST.

    Raises UsageError for anything else.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < duration <= LONGEST:
        raise UsageError(
            "{text!r} is not a duration.",
            "Write a number and a unit: 45s, 90m, 12h, 30d or 2w, up to a hundred years.",
            text=text,
        )
    return duration


def format_duration(duration: timedelta) -> str:
    """Return what :func:`parse_duration` reads, in the largest unit that divides it evenly."""
    seconds = round(duration.total_seconds())
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length_s == 0:
            return f"{seconds // length_s}{unit}"
    return f"{seconds}s"


def _validated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}") from None


#: A setting that is a duration.
Duration = Annotated[timedelta, BeforeValidator(_validated)]
