"""Frames and packets made up for selectors to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingest.media.base import SMALL_HEIGHT, SMALL_WIDTH, Mask, SeenFrame, SmallPicture
from ingest.media.keyframes.registry import parse_selector
from ingest.media.video.gop import Stretch


@dataclass(frozen=True)
class Packet:
    """A packet whose content nobody asks for."""

    is_keyframe: bool
    size: int


@dataclass
class Frame:
    """A frame of one grey level, with a block of another colour at ``thing_x``."""

    pts_ms: int
    is_keyframe: bool = True
    grey: int = 100
    thing_x: int | None = None
    colour: tuple[int, int, int] = (220, 40, 40)
    width: int = 8
    ends_ms: int | None = None
    foreground: Mask | None = None

    def small(self) -> SmallPicture:
        picture = np.full((SMALL_HEIGHT, SMALL_WIDTH, 3), self.grey, np.uint8)
        if self.thing_x is not None:
            left, right = max(0, self.thing_x), max(0, self.thing_x + self.width)
            picture[12:24, left:right] = self.colour
        return picture


def stretch(
    start_ms: int,
    sizes: Sequence[int],
    *,
    step_ms: int = 40,
    last: bool = False,
    times: Sequence[int | None] = (),
) -> Stretch[Packet]:
    """A stretch of packets of these sizes, a keyframe first, one every ``step_ms``."""
    steady = [start_ms + number * step_ms for number in range(len(sizes))]
    packets = [Packet(number == 0, size) for number, size in enumerate(sizes)]
    return Stretch(True, packets, list(times or steady), list(sizes), ends=True, last=last)


def chosen(selector: str, frames: Sequence[Frame]) -> list[SeenFrame]:
    """The frames that come out when all of these are decoded, each a stretch of its own."""
    chooser = parse_selector(selector).chooser()
    found: list[SeenFrame] = []
    for frame in frames:
        if frame.is_keyframe:
            chooser.depth(stretch(frame.pts_ms, [1000]))
        found.extend(chooser.offer(frame))
    return [*found, *chooser.finish()]


def moments(selector: str, frames: Sequence[Frame]) -> list[int]:
    return [frame.pts_ms for frame in chosen(selector, frames)]
