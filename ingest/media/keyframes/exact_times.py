"""Frames at moments that are known already: those a library holds, decoded once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest.media.keyframe_selector import ANIMATION_STEP_MS, SeenFrame
from ingest.media.video.gop import Stretch


@dataclass(frozen=True, slots=True)
class GivenMoments:
    """The frames shown at exactly these moments, in milliseconds from the start of the video.

    Internal: not a selector people type, and not recorded. Animated images are taken in their
    usual steps.
    """

    moments_ms: frozenset[int]
    recipe: ClassVar[str] = "given"
    animation_step_ms: int = ANIMATION_STEP_MS
    least_distance: float = 0.0

    def chooser(self) -> _Chooser:
        """Return a chooser that takes these moments' frames."""
        return _Chooser(self.moments_ms)


class _Chooser:
    left_out = 0

    def __init__(self, moments_ms: frozenset[int]) -> None:
        self._wanted_ms = moments_ms

    def depth(self, stretch: Stretch[Any]) -> int:
        if not stretch.ends or not stretch.begins or None in stretch.times_ms:
            return len(stretch)  # a part, or frames whose times are known only once decoded
        found = [index for index, time in enumerate(stretch.times_ms) if time in self._wanted_ms]
        return max(found, default=-1) + 1

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return [frame] if frame.pts_ms in self._wanted_ms else []

    def finish(self) -> Sequence[SeenFrame]:
        return []
