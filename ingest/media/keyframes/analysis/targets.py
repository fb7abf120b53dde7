"""Moments between codec keyframes that are to be looked at, and how deep to decode for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ingest.media.keyframe_selector import SeenFrame
from ingest.media.video.gop import Stretch


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
