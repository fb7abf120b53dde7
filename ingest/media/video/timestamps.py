"""A video stream's timestamps: as milliseconds since the start of the file, without jumps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

#: Ten decimal digits of milliseconds are what a primary key holds.
LAST_PTS_MS = 9_999_999_999
_US_PER_S = 1_000_000

#: Decoding timestamps never go back within a recording; this much is a jitter of the recorder.
_JITTER_S = Fraction(1, 10)
#: A longer step forward is a jump of the clock, where the container allows such jumps; a shorter
#: one is a gap in the recording, and the times after it are right as they are.
LONGEST_GAP_S = 600


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Timestamps count in ``time_base`` seconds; the file starts at ``start_us`` microseconds.

    ``rate`` is frames per second, for streams that carry no times.
    """

    time_base: Fraction | None
    start_us: int
    rate: Fraction | None

    def pts_ms(self, pts: int | None) -> int | None:
        """Return a timestamp as milliseconds from the start, None for one that makes no sense."""
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
        """Return when a packet with this timestamp ends, in seconds from the start.

        None for a timestamp that makes no sense.
        """
        base = self.time_base
        if stamp is None or not base:
            return None
        ticks = (stamp + (duration or 0)) * base.numerator
        end_s = ticks / base.denominator - self.start_us / _US_PER_S
        return end_s if end_s * 1000 <= LAST_PTS_MS else None

    def steady_pts(self, number: int) -> int | None:
        """Return the timestamp of the n-th packet if all followed each other at the rate."""
        return round(number / self.rate / self.time_base) if self.rate and self.time_base else None


class TimedPacket(Protocol):
    """A packet's timestamps, in ticks of its stream's time base."""

    pts: int | None
    dts: int | None

    @property
    def duration(self) -> int | None:
        """How long its frame is shown."""
        ...


class Timeline:
    """Makes the timestamps of one stream's packets, in decoding order, go on where they jump.

    Recordings that were joined byte by byte, and cameras whose clock starts again, repeat
    timestamps or jump by hours. After such a discontinuity the packets go on from the end of what
    came before. ``may_jump_ahead`` says that in this container a long step forward is one too;
    in the others it is how long a frame is shown. Only ``time_base`` (seconds) is needed of it.
    """

    def __init__(self, time_base: Fraction | None, *, may_jump_ahead: bool) -> None:
        base = time_base or Fraction(1)
        self._back = -round(_JITTER_S / base)
        self._ahead = round(LONGEST_GAP_S / base) if may_jump_ahead else None
        self._last: int | None = None
        self._step = 1
        self._shift = 0
        #: Where the packets so far end, in ticks of the continuous timeline.
        self.end: int | None = None
        #: Where the timestamps jumped, in the same ticks.
        self.jumps: list[int] = []

    def place(self, packet: TimedPacket) -> None:
        """Rewrite the timestamps of the stream's next packet where an earlier one jumped."""
        pts, dts = packet.pts, packet.dts
        if dts is not None:
            if self._last is not None and dts != self._last:
                step = dts - self._last
                if step < self._back or (self._ahead is not None and step > self._ahead):
                    self._carry_on(dts if pts is None else pts)
                elif step > 0:
                    self._step = step
            self._last = dts
        if self._shift:
            packet.pts = None if pts is None else pts + self._shift
            packet.dts = None if dts is None else dts + self._shift
        shown = dts if pts is None else pts
        if shown is not None:
            end = shown + self._shift + (packet.duration or self._step)
            self.end = end if self.end is None else max(self.end, end)

    def _carry_on(self, stamp: int) -> None:
        """Let a packet with this timestamp begin where the packets so far end."""
        if self.end is not None:
            self._shift = self.end - stamp
            self.jumps.append(self.end)
