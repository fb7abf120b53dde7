"""Times of day as English sentences write them: "3 pm", "15:30", "between 8 and 9", "noon".

An hour from 1 to 6 without "am", "pm" or a leading zero may be either: it is vague, and not read by
itself. Other hours are those of a clock of 24, as the interface shows them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from search_core.search.query_text.calendar import AROUND, AT, DAY, HOUR, PARTS, Clock

_HOURS = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_TIME = (
    r"(?:(?P<named>noon|midday|midnight)"
    r"|(?P<hour>\d{1,2}|" + "|".join(_HOURS) + r")(?:(?P<sep>[:.])(?P<minute>\d\d)(?!\d))?"
    r"(?:\s*(?P<suffix>[ap]\.?m\b\.?|(?:o.?clock)))?"
    r"(?:\s+(?P<half>in\s+the\s+(?:morning|afternoon|evening)|at\s+night))?)"
)
PART = (
    r"(?P<part>(?:(?:early|late)\s+)?(?:morning|afternoon|evening)|(?:late\s+)?night"
    r"|noon|midday)"
)
UNTIL = r"(?:until|till|up\s+to)"
TO = rf"(?:to|-|–|—|through|{UNTIL})"


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day as it is written: ``is_vague`` where it may be before or after noon."""

    minute: int
    alone: bool
    is_vague: bool = False
    suffix: str = ""


class TimesOfDay:
    """Reads the times of day of one text; each method returns what it reads and where that ends."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _match(self, pattern: str, at: int) -> re.Match[str] | None:
        """Match whole words of a pattern at a place, blanks before it left out."""
        regex = _compiled(pattern)
        return regex.match(self._text, at)

    def _time(self, at: int) -> tuple[Time, int] | None:
        match = self._match(_TIME, at)
        if match is None:
            return None
        if match["named"]:
            minute = 0 if match["named"].lower() == "midnight" else 12 * HOUR
            return Time(minute, True, suffix="named"), match.end()
        time = _written_time(match)
        return None if time is None else (time, match.end())

    def _clock(self, at: int) -> tuple[Clock, int] | None:
        """Read "between 8 and 9", "8 to 9 am", "around 3 pm", "at 15:30"."""
        for begin, then in (("between", "and"), ("from", TO), ("", TO)):
            found = self._clock_range(at, begin, then)
            if found is not None:
                return found
        match = self._match(r"(?:(?P<at>at)|about|around|near|approx(?:imately)?|roughly)", at)
        if match is None:
            return None
        about = self._match("(?:about|around|approximately|roughly)", match.end())
        written = self._time(about.end() if about else match.end())
        if written is None or written[0].is_vague:
            return None
        time, end = written
        reach = AT if match["at"] and about is None else AROUND
        return Clock(time.minute - reach, time.minute + reach, time.alone), end

    def _clock_range(self, at: int, begin: str, then: str) -> tuple[Clock, int] | None:
        opened = self._match(begin, at) if begin else None
        if begin and opened is None:
            return None
        first = self._time(opened.end() if opened else at)
        joint = self._match_loosely(then, first[1]) if first else None
        second = self._time(joint) if joint else None
        if first is None or second is None:
            return None
        clock = _between(first[0], second[0])
        return None if clock is None else (clock, second[1])

    def _match_loosely(self, pattern: str, at: int) -> int | None:
        """Return where a word, or a dash, ends."""
        match = re.compile(rf"\s*(?:{pattern})\s*", re.IGNORECASE).match(self._text, at)
        return match.end() if match else None

    def _part(self, at: int) -> tuple[Clock, int] | None:
        match = self._match(rf"(?:,\s*)?(?:(?:in|during)\s+the\s+|at\s+)?{PART}", at)
        return None if match is None else (part_named(match["part"]), match.end())


_COMPILED: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern that matches whole words, blanks before it left out."""
    if pattern not in _COMPILED:
        _COMPILED[pattern] = re.compile(rf"\s*(?:{pattern})(?![\w'’])(?!-[^\W\d])", re.IGNORECASE)
    return _COMPILED[pattern]


def part_named(written: str) -> Clock:
    """Return a part of the day by its name."""
    name = re.sub(r"\s+", " ", written.lower())
    return PARTS[{"midday": "noon", "late night": "night"}.get(name, name)]


def _written_time(match: re.Match[str]) -> Time | None:
    """Return a time in digits or words, None for what is none."""
    written = match["hour"].lower()
    hour = int(written) if written.isdigit() else _HOURS.index(written) + 1
    minute = int(match["minute"] or 0)
    suffix = re.sub(r"\W", "", (match["suffix"] or "").lower())
    half = (match["half"] or "").lower()
    if half:
        suffix = "am" if "morning" in half or ("night" in half and hour < 6) else "pm"
    if (match["sep"] == "." and not suffix) or minute > 59:
        return None
    if suffix in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if suffix == "pm" else 0)
        return Time(hour * HOUR + minute, True, suffix=suffix)
    is_clock = match["sep"] == ":" or suffix != ""
    if hour > 24 or (hour == 24 and minute) or (not written.isdigit() and not suffix):
        return Time(hour * HOUR, False, hour <= 6) if hour <= 12 else None
    is_vague = 1 <= hour <= 6 and not written.startswith("0")
    is_sure = hour > 12 or written.startswith("0")
    return Time(hour * HOUR + minute, is_clock, is_vague, "24" if is_sure else "")


def _between(first: Time, second: Time) -> Clock | None:
    """Return the span of two times, each read as the other says; None where that stays open."""
    halves = ("am", "pm")
    if second.suffix in halves and first.suffix == "":
        first = _in_half(first, second)
    elif first.suffix in halves and second.suffix == "":
        second = _in_half(second, first, is_later=True)
    elif "24" in (first.suffix, second.suffix):
        first, second = replace(first, is_vague=False), replace(second, is_vague=False)
    if first.is_vague or second.is_vague or first.minute % DAY == second.minute % DAY:
        return None
    end = second.minute + (DAY if second.minute <= first.minute else 0)
    return Clock(first.minute, end, first.alone or second.alone)


def within(time: Time, part: Clock) -> int | None:
    """Return the minute of a time as a part of the day has it, None for one that is not in it.

    Mornings begin at midnight here: "at 2 this morning".
    """
    first = 0 if part.start < 12 * HOUR else part.start
    halves = [time.minute] if time.suffix else [time.minute + half * 12 * HOUR for half in range(3)]
    return next((one for one in halves if first <= one < part.end), None)


def _in_half(time: Time, other: Time, *, is_later: bool = False) -> Time:
    """Return a time without "am" or "pm" in the same half of the day as the other, or else in the
    other half; it is before the other, or ``is_later``."""
    if time.minute >= 13 * HOUR:
        return time
    base = time.minute % (12 * HOUR)
    same = base + (12 * HOUR if other.suffix == "pm" else 0)
    is_right = same > other.minute if is_later else same < other.minute
    minute = same if is_right else (same + 12 * HOUR) % DAY
    return replace(time, minute=minute, is_vague=False, alone=True)
