"""``iframe``: every keyframe of the codec and nothing else, the cheapest way through footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest.media.keyframe_selector import NamedSelector, SeenFrame
from ingest.media.video.gop import Stretch


@dataclass(frozen=True, slots=True)
class CodecKeyframes(NamedSelector):
    """Every keyframe of the codec and nothing else."""

    name: ClassVar[str] = "iframe"
    help: ClassVar[str] = "all of the codec's"
    recipe: ClassVar[str] = "iframe"
    least_distance: float = 0.0

    def chooser(self) -> _Chooser:
        """Return a chooser that takes every codec keyframe."""
        return _Chooser()


class _Chooser:
    left_out = 0

    def depth(self, stretch: Stretch[Any]) -> int:
        return int(stretch.begins)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return [frame] if frame.is_keyframe else []

    def finish(self) -> Sequence[SeenFrame]:
        return []
