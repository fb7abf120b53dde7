"""``motion[:PERCENT]``: what moves before a fixed camera, found from packet sizes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest.media.base import (
    SMALL_HEIGHT,
    SMALL_WIDTH,
    Argument,
    FrameChooser,
    NamedSelector,
    SeenFrame,
    SmallPicture,
)
from ingest.media.keyframes.analysis.background import Background, changed_blocks
from ingest.media.keyframes.analysis.sampling import Lookout, Moments, sizes_of
from ingest.media.video.gop import Stretch

#: Three blocks of the low-resolution picture: a walker who fills a third of its height.
DEFAULT_PERCENT = 0.13
#: How long a keyframe is left undecoded at most while sizes say that nothing moves.
LONGEST_UNSEEN_MS = 60_000
#: Things that are there for two seconds must not be missed between two looks.
_LOOK_EVERY_MS, _LONGEST_GAP_MS = 2_000, 3_000
#: After so many codec keyframes in a row that all showed movement, half as many are taken unseen
#: before the next look, up to this: looking is cheap, but on busy footage it is for nothing.
_BUSY_AFTER, _MOST_UNSEEN = 4, 7


@dataclass(frozen=True, slots=True)
class Motion(NamedSelector):
    """Frames in which something moves; of a scene in which nothing ever does, only the first.

    ``percent`` of the picture must differ from the scene behind. Where packet sizes are steady
    enough to show movement, only what they point at is decoded; otherwise all codec keyframes are,
    and where these are more than two seconds apart the frames between them too.
    """

    name: ClassVar[str] = "motion"
    help: ClassVar[str] = "a fixed camera's, while something moves"
    argument: ClassVar[Argument | None] = Argument(
        "PERCENT", "percent of the picture", 0.04, 50.0, example=1
    )
    percent: float = DEFAULT_PERCENT
    least_distance: float = 0.0

    @property
    def recipe(self) -> str:
        """``motion:`` and the numbers it works with."""
        return f"motion:{self.percent:g}:{LONGEST_UNSEEN_MS}:2"

    def chooser(self) -> _Chooser:
        """Return a chooser that knows nothing of the scene yet."""
        return _Chooser(max(1, round(self.percent / 100 * SMALL_WIDTH * SMALL_HEIGHT)))


class _Chooser(FrameChooser):
    left_out = 0

    def __init__(self, least_blocks: int) -> None:
        self._least_blocks = least_blocks
        self._lookout = Lookout(LONGEST_UNSEEN_MS, least_blocks)
        self._background = Background()
        self._moments = Moments()
        self._kept: SmallPicture | None = None
        self._moving: SeenFrame | None = None
        self._busy = self._unseen = 0

    def depth(self, stretch: Stretch[Any]) -> int:
        sizes = sizes_of(stretch)
        looks = self._lookout.looks_at(stretch, sizes)
        long = stretch.span_ms > _LONGEST_GAP_MS
        if sizes is None or not stretch.ends or (long and not self._lookout.trusts):
            return self._moments.every(_LOOK_EVERY_MS, stretch)
        if long:
            self._moments.add(self._lookout.activity.peaks_within(sizes))
        self.left_out += not looks
        return max(int(looks), self._moments.depth(stretch))

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        if frame.is_keyframe and self._unseen:
            self._unseen -= 1
            self._busy += 1
            self._moving = frame
            return [frame]
        if frame.is_keyframe:
            self._lookout.note(frame)
        if not self._moments.serves(frame):
            return []
        kept = self._kept_of(frame)
        self._busy = self._busy + 1 if kept else 0
        if self._busy >= _BUSY_AFTER:
            self._unseen = min(self._busy // 2, _MOST_UNSEEN)
        return kept

    def _kept_of(self, frame: SeenFrame) -> list[SeenFrame]:
        picture = frame.small()
        seen = self._background.compare(picture)
        frame.foreground = seen.mask
        if not seen.new_scene:
            if seen.blocks < self._least_blocks:
                if self._moving is not None:
                    self._moving.ends_ms, self._moving = frame.pts_ms, None
                self.left_out += 1
                return []
            still = self._kept is not None and (
                changed_blocks(self._kept, picture) < self._least_blocks
            )
            if still:
                self.left_out += 1
                return []
        self._kept, self._moving = picture, frame
        return [frame]
