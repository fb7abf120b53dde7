"""``auto``: regions by what the footage is: what moves before a fixed camera, else tiles.

Nothing can be told from the background where that itself has moved, or after a cut, and on a
photograph there is none: those are tiled, where a tile has enough pixels. That the background has
moved is told by phase correlation with the keyframe before (Kuglin and Hines, "The phase
correlation image alignment method", 1975): things that move before a fixed camera leave it in its
place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ingest.media.base import (
    SMALL_HEIGHT,
    SMALL_WIDTH,
    DecodedFrame,
    SmallPicture,
    small_picture_of,
)
from ingest.media.keyframes.analysis.background import LEAST_BLOCKS
from ingest.media.regions.base import USUAL_INPUT_PX, NamedProposer, Region
from ingest.media.regions.motion import MotionBoxes, MotionFinder, regions_in
from ingest.media.regions.tiles import TilesFinder, grid

#: Where more of the picture than this stands out, it is not things that moved.
_MOVED_SHARE = 0.5
#: Pictures match so many times as well at another place as they do unmoved where the camera moved.
#: A lorry that passes close looks so, too, in one of five keyframes of the sample footage. So the
#: camera moves where this share of the last keyframes say so, two at the least: of 306 keyframes of
#: fixed cameras one does then, and 43 of the 50 of a view that pans.
_SURER, _LAST, _LEAST_SHARE = 1.5, 6, 0.75
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
        f"auto:{_MOVED_SHARE:g}:{_SURER:g}:{_LAST}:{_LEAST_SHARE:g}:{_PARTS}:{LEAST_BLOCKS}:{_LEAST_TIMES}:{MotionBoxes.recipe}:1"
    )

    def finder(self, input_px: int = USUAL_INPUT_PX) -> _Finder:
        """Return a finder that has seen nothing yet."""
        return _Finder(_LEAST_TIMES * input_px)


class _Finder:
    def __init__(self, least_px: int) -> None:
        self._least_px = least_px
        self._motion = MotionFinder()
        self._tiles = TilesFinder(grid(_PARTS))
        self._before: SmallPicture | None = None
        self._shifts: deque[bool] = deque(maxlen=_LAST)

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        mask = self._motion.foreground_of(frame)
        is_photograph = frame.foreground is None and not frame.span_ms
        moves = self._camera_moves(small_picture_of(frame.image))
        if not (is_photograph or moves or mask.mean() > _MOVED_SHARE):
            return regions_in(mask)
        if min(frame.width, frame.height) < self._least_px:
            return []
        return self._tiles.regions_of(frame)

    def _camera_moves(self, picture: SmallPicture) -> bool:
        if self._before is not None:
            self._shifts.append(has_shifted(self._before, picture))
        self._before = picture
        return len(self._shifts) >= 2 and sum(self._shifts) >= _LEAST_SHARE * len(self._shifts)


#: What leaves at one edge has no place at the other.
_WINDOW = np.outer(np.hanning(SMALL_HEIGHT), np.hanning(SMALL_WIDTH))


def has_shifted(before: SmallPicture, now: SmallPicture) -> bool:
    """Whether all of a picture is at another place than in the one before."""
    one, other = (_spectrum(picture) for picture in (before, now))
    product = one * np.conj(other)
    matches = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-9), s=_WINDOW.shape)
    return bool(matches.max() > _SURER * max(matches[0, 0], 1e-9))


def _spectrum(picture: SmallPicture) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    grey = picture.mean(axis=2)
    return np.fft.rfft2((grey - grey.mean()) * _WINDOW)
