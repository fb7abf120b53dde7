"""``interval:SECONDS``: one frame per interval, decoded from the codec keyframe before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ingest.media.keyframe_selector import Argument, NamedSelector, SeenFrame
from ingest.media.video.gop import Stretch


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

    def chooser(self) -> _Chooser:
        """Return a chooser that takes the first frame of every interval."""
        return _Chooser(self.every_ms)


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


class _Chooser:
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

    def finish(self) -> Sequence[SeenFrame]:
        return []
