"""What of a fixed camera's footage is worth decoding, by the sizes of its coded frames.

Which codec keyframes are; which moments between them are to be looked at, and how deep to decode
for those.

An encoder spends bytes on what the frames before do not foretell. When nothing moves, a coded frame
costs what the sensor's noise costs, which depends on its place between two keyframes; what moves
comes on top. So sizes are compared with those at the same place in stretches in which decoded
pictures showed that nothing moved.

They are believed as far as that can be seen. At a constant bit rate, or where noise costs much, a
small thing makes no difference; then every keyframe has to be looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.media.base import SeenFrame, SmallPicture
from ingest.media.keyframes.analysis.background import changed_blocks
from ingest.media.video.gop import Stretch

BIN_MS = 500
_BINS = 24
#: How much of a stretch, in bins, is near one of the keyframes that it lies between.
_END_BINS = 2
#: Quiet stretches needed for a first opinion, and those that are remembered.
_LEAST_QUIET, _MOST_QUIET = 4, 40
#: A walker that covers 1 % of a 1080p picture and uncovers the scene behind it costs some 0.25 % of
#: a keyframe's bytes in every coded frame (measured with libx264 at CRF 28). Where the noise, four
#: standard deviations of it, hides as much, sizes tell nothing.
_VISIBLE_SHARE = 0.0025
#: A rate control that fills its bit rate spends on noise what movement leaves over.
_MOST_QUIET_SHARE = 0.05
_SIGMAS = 4.0
#: Less than this share of a keyframe more is nothing, however steady the sizes were.
_LEAST_SHARE = 0.0005
_MAD_TO_SIGMA = 1.4826


class Sizes:
    """What a stretch's coded frames cost: ``key_bytes`` the keyframe, shown at ``start_ms``."""

    def __init__(self, start_ms: int, stretch: Stretch[Any]) -> None:
        self.start_ms = start_ms
        self.key_bytes = stretch.sizes[0]
        self._times_ms = stretch.times_ms[1:]
        self._sizes = stretch.sizes[1:]

    @cached_property
    def bins(self) -> NDArray[np.float64]:
        """The mean bytes of the other frames per BIN_MS (bins,); NaN where there is none.

        Made when it is asked for: footage in which something moves all the time needs none.
        """
        last = len(self._times_ms) - 1
        places = [
            0 if time is None else max(0, min((time - self.start_ms) // BIN_MS, last))
            for time in self._times_ms
        ]
        frames = [0] * (max(places, default=-1) + 1)
        in_all = [0] * len(frames)
        for place, size in zip(places, self._sizes, strict=True):
            frames[place] += 1
            in_all[place] += size
        counted = zip(in_all, frames, strict=True)
        return np.array([total / count if count else np.nan for total, count in counted])


def sizes_of(stretch: Stretch[Any]) -> Sizes | None:
    """Return the sizes of a stretch that begins with a keyframe and says when."""
    return None if stretch.key_ms is None else Sizes(stretch.key_ms, stretch)


class Movement(NamedTuple):
    """Whether something moves at a stretch's beginning and at its end, a second of each."""

    first: bool
    last: bool


class PacketActivity:
    """Tells of one video's stretches, from their packets' sizes, whether anything moves in them."""

    def __init__(self) -> None:
        self._quiet: deque[NDArray[np.float64]] = deque(maxlen=_MOST_QUIET)
        self._key_bytes: deque[int] = deque(maxlen=_MOST_QUIET)
        self._profile: NDArray[np.float64] = np.zeros(0)
        self._least_mean = self._least_bin = self._least_end = float("inf")
        #: Whether the sizes of this video can show that something small moves.
        self.trusted = False

    def moves(self, sizes: Sizes) -> Movement:
        """Tell whether something moves, as far as the sizes can be trusted."""
        excess = self._excess(sizes)
        if not len(excess):
            return Movement(False, False)
        first, last = self._ends_move(excess)
        anywhere = np.nanmean(excess) > self._least_mean or np.nanmax(excess) > self._least_bin
        # What is too faint to tell where it is may be at either end.
        unclear = bool(anywhere) and not first and not last
        return Movement(first or unclear, last or unclear)

    def _ends_move(self, excess: NDArray[np.float64]) -> tuple[bool, bool]:
        ends = np.nan_to_num(excess[:_END_BINS]), np.nan_to_num(excess[-_END_BINS:])
        return bool(ends[0].mean() > self._least_end), bool(ends[1].mean() > self._least_end)

    def peaks_within(self, sizes: Sizes) -> list[int]:
        """Return when what begins and ends within the stretch moves most, in milliseconds.

        What still moves at its end is shown by the next keyframe, and what moves from its beginning
        by its own.
        """
        excess = np.nan_to_num(self._excess(sizes))
        moving = np.concatenate(([False], excess > self._least_bin, [False]))
        edges = np.flatnonzero(np.diff(moving.astype(np.int8))).reshape(-1, 2)
        runs = [(int(a), int(b)) for a, b in edges if a > 0 and b < len(excess)]
        tops = [first + int(np.argmax(excess[first:end])) for first, end in runs]
        return [sizes.start_ms + top * BIN_MS + BIN_MS // 2 for top in tops]

    def learn_quiet(self, sizes: Sizes) -> None:
        """Take note of a stretch in which nothing moved."""
        if not np.isfinite(sizes.bins).any():
            return
        row = np.full(_BINS, np.nan)
        row[: len(sizes.bins)] = sizes.bins[:_BINS]
        self._quiet.append(row)
        self._key_bytes.append(sizes.key_bytes)
        if len(self._quiet) >= _LEAST_QUIET:
            self._draw_conclusions()

    def _draw_conclusions(self) -> None:
        rows = np.stack(self._quiet)
        # The last place that stretches of different length all have is the last that is known.
        rows = rows[:, np.isfinite(rows).sum(axis=0) >= _LEAST_QUIET]
        if not rows.shape[1]:
            return
        self._profile = np.nanmedian(rows, axis=0)
        beyond = rows - self._profile
        key_bytes = float(np.median(self._key_bytes))
        floor = _LEAST_SHARE * key_bytes
        self._least_mean = max(_SIGMAS * _sigma(np.nanmean(beyond, axis=1)), floor)
        self._least_end = max(_SIGMAS * _sigma(np.nanmean(beyond[:, :_END_BINS], axis=1)), floor)
        self._least_bin = max((_SIGMAS + 1) * _sigma(beyond[np.isfinite(beyond)]), 2 * floor)
        self.trusted = bool(
            self._least_mean <= _VISIBLE_SHARE * key_bytes
            and np.mean(self._profile) <= _MOST_QUIET_SHARE * key_bytes
        )

    def _excess(self, sizes: Sizes) -> NDArray[np.float64]:
        """Return the bytes above the quiet level (bins,), whose last value goes on to the end."""
        if not len(self._profile) or not np.isfinite(sizes.bins).any():
            return np.zeros(0)
        level = np.full(len(sizes.bins), self._profile[-1])
        level[: len(self._profile)] = self._profile[: len(level)]
        return np.asarray(sizes.bins - level)


def _sigma(values: NDArray[np.float64]) -> float:
    """Return the standard deviation as the median absolute deviation tells it."""
    return float(_MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


class Moments:
    """The moments of one video that are wanted beside its codec keyframes, in order of time."""

    def __init__(self) -> None:
        self._wanted_ms: list[int] = []
        self._step_ms = 0
        self._steps_until_ms = -1
        self._served_ms: int | None = None

    def add(self, moments_ms: Iterable[int]) -> None:
        """Want the first frame at or after each of these moments."""
        self._wanted_ms.extend(moments_ms)

    def every(self, step_ms: int, stretch: Stretch[Any]) -> int:
        """Want a frame of this stretch every ``step_ms``; return how deep to decode: all of it."""
        known = [time for time in stretch.times_ms if time is not None]
        self._step_ms = step_ms
        # Where packets carry no times, the frames' own decide.
        self._steps_until_ms = max(known) if len(known) == len(stretch) else 1 << 62
        return len(stretch)

    def depth(self, stretch: Stretch[Any]) -> int:
        """Return how many packets have to be decoded for the moments within the stretch."""
        depth = 0
        for wanted_ms in self._wanted_ms:
            later = [
                (time, index)
                for index, time in enumerate(stretch.times_ms)
                if time is not None and time >= wanted_ms
            ]
            if later:
                depth = max(depth, min(later)[1] + 1)
        return depth

    def serves(self, frame: SeenFrame) -> bool:
        """Whether a decoded frame is one that is wanted; codec keyframes always are."""
        pts_ms = frame.pts_ms
        wanted = frame.is_keyframe
        if self._wanted_ms and pts_ms >= self._wanted_ms[0]:
            self._wanted_ms = [moment for moment in self._wanted_ms if moment > pts_ms]
            wanted = True
        if pts_ms <= self._steps_until_ms:
            waited_ms = None if self._served_ms is None else pts_ms - self._served_ms
            wanted = wanted or waited_ms is None or not 0 <= waited_ms < self._step_ms
        if wanted:
            self._served_ms = pts_ms
        return wanted


#: All-intra footage has a keyframe in every frame; five a second are plenty.
MIN_SPACING_MS = 200
#: Sizes that missed a change are not believed for this many stretches, the next time for four
#: times as many, and so on.
_DOUBT = 16
_MOST_WAITING = 4096


class Lookout:
    """Looks at every keyframe until sizes and pictures agree that nothing moves, then less often.

    A keyframe is looked at when the sizes say that something moves before or after it, or when none
    was for a while. That while doubles with every look that finds nothing, up to ``longest_ms``. A
    look that finds what the sizes did not tell starts all over, with less belief in them.
    ``least_blocks`` of the low-resolution picture have to change for anything to have moved.
    """

    def __init__(self, longest_ms: int, least_blocks: int) -> None:
        self.activity = PacketActivity()
        self._longest_ms = longest_ms
        self._least_blocks = least_blocks
        self._waiting: deque[tuple[Sizes, bool]] = deque(maxlen=_MOST_WAITING)
        self._picture: SmallPicture | None = None
        self._moved_before = True
        self._looked_ms: int | None = None
        self._wait_ms = 0
        self._doubt = self._surprises = 0

    @property
    def trusts(self) -> bool:
        """Whether the sizes of this footage are believed."""
        return self.activity.trusted and not self._doubt

    def is_quiet(self, sizes: Sizes) -> bool:
        """Whether the sizes of a stretch are believed, and say that nothing moves in it."""
        return self.trusts and not any(self.activity.moves(sizes))

    def looks_at(self, stretch: Stretch[Any], sizes: Sizes | None) -> bool:
        """Whether the keyframe of this stretch has to be decoded."""
        if sizes is None:
            return True
        since_ms = None if self._looked_ms is None else sizes.start_ms - self._looked_ms
        if since_ms is not None and 0 <= since_ms < MIN_SPACING_MS:
            return False
        moves = self.activity.moves(sizes)
        moving = moves.first or self._moved_before
        due = since_ms is None or since_ms < 0 or since_ms >= self._wait_ms
        looks = due or moving or not self.trusts
        self._moved_before = moves.last
        self._doubt = max(0, self._doubt - 1)
        self._waiting.append((sizes, any(moves)))
        if looks:
            self._looked_ms = sizes.start_ms
        return looks

    def note(self, frame: SeenFrame) -> None:
        """Compare a keyframe that was looked at with the one before, and learn from it."""
        picture, before = frame.small(), self._picture
        self._picture = picture
        between: list[tuple[Sizes, bool]] = []
        while self._waiting and self._waiting[0][0].start_ms < frame.pts_ms:
            between.append(self._waiting.popleft())
        if before is None or not between:
            return
        if changed_blocks(before, picture) >= self._least_blocks:
            after = [moves for sizes, moves in self._waiting if sizes.start_ms == frame.pts_ms]
            if not any(after) and not any(moves for _, moves in between):
                self._be_surprised()
            return
        for sizes, moves in between:
            if not moves:
                self.activity.learn_quiet(sizes)
        if self.trusts:
            step_ms = frame.pts_ms - between[0][0].start_ms
            self._wait_ms = min(self._longest_ms, max(2 * self._wait_ms, step_ms))

    def _be_surprised(self) -> None:
        self._wait_ms = 0
        if self.trusts:
            self._doubt = _DOUBT * 4**self._surprises
            self._surprises += 1
