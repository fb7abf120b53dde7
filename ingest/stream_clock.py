"""A video stream's clock: its time stamps as milliseconds since the start of the file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

#: Ten decimal digits of milliseconds are what a primary key holds.
LAST_PTS_MS = 9_999_999_999
_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Time stamps count in ``time_base`` seconds; the file starts at ``start_us`` microseconds.

    ``rate`` is frames per second, for streams that carry no times.
    """

    time_base: Fraction | None
    start_us: int
    rate: Fraction | None

    def pts_ms(self, pts: int | None) -> int | None:
        """Return a time stamp as milliseconds from the start, None for one that makes no sense."""
        base = self.time_base
        if pts is None or not base:
            return None
        # In whole numbers, for this is asked of every packet; half a millisecond goes to the even.
        whole = base.denominator * 1000
        pts_ms, rest = divmod(
            pts * base.numerator * _US_PER_S - self.start_us * base.denominator, whole
        )
        if 2 * rest > whole or (2 * rest == whole and pts_ms % 2):
            pts_ms += 1
        return max(0, pts_ms) if pts_ms <= LAST_PTS_MS else None

    def end_s(self, stamp: int | None, duration: int | None) -> float | None:
        """Return when a packet with this time stamp ends, in seconds from the start."""
        base = self.time_base
        if stamp is None or not base:
            return None
        ticks = (stamp + (duration or 0)) * base.numerator
        return ticks / base.denominator - self.start_us / _US_PER_S

    def steady_pts(self, number: int) -> int | None:
        """Return the time stamp of the n-th packet if all followed each other at the rate."""
        return round(number / self.rate / self.time_base) if self.rate and self.time_base else None
