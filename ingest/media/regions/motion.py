"""``motion``: what moves before the background, in boxes with a margin.

The foreground is the selector's, where it compares pictures with the background; else keyframes
are compared with the background of those before. Blocks of it that touch, or nearly, are one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ingest.media.base import SMALL_HEIGHT, SMALL_WIDTH, DecodedFrame, Mask, small_picture_of
from ingest.media.keyframes.analysis.background import Background
from ingest.media.regions.base import (
    LEAST_SIDE,
    USUAL_INPUT_PX,
    NamedProposer,
    Region,
    square_around,
)
from search_core.schema.entity import Box

#: Blocks that are this far apart are still one thing: a walker's legs, a lorry's windscreen.
_NEAR_BLOCKS = 1
#: One or two blocks are more often noise than a thing.
_LEAST_BLOCKS = 3
#: Where a single block stands by itself, rain, snow or noise is seen: only blocks with so many
#: others around them are things then, which have so many blocks and fill so much of their box. Of
#: 148 pictures of rendered rain and snow 0.92 of the things a third of the usual size have a box
#: (0.88 before) and 0.82 of the boxes show a thing (0.18 of 7.3 a picture).
_NEIGHBOURS, _LEAST_IN_RAIN, _FILLED_IN_RAIN = 3, 4, 0.3
#: A crop is so many times as large as the blocks: they are coarse, and context helps an encoder.
_MARGIN = 1.5
#: What takes more of the picture's sides than this is what the whole picture shows.
_MOST_SIDE = 0.75
_MOST_BOXES = 8


@dataclass(frozen=True, slots=True)
class MotionBoxes(NamedProposer):
    """Boxes round what moves, the largest first; none where all of the picture has changed."""

    name: ClassVar[str] = "motion"
    help: ClassVar[str] = "what moves before the background"
    sees_motion: ClassVar[bool] = True
    recipe: ClassVar[str] = (
        f"motion:{_NEAR_BLOCKS}:{_LEAST_BLOCKS}:{_MARGIN:g}:{LEAST_SIDE:g}:{_MOST_SIDE:g}"
        f":{_MOST_BOXES}:{_NEIGHBOURS}:{_LEAST_IN_RAIN}:{_FILLED_IN_RAIN:g}:2"
    )

    def finder(self, input_px: int = USUAL_INPUT_PX) -> MotionFinder:
        """Return a finder that does not know the background yet."""
        return MotionFinder()


class MotionFinder:
    """Finds what moves; it learns the background of one video from its keyframes."""

    def __init__(self) -> None:
        self._background = Background()

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        """Return boxes round what moves; keyframes come in order of time."""
        return regions_in(self.foreground_of(frame))

    def foreground_of(self, frame: DecodedFrame) -> Mask:
        """Return what stands out, by the selector where it looked; learn from the keyframe."""
        seen = self._background.compare(small_picture_of(frame.image))
        return seen.mask if frame.foreground is None else frame.foreground


def regions_in(mask: Mask) -> list[Region]:
    """Return the regions that a foreground mask (36, 64) shows."""
    return [Region("motion", number, box) for number, box in enumerate(boxes_of(mask))]


def boxes_of(mask: Mask) -> list[Box]:
    """Return the boxes round what a foreground mask (36, 64) shows, the largest thing first."""
    found = [_box(rows, columns) for rows, columns in things(mask)]
    kept: list[Box] = []
    for box in found:
        if box[2] - box[0] <= _MOST_SIDE and not any(_covers(other, box) for other in kept):
            kept.append(box)
    return kept[:_MOST_BOXES]


def things(mask: Mask) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each thing in a mask, the one of most blocks first."""
    found = _connected(mask)
    if not any(blocks == 1 for blocks, _ in found):
        return [place for blocks, place in found if blocks >= _LEAST_BLOCKS]
    crowded = mask & (_around(mask) >= _NEIGHBOURS)
    return [
        (rows, columns)
        for blocks, (rows, columns) in _connected(crowded)
        if blocks >= _LEAST_IN_RAIN
        and blocks >= _FILLED_IN_RAIN * (rows.stop - rows.start) * (columns.stop - columns.start)
    ]


def _connected(mask: Mask) -> list[tuple[int, tuple[slice, slice]]]:
    """Return how many blocks each connected part of a mask has, and its rows and columns."""
    labels = _labels(_grown(mask, _NEAR_BLOCKS))
    found = []
    for label in range(1, int(labels.max()) + 1):
        rows, columns = np.nonzero(mask & (labels == label))
        if len(rows):
            place = (
                slice(int(rows.min()), int(rows.max()) + 1),
                slice(int(columns.min()), int(columns.max()) + 1),
            )
            found.append((len(rows), place))
    return sorted(found, key=lambda one: -one[0])


def _around(mask: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return how many of the eight blocks around each are in the mask."""
    padded = np.pad(mask.astype(np.int64), 1)
    height, width = mask.shape
    parts = (
        padded[down : down + height, across : across + width]
        for down in range(3)
        for across in range(3)
    )
    around: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = np.sum(list(parts), axis=0) - mask
    return around


def _grown(mask: Mask, by: int) -> Mask:
    padded = np.pad(mask, by)
    height, width = mask.shape
    grown = np.zeros_like(mask)
    for down in range(2 * by + 1):
        for across in range(2 * by + 1):
            grown |= padded[down : down + height, across : across + width]
    return grown


def _labels(mask: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the number of the connected blocks that each block belongs to, 0 for none.

    Every block takes the largest number around it, until nothing changes.
    """
    numbers = np.arange(1, mask.size + 1).reshape(mask.shape) * mask
    while True:
        spread = _largest_around(numbers) * mask
        if np.array_equal(spread, numbers):
            break
        numbers = spread
    _, labels = np.unique(numbers, return_inverse=True)
    shaped: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = labels.reshape(mask.shape)
    return shaped if not mask.all() else shaped + 1


def _largest_around(
    numbers: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    padded = np.pad(numbers, 1)
    height, width = numbers.shape
    parts: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = (
        padded[down : down + height, across : across + width]
        for down in range(3)
        for across in range(3)
    )
    largest = numbers
    for part in parts:
        largest = np.maximum(largest, part)
    return largest


def _box(rows: slice, columns: slice) -> Box:
    """Return a thing's box with its margin, within the picture."""
    left, right = columns.start / SMALL_WIDTH, columns.stop / SMALL_WIDTH
    top, bottom = rows.start / SMALL_HEIGHT, rows.stop / SMALL_HEIGHT
    return square_around(left, top, right, bottom, _MARGIN)


def _covers(one: Box, other: Box) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2] and one[3] >= other[3]
