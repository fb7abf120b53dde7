"""A video stream's timestamps: as milliseconds since the start of the file, without jumps.

Jumps are found without reading all of a file, and with them how long it really is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Protocol, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

from ingest.media.video.container import is_cut_short, is_joined, is_mp4, joined_mp4, open_container

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


_SAMPLES = 64
#: Files up to this size are read whole: samples of them would lie closer than a clip is long.
_SMALL_BYTES = 4 * 1024 * 1024
#: Larger files are not read through before they are decoded.
_LARGE_BYTES = 2 * 1024 * 1024 * 1024
#: Samples follow the order of decoding, or of presentation where a packet lacks the other.
_REORDERED_S = 2.0
_UNEVEN = 4.0
#: A later start does not delay the first frame.
_LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a stream is, where its header cannot be believed.

    ``end`` is in ticks of its continuous timeline; ``jumps`` says that its timestamps do not lead
    to positions.
    """

    end: int
    jumps: bool


def may_jump(container: InputContainer) -> bool:
    """Return whether timestamps in this container are readings of a clock that may be reset."""
    return _has(container, Flags.ts_discont) and not has_no_timestamps(container)


def has_no_timestamps(container: InputContainer) -> bool:
    """Return whether this is a raw stream, whose frames do not say when they are shown."""
    return _has(container, Flags.no_timestamps)


def _has(container: InputContainer, flag: Flags) -> bool:
    bit: int = cast("int", flag.value)
    return bool(container.format.flags & bit)


def true_extent(path: Path, container: InputContainer, stream: VideoStream) -> Extent | None:
    """Return how long a stream is by its packets; None where what the header says is right.

    The container must be at its beginning, and is there afterwards.
    """
    if has_no_timestamps(container):
        return None
    joined = is_joined(path, container)
    samples = may_jump(container) and not _has(container, Flags.no_byte_seek)
    if samples and container.size > _SMALL_BYTES:
        steps = _steps(container, stream)
        rewind(container)
        if None not in steps:
            return None
        if container.size > _LARGE_BYTES:
            return _estimated(container, stream, steps)
    elif not (
        may_jump(container)
        or joined
        or not container.duration
        or _starts_late(container)
        or is_cut_short(path, container)
    ):
        return None
    unread = joined_mp4(path).unread if joined and is_mp4(container) else None
    with closing(open_container(path)) as other:
        timeline = Timeline(stream.time_base, may_jump_ahead=may_jump(container))
        same = other.streams[stream.index]
        with suppress(av.FFmpegError, OSError):  # a damaged file ends where it stops
            for packet in other.demux(same):
                if unread is not None and (packet.pos or 0) >= unread:
                    break
                if packet.size:
                    timeline.place(packet)
    if timeline.end is None:
        return None
    return Extent(timeline.end, joined or bool(timeline.jumps))


def rewind(container: InputContainer) -> None:
    """Go back to the first byte, whatever timestamp is there."""
    with suppress(av.FFmpegError):
        container.seek(0, unsupported_byte_offset=True)


def _starts_late(container: InputContainer) -> bool:
    """Return whether the duration may count from 0, as some headers have it, not from the start."""
    start_us, duration_us = container.start_time or 0, container.duration or 0
    return _LATE_S * av.time_base < start_us < duration_us


def _steps(container: InputContainer, stream: VideoStream) -> list[float | None]:
    """Return the time, in seconds, from each of some evenly spread places to the next.

    None where it goes back, or further ahead than the other steps suggest.
    """
    times = list(_samples_s(container, stream))
    steps = [after - before for before, after in pairwise(times)]
    longest = max(LONGEST_GAP_S, _UNEVEN * median(steps)) if steps else 0.0
    return [step if -_REORDERED_S <= step <= longest else None for step in steps] or [None]


def _samples_s(container: InputContainer, stream: VideoStream) -> Iterator[float]:
    """Yield the timestamps, in seconds, at places that are spread evenly over the file."""
    for number in range(_SAMPLES):
        with suppress(av.FFmpegError, OSError):
            container.seek(container.size * number // _SAMPLES, unsupported_byte_offset=True)
            packet = next(iter(container.demux(stream)), None)
            stamp = None if packet is None else packet.pts if packet.dts is None else packet.dts
            if stamp is not None and stream.time_base is not None:
                yield float(stamp * stream.time_base)
    if container.start_time is not None and container.duration is not None:
        yield (container.start_time + container.duration) / av.time_base


def _estimated(
    container: InputContainer, stream: VideoStream, steps: Sequence[float | None]
) -> Extent | None:
    """Return about how long a stream is, each jump counted as a step like the others."""
    known = [step for step in steps if step is not None]
    if not known or not stream.time_base:
        return None
    length_s = sum(known) + median(known) * (len(steps) - len(known))
    start_s = (container.start_time or 0) / av.time_base
    return Extent(round((start_s + length_s) / stream.time_base), True)
