"""Frames by time alone, or by the codec's choice alone.

``iframe`` is every keyframe of the codec and nothing else, the cheapest way through footage.
``interval:SECONDS`` is one frame per interval, decoded from the codec keyframe before it. Moments
that are known already are those a library holds, decoded once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ingest.media.base import (
    ANIMATION_STEP_MS,
    Argument,
    FrameChooser,
    KeyframeSelector,
    NamedSelector,
    SeenFrame,
)
from ingest.media.video.gop import Stretch


@dataclass(frozen=True, slots=True)
class CodecKeyframes(NamedSelector):
    """Every keyframe of the codec and nothing else."""

    name: ClassVar[str] = "iframe"
    help: ClassVar[str] = "all of the codec's"
    recipe: ClassVar[str] = "iframe"
    least_distance: float = 0.0

    def chooser(self) -> _CodecChooser:
        """Return a chooser that takes every codec keyframe."""
        return _CodecChooser()


class _CodecChooser(FrameChooser):
    left_out = 0

    def depth(self, stretch: Stretch[Any]) -> int:
        return int(stretch.begins)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return [frame] if frame.is_keyframe else []


@dataclass(frozen=True, slots=True)
class Interval(NamedSelector):
    """One frame every ``every_ms`` milliseconds, whatever the codec thinks.

    Of each stretch between codec keyframes only what leads up to the last wanted frame is decoded,
    and nothing at all where none is wanted. At a fresh start after such a stretch, frames shown
    before the keyframe (of an open group of pictures) cannot be decoded; the keyframe serves then.
    """

    name: ClassVar[str] = "interval"
    help: ClassVar[str] = "one every so many seconds"
    argument: ClassVar[Argument | None] = Argument(
        "SECONDS", "seconds", 0.001, 86_400.0, example=2, required=True
    )
    every_ms: int
    least_distance: float = 0.0

    @classmethod
    def of(cls, number: float) -> Self:
        """Return the selector of one frame every ``number`` seconds."""
        return cls(round(number * 1000))

    @property
    def recipe(self) -> str:
        """``interval:`` and the milliseconds."""
        return f"interval:{self.every_ms}"

    @property
    def animation_step_ms(self) -> int:
        """The same interval for animated images."""
        return self.every_ms

    def chooser(self) -> _IntervalChooser:
        """Return a chooser that takes the first frame of every interval."""
        return _IntervalChooser(self.every_ms)


@dataclass(slots=True)
class _Gate:
    """The first frame, and then the first one at or after each multiple of ``every_ms``."""

    every_ms: int
    due_ms: int | None = None

    def wants(self, pts_ms: int) -> bool:
        # A time before the interval that was last served is a clock that was set back.
        if self.due_ms is not None and self.due_ms - self.every_ms <= pts_ms < self.due_ms:
            return False
        self.due_ms = (pts_ms // self.every_ms + 1) * self.every_ms
        return True


class _IntervalChooser(FrameChooser):
    left_out = 0

    def __init__(self, every_ms: int) -> None:
        self._gate = _Gate(every_ms)

    def depth(self, stretch: Stretch[Any]) -> int:
        if not stretch.ends or not stretch.begins or None in stretch.times_ms:
            return len(stretch)  # a part, or frames whose times are known only once decoded
        times = [time for time in stretch.times_ms if time is not None]
        rehearsal = _Gate(self._gate.every_ms, self._gate.due_ms)
        wanted = {time for time in sorted(times) if rehearsal.wants(time)}
        return max((index + 1 for index, time in enumerate(times) if time in wanted), default=0)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return [frame] if self._gate.wants(frame.pts_ms) else []


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

    def chooser(self) -> _MomentsChooser:
        """Return a chooser that takes these moments' frames."""
        return _MomentsChooser(self.moments_ms)


class _MomentsChooser(FrameChooser):
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


@dataclass(frozen=True, slots=True)
class ChosenAgain:
    """Those frames of ``selector`` that are shown at these moments, as it saw them.

    Internal, as GivenMoments are: for what a selector finds out about the frames that it chooses.
    """

    moments_ms: frozenset[int]
    selector: KeyframeSelector
    recipe: ClassVar[str] = "chosen again"
    least_distance: ClassVar[float] = 0.0

    @property
    def animation_step_ms(self) -> int:
        """The selector's."""
        return self.selector.animation_step_ms

    def chooser(self) -> _ChosenAgain:
        """Return a chooser that takes these moments' frames alone."""
        return _ChosenAgain(self.moments_ms, self.selector.chooser())


class _ChosenAgain(FrameChooser):
    left_out = 0

    def __init__(self, moments_ms: frozenset[int], chooser: FrameChooser) -> None:
        self._wanted_ms = moments_ms
        self._chooser = chooser

    def depth(self, stretch: Stretch[Any]) -> int:
        return self._chooser.depth(stretch)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return self._wanted(self._chooser.offer(frame))

    def finish(self) -> Sequence[SeenFrame]:
        return self._wanted(self._chooser.finish())

    def _wanted(self, frames: Sequence[SeenFrame]) -> list[SeenFrame]:
        return [frame for frame in frames if frame.pts_ms in self._wanted_ms]
