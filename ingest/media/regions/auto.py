"""``auto``: regions by what the footage is: what moves before a fixed camera, else tiles.

Nothing can be told from the background where all of it changes, as a moving camera's does or after
a cut, and on a photograph there is none: those are tiled, where a tile has enough pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ingest.media.base import DecodedFrame
from ingest.media.keyframes.analysis.background import LEAST_BLOCKS
from ingest.media.regions.base import USUAL_INPUT_PX, NamedProposer, Region
from ingest.media.regions.motion import MotionBoxes, MotionFinder, regions_in
from ingest.media.regions.tiles import TilesFinder, grid

#: Where more of the picture than this stands out, it is not things that moved.
_MOVED_SHARE = 0.5
#: Into how many parts a side is cut: quarters cost five embeddings for one, ninths as well 14.
_PARTS = 2
#: A picture is tiled where its shorter side is so many times what the encoder takes. Below that,
#: most of what a tile shows is to be seen in the whole picture.
_LEAST_TIMES = 6


@dataclass(frozen=True, slots=True)
class Auto(NamedProposer):
    """Motion of fixed cameras; tiles of large photographs and of what a moving camera shows."""

    name: ClassVar[str] = "auto"
    help: ClassVar[str] = (
        "what moves before a fixed camera; quarters of large photographs, and of what a moving "
        "camera shows"
    )
    sees_motion: ClassVar[bool] = True
    recipe: ClassVar[str] = (
        f"auto:{_MOVED_SHARE:g}:{_PARTS}:{LEAST_BLOCKS}:{_LEAST_TIMES}:{MotionBoxes.recipe}:1"
    )

    def finder(self, input_px: int = USUAL_INPUT_PX) -> _Finder:
        """Return a finder that has seen nothing yet."""
        return _Finder(_LEAST_TIMES * input_px)


class _Finder:
    def __init__(self, least_px: int) -> None:
        self._least_px = least_px
        self._motion = MotionFinder()
        self._tiles = TilesFinder(grid(_PARTS))

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        mask = self._motion.foreground_of(frame)
        is_photograph = frame.foreground is None and not frame.span_ms
        if not is_photograph and mask.mean() <= _MOVED_SHARE:
            return regions_in(mask)
        if min(frame.width, frame.height) < self._least_px:
            return []
        return self._tiles.regions_of(frame)
