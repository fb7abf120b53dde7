"""Hours of the day, as clocks on the wall show them, and the spans of time they are.

Neither the embedded Milvus nor a server compares ``captured_at % 86400000`` with anything, so that
hours are written as one span of epoch milliseconds a day. Days on which clocks change are exact: an
hour that is skipped gives no span, one that comes twice gives two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from search_core.errors import FilterError

MINUTES_A_DAY = 24 * 60
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
#: A server parses this many spans in 0.2 s, the embedded Milvus likewise.
MOST_DAYS = 1100


@dataclass(frozen=True, slots=True)
class Hours:
    """From ``start_minute`` (inclusive) to ``end_minute`` (exclusive) of every day in a zone.

    Minutes count from midnight, 0 to 1440. A start after the end goes on past midnight. ``zone`` is
    a name of the IANA database, such as Europe/Berlin. Raises FilterError.
    """

    start_minute: int
    end_minute: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        for minute in (self.start_minute, self.end_minute):
            if not 0 <= minute <= MINUTES_A_DAY:
                raise FilterError(
                    "A minute of the day is from 0 to 1440, not {minute}.", minute=minute
                )
        if self.start_minute % MINUTES_A_DAY == self.end_minute % MINUTES_A_DAY:
            raise FilterError(
                "Hours that begin and end at the same time leave out nothing, or everything.",
                "Give two different times of the day.",
            )
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise FilterError(
                "{zone!r} is not a time zone.", "Use a name such as Europe/Berlin.", zone=self.zone
            ) from error

    def hold(self, epoch_ms: int) -> bool:
        """Whether the wall clock shows one of these hours at a moment."""
        zone = ZoneInfo(self.zone)
        minute = (epoch_ms + _offset_ms(zone, epoch_ms)) % _DAY_MS // _MINUTE_MS
        if self.start_minute < self.end_minute:
            return self.start_minute <= minute < self.end_minute
        return minute >= self.start_minute or minute < self.end_minute

    def spans(self, after_ms: int, before_ms: int) -> list[tuple[int, int]]:
        """Return the spans (from, until) in epoch milliseconds within a time, in order.

        Raises FilterError when it is longer than MOST_DAYS.
        """
        if before_ms - after_ms > MOST_DAYS * _DAY_MS:
            raise FilterError(
                "Hours of the day can be looked for within {days:,} days at most.",
                "Say from when and until when.",
                days=MOST_DAYS,
            )
        zone = ZoneInfo(self.zone)
        start = self.start_minute * _MINUTE_MS
        end = self.end_minute * _MINUTE_MS
        end += _DAY_MS if end <= start else 0
        found = []
        for begins, ends, offset in _steady(zone, after_ms, before_ms):
            first = (begins + offset) // _DAY_MS - 1  # yesterday's hours may reach into today
            last = (ends + offset) // _DAY_MS
            for day in range(first, last + 1):
                midnight = day * _DAY_MS - offset
                span = max(begins, midnight + start), min(ends, midnight + end)
                if span[0] < span[1]:
                    found.append(span)
        return found


def _steady(zone: ZoneInfo, after_ms: int, before_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield (from, until, offset from UTC) for times in which a zone's clocks do not change."""
    begins = after_ms
    while begins < before_ms:
        offset = _offset_ms(zone, begins)
        ends = begins
        while ends < before_ms:
            later = min(ends + _DAY_MS, before_ms)
            if _offset_ms(zone, later) != offset:
                ends = _change(zone, ends, later, offset)
                break
            ends = later
        yield begins, ends, offset
        begins = ends


def _change(zone: ZoneInfo, before_ms: int, after_ms: int, offset: int) -> int:
    """Return the first millisecond between two whose offset is not ``offset``."""
    while after_ms - before_ms > 1:
        middle = (before_ms + after_ms) // 2
        if _offset_ms(zone, middle) == offset:
            before_ms = middle
        else:
            after_ms = middle
    return after_ms


def _offset_ms(zone: ZoneInfo, epoch_ms: int) -> int:
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(zone)
    return round((moment.utcoffset() or timedelta()) / timedelta(milliseconds=1))
