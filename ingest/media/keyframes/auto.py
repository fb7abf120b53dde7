"""``auto``: codec keyframes, more of them where they are far apart, fewer where nothing is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest.media.base import NamedSelector, SeenFrame
from ingest.media.keyframes.analysis.background import LEAST_BLOCKS, Novelty
from ingest.media.keyframes.analysis.sampling import MIN_SPACING_MS, Lookout, Moments, sizes_of
from ingest.media.video.gop import Stretch

#: Encoders' usual longest distance between keyframes is 250 frames: 10.4 s at 24 frames/s. Only
#: what is longer than that is worth the full decoding that filling a gap costs.
MAX_GAP_MS = 12_000
FILL_EVERY_MS = 4_000
#: How long a keyframe is left undecoded at most while sizes say that nothing moves.
LONGEST_UNSEEN_MS = 10_000
#: A keyframe at least this often, so that a search within a span of time finds what was to be seen.
LONGEST_SPAN_MS = 60_000
#: Stretches longer than this can hold something that neither keyframe beside it shows.
_FILL_LEAST_MS = 2_500


@dataclass(frozen=True, slots=True)
class Auto(NamedSelector):
    """Codec keyframes, filled in where they are far apart, thinned out where nothing is new.

    Where packet sizes show that nothing moves, keyframes are not even decoded; where something
    moved between two of them, the frame in which it moved most is. A video whose only keyframe is
    its first is filled in every few seconds.
    """

    name: ClassVar[str] = "auto"
    help: ClassVar[str] = "one per thing that comes and goes"
    #: With the numbers it works with, so that changing them is a new recipe.
    recipe: ClassVar[str] = (
        f"auto:{MIN_SPACING_MS}:{MAX_GAP_MS}:{FILL_EVERY_MS}:{LONGEST_UNSEEN_MS}:{LONGEST_SPAN_MS}:2"
    )
    least_distance: float = 0.0

    def chooser(self) -> _Chooser:
        """Return a chooser that knows nothing of the video yet."""
        return _Chooser()


class _Chooser:
    def __init__(self) -> None:
        self._lookout = Lookout(LONGEST_UNSEEN_MS, LEAST_BLOCKS)
        self._moments = Moments()
        self._novelty = Novelty()
        self._skipped = 0
        self._kept_ms: int | None = None
        self._stretches = 0

    @property
    def left_out(self) -> int:
        """How many frames were left out because they show nothing new."""
        return self._skipped + self._novelty.left_out

    def depth(self, stretch: Stretch[Any]) -> int:
        sizes = sizes_of(stretch)
        looks = self._lookout.looks_at(stretch, sizes)
        only = self._stretches == 0 and stretch.last
        self._stretches += 1
        if sizes is None or not stretch.ends or only:
            return self._moments.every(FILL_EVERY_MS, stretch)
        if stretch.span_ms > MAX_GAP_MS and not self._lookout.is_quiet(sizes):
            return self._moments.every(FILL_EVERY_MS, stretch)
        if self._lookout.trusts and stretch.span_ms > _FILL_LEAST_MS:
            self._moments.add(self._lookout.activity.peaks_within(sizes))
        self._skipped += not looks
        return max(int(looks), self._moments.depth(stretch))

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        if frame.is_keyframe:
            self._lookout.note(frame)
        if not self._moments.serves(frame):
            return []
        kept = self._novelty.offer(frame)
        if not kept and self._is_long_ago(frame):
            kept = self._novelty.keep_anyway(frame)
        if kept:
            self._kept_ms = kept[-1].pts_ms
        return kept

    def finish(self) -> Sequence[SeenFrame]:
        return self._novelty.release()

    def _is_long_ago(self, frame: SeenFrame) -> bool:
        return self._kept_ms is not None and frame.pts_ms - self._kept_ms >= LONGEST_SPAN_MS
