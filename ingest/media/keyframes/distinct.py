"""``…+distinct[:DISTANCE]``: any way to choose, without the near-duplicates among what it chooses.

Two gates, the cheap one first. Where pictures are decoded, a difference hash (Krawetz, "Kind of
like that", 2013: 64 bits, each whether a block is brighter than its neighbour) and the mean colour
are compared with those of the keyframe before. It sees no small things: on the sample footage no
appearance is lost when two bits may differ, but one of fifty at four bits and two at eight. Where
pictures are embedded, what is left is compared by the cosine of its embedding to that of the
keyframe before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ingest.media.keyframe_selector import (
    Argument,
    FrameChooser,
    KeyframeSelector,
    SeenFrame,
    SmallPicture,
)
from ingest.media.keyframes.analysis.background import LEAST_LEVELS
from ingest.media.video.gop import Stretch

#: Bits of the hash in which near-duplicates may differ.
MOST_BITS = 2
#: A quarter of the sample footage's codec keyframes are nearer than this to the one before, two
#: seconds earlier (the demo's encoder; encoders differ).
DEFAULT_DISTANCE = 0.01


@dataclass(frozen=True, slots=True)
class Distinct:
    """What ``way`` chooses, without frames that look like the keyframe before them.

    ``least_distance`` is the cosine distance of embeddings below which they do.
    """

    name: ClassVar[str] = "distinct"
    help: ClassVar[str] = "leaves near-duplicates out"
    argument: ClassVar[Argument] = Argument(
        "DISTANCE", "cosine distance", 0.0001, 0.5, example=0.05
    )
    way: KeyframeSelector
    least_distance: float = DEFAULT_DISTANCE

    @property
    def recipe(self) -> str:
        """The way's own, ``+distinct:`` and the thresholds."""
        return f"{self.way.recipe}+distinct:{MOST_BITS}:{self.least_distance:g}"

    @property
    def animation_step_ms(self) -> int:
        """The way's own distance of frames taken from animated images."""
        return self.way.animation_step_ms

    def chooser(self) -> _Chooser:
        """Return a chooser that has kept nothing yet."""
        return _Chooser(self.way.chooser())


class _Chooser:
    def __init__(self, way: FrameChooser) -> None:
        self._way = way
        self._left_out = 0
        self._kept: tuple[NDArray[np.bool_], NDArray[np.float64]] | None = None

    @property
    def left_out(self) -> int:
        """What the way leaves out, and what looked like the keyframe before it."""
        return self._way.left_out + self._left_out

    def depth(self, stretch: Stretch[Any]) -> int:
        return self._way.depth(stretch)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return self._without_duplicates(self._way.offer(frame))

    def finish(self) -> Sequence[SeenFrame]:
        return self._without_duplicates(self._way.finish())

    def _without_duplicates(self, frames: Iterable[SeenFrame]) -> list[SeenFrame]:
        kept = []
        for frame in frames:
            picture = frame.small()
            marks = difference_hash(picture), picture.mean(axis=(0, 1))
            if self._kept is not None:
                bits = np.count_nonzero(marks[0] != self._kept[0])
                if bits <= MOST_BITS and np.abs(marks[1] - self._kept[1]).max() < LEAST_LEVELS:
                    self._left_out += 1
                    continue
            self._kept = marks
            kept.append(frame)
        return kept


def difference_hash(picture: SmallPicture) -> NDArray[np.bool_]:
    """Return 64 bits (8, 8): whether each of 9 x 8 blocks is brighter than the one to its right."""
    grey = picture.mean(axis=2)
    rows = [rows.mean(axis=0) for rows in np.array_split(grey, 8, axis=0)]
    blocks = [np.stack(rows)[:, cols].mean(axis=1) for cols in _columns(grey.shape[1])]
    levels = np.stack(blocks, axis=1)
    # Neighbours as bright as each other would flip with the noise.
    return np.asarray(levels[:, :-1] > levels[:, 1:] + 1.0)


def _columns(width: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(width), 9)
