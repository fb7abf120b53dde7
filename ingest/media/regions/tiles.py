"""``tiles``: the picture cut into 2x2 and 3x3, each once for as long as it does not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ingest.media.base import (
    SMALL_HEIGHT,
    SMALL_WIDTH,
    DecodedFrame,
    SmallPicture,
    small_picture_of,
)
from ingest.media.keyframes.analysis.background import LEAST_BLOCKS, changed_blocks
from ingest.media.regions.base import USUAL_INPUT_PX, NamedProposer, Region
from search_core.schema.entity import Box

#: Into how many parts a side is cut, coarse ones first.
GRIDS = (2, 3)


def grid(parts: int) -> tuple[Box, ...]:
    """Return the tiles of a picture whose sides are cut into so many parts."""
    return tuple(
        (column / parts, row / parts, (column + 1) / parts, (row + 1) / parts)
        for row in range(parts)
        for column in range(parts)
    )


TILES: tuple[Box, ...] = tuple(box for parts in GRIDS for box in grid(parts))


@dataclass(frozen=True, slots=True)
class Tiles(NamedProposer):
    """Every tile of a photograph and of a video's first keyframe, then those that have changed.

    What stands still is embedded once, and belongs to the keyframe that showed it first.
    """

    name: ClassVar[str] = "tiles"
    help: ClassVar[str] = "quarters and ninths of the picture, anew where they change"
    recipe: ClassVar[str] = f"tiles:{'+'.join(map(str, GRIDS))}:{LEAST_BLOCKS}:1"

    def finder(self, input_px: int = USUAL_INPUT_PX) -> TilesFinder:
        """Return a finder that has seen no picture yet."""
        return TilesFinder(TILES)


class TilesFinder:
    """Finds the tiles that show something else than when they were found last."""

    def __init__(self, tiles: Sequence[Box]) -> None:
        self._tiles = tiles
        self._embedded: dict[int, SmallPicture] = {}

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        """Return the tiles of a keyframe; keyframes come in order of time."""
        picture = small_picture_of(frame.image)
        found = []
        for number, box in enumerate(self._tiles):
            part = _part(picture, box)
            before = self._embedded.get(number)
            if before is None or changed_blocks(before, part) >= LEAST_BLOCKS:
                self._embedded[number] = part
                found.append(Region("tile", number, box))
        return found


def _part(picture: SmallPicture, box: Box) -> SmallPicture:
    left, top, right, bottom = box
    rows = slice(round(top * SMALL_HEIGHT), round(bottom * SMALL_HEIGHT))
    return picture[rows, round(left * SMALL_WIDTH) : round(right * SMALL_WIDTH)]
