"""When a recording began by the clock that a recorder burned into its frames.

A clock shows whole seconds or minutes, and some of its digits are misread: what most frames agree
on counts, and each frame's place in the recording is known. Dates stand in the order of the country
the recorder was made for. Which of two numbers is the day is known where one is above 12, where the
weekday is shown as well, or where the frames go on past midnight; else both readings are returned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from ingest.media.capture_time.metadata import is_believable
from search_core.schema.lettering import Line

if TYPE_CHECKING:  # a reading process does without pydantic
    from search_core.schema.clocks import Clock

#: Blanks between parts are often not read: 2026-03-0108:15:00.
_YEAR_FIRST = re.compile(
    r"((?:19|20)\d\d)\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{2}(?!\d:)|\d(?!\d))\s?日?"
)
_YEAR_LAST = re.compile(r"(\d{1,2})\s?[-/.]\s?(\d{1,2})\s?[-/.]\s?((?:19|20)\d\d)")
_TIME = re.compile(
    r"(?<![+])(?<![+]\d)(\d{1,2})\s?:\s?(\d{2})(?:\s?[:.]\s?(\d{2}))?(?:\s?([AP])\.?M(?![A-Z]))?",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(
    r"(?:星期|周|週)([一二三四五六日天])|(?<![a-z])(mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day)?(?![a-z])",
    re.IGNORECASE,
)
_ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHINESE = "一二三四五六日"
#: Beside what a clock does not show, so much may lie between a frame and the time burned into it.
_SLACK_MS = 1_000


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a frame's clock shows: what its date can be, day before month and month before day."""

    pts_ms: int
    dates: tuple[date | None, date | None]
    hour: int
    minute: int
    second: int | None

    def moment(self, order: int) -> datetime | None:
        """Return the moment with the date in one of the two orders, None where none is that."""
        day = self.dates[order]
        if day is None:
            return None
        moment = datetime(day.year, day.month, day.day, self.hour, self.minute, self.second or 0)
        return moment if is_believable(moment) else None


def overlay_starts(frames: Iterable[tuple[int, Sequence[Line]]], clock: Clock) -> tuple[int, ...]:
    """Return when a recording began (epoch ms) by its frames: (pts_ms, lines) each.

    Lines that no recorder burned in are passed over. Empty where there is no clock, or most frames
    do not agree on the beginning, as those of a time lapse; two moments where day and month could
    be exchanged. ``clock`` says the zone, and what to add.
    """
    shown = [found for pts_ms, lines in frames if (found := _shown(pts_ms, lines)) is not None]
    agreed = [_agreed(shown, order, clock) for order in (0, 1)]
    most = max(count for count, _ in agreed)
    if most * 2 <= len(shown):
        return ()
    return tuple(dict.fromkeys(start_ms for count, start_ms in agreed if count == most))


def _agreed(shown: Sequence[_Shown], order: int, clock: Clock) -> tuple[int, int]:
    """Return how many frames agree on when a recording began, and that, dates in one order."""
    starts = sorted(
        clock.epoch_ms(moment) + clock.offset_ms - item.pts_ms
        for item in shown
        if (moment := item.moment(order)) is not None
    )
    hidden_ms = 60_000 if any(item.second is None for item in shown) else 1_000
    best = (0, 0)
    first = 0
    for last, start_ms in enumerate(starts):
        while starts[first] < start_ms - hidden_ms - _SLACK_MS:
            first += 1
        # The latest is the closest: a clock is behind by what it does not show.
        best = max(best, (last - first + 1, start_ms))
    return best


def _shown(pts_ms: int, lines: Iterable[Line]) -> _Shown | None:
    """Return what the burned-in lines of a frame show: a date and a time, in one line or two."""
    days: list[tuple[date | None, date | None]] = []
    times: list[tuple[int, int, int | None]] = []
    for line in lines:
        if line.is_overlay:
            text = unicodedata.normalize("NFKC", line.text)
            dates, rest = _dates(text)
            days += [] if dates is None else [dates]
            times += _times(rest)
    if len(days) != 1 or len(times) != 1:
        return None
    return _Shown(pts_ms, days[0], *times[0])


def _dates(text: str) -> tuple[tuple[date | None, date | None] | None, str]:
    """Return the dates that a text can name, and the text without them."""
    weekday = _weekday(text)
    if found := _YEAR_FIRST.search(text):
        year, month, day = map(int, found.groups())
        orders = ((year, month, day), (year, month, day))
    elif found := _YEAR_LAST.search(text):
        one, other, year = map(int, found.groups())
        orders = ((year, other, one), (year, one, other))
    else:
        return None, text
    first, second = (_date(*order, weekday) for order in orders)
    return (first, second), f"{text[: found.start()]} {text[found.end() :]}"


def _date(year: int, month: int, day: int, weekday: int | None) -> date | None:
    try:
        named = date(year, month, day)
    except ValueError:
        return None
    return named if weekday in (None, named.weekday()) else None


def _weekday(text: str) -> int | None:
    """Return the weekday a text names, Monday as 0."""
    found = _WEEKDAY.search(text)
    if found is None:
        return None
    chinese, english = found.groups()
    return (
        _CHINESE.index(chinese.replace("天", "日")) if chinese else _ENGLISH.index(english.lower())
    )


def _times(text: str) -> Iterator[tuple[int, int, int | None]]:
    """Yield the times of day in a text: hour, minute, and second where it is shown."""
    for found in _TIME.finditer(text):
        hour, minute = int(found[1]), int(found[2])
        second = None if found[3] is None else int(found[3])
        if found[4]:
            hour = hour % 12 + 12 * (found[4].lower() == "p") if 1 <= hour <= 12 else 24
        if hour < 24 and minute < 60 and (second or 0) < 60:
            yield hour, minute, second
