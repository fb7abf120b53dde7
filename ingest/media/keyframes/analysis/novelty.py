"""Which of the frames in which something moves are worth keeping: one per thing, at its best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.media.keyframe_selector import SeenFrame, SmallPicture
from ingest.media.keyframes.analysis.background import (
    Background,
    Foreground,
    changed_blocks,
    colours_of,
    novelty,
)

#: What is foreground: this many of the 64 x 36 blocks, or more.
LEAST_BLOCKS = 3
#: Blocks of colours that were not there before make something new: this share of the foreground.
_NEW_SHARE = 0.3
#: A frame that shows this much more of what the held one shows is the better one.
_GROWN = 1.1
#: What is cut off by the picture's edge may come in; so long a better frame is waited for.
_HOLD_MS = 2_500
#: What moves on and on gets a keyframe this often, even if it looks the same.
_AGAIN_MS = 4_000


@dataclass(slots=True)
class _Candidate:
    """A frame that shows something new; held back while the picture's edge cuts that off."""

    frame: SeenFrame
    colours: NDArray[np.float32]
    blocks: int
    cut_off: bool
    since_ms: int


class Novelty:
    """Keeps of one fixed view the first picture, and one of whatever comes into it.

    Pictures are compared with the background; when what stands out has colours that were not among
    those kept since nothing was there, something new has come. While the picture's edge cuts it
    off, the frame that shows most of it is waited for. A new scene is always kept.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._background = Background()
        self._known = np.zeros((3, 8), np.float32)
        self._held: _Candidate | None = None
        self._kept: SeenFrame | None = None
        self._kept_picture: SmallPicture | None = None

    def offer(self, frame: SeenFrame) -> list[SeenFrame]:
        """Look at the next frame; return those that are now kept, in order of time."""
        picture = frame.small()
        seen = self._background.compare(picture)
        if seen.new_scene:
            released = self.release()
            self._known = np.zeros((3, 8), np.float32)
            return [*released, *self._keep(frame, picture)]
        if seen.blocks < LEAST_BLOCKS:
            return self._nothing_there(frame)
        return self._something_there(frame, picture, seen)

    def release(self) -> list[SeenFrame]:
        """Return the frame that is held back, if any: there will be no better one."""
        held, self._held = self._held, None
        if held is None:
            return []
        self._known = np.maximum(self._known, held.colours)
        return self._keep(held.frame, held.frame.small())

    def keep_anyway(self, frame: SeenFrame) -> list[SeenFrame]:
        """Keep a frame although it shows nothing new; return what is now kept."""
        if self._held is not None and self._held.frame is frame:
            return self.release()
        self.left_out -= 1
        return [*self.release(), *self._keep(frame, frame.small())]

    def _keep(self, frame: SeenFrame, picture: SmallPicture) -> list[SeenFrame]:
        self._kept, self._kept_picture = frame, picture
        return [frame]

    def _nothing_there(self, frame: SeenFrame) -> list[SeenFrame]:
        released = self.release()
        if self._known.any() and self._kept is not None:
            self._kept.ends_ms = frame.pts_ms
        self._known = np.zeros((3, 8), np.float32)
        self.left_out += 1
        return released

    def _something_there(
        self, frame: SeenFrame, picture: SmallPicture, seen: Foreground
    ) -> list[SeenFrame]:
        colours = colours_of(picture, seen.mask)
        held = self._held
        if held is not None:
            same = novelty(held.colours, colours) < _NEW_SHARE * held.blocks
            in_time = frame.pts_ms - held.since_ms < _HOLD_MS
            if same and in_time and held.cut_off:
                if seen.blocks > _GROWN * held.blocks:
                    self._held = _candidate(frame, colours, seen, held.since_ms)
                self.left_out += 1
                return []
        released = self.release()
        new = novelty(colours, self._known) >= max(LEAST_BLOCKS, _NEW_SHARE * seen.blocks)
        if new or self._is_again(frame, picture):
            self._held = _candidate(frame, colours, seen, frame.pts_ms)
        else:
            self.left_out += 1
        return released

    def _is_again(self, frame: SeenFrame, picture: SmallPicture) -> bool:
        """Whether the last keyframe is long ago and something has moved since."""
        if self._kept is None or self._kept_picture is None:
            return True
        waited = frame.pts_ms - self._kept.pts_ms >= _AGAIN_MS
        return waited and changed_blocks(self._kept_picture, picture) >= LEAST_BLOCKS


def _candidate(
    frame: SeenFrame, colours: NDArray[np.float32], seen: Foreground, since_ms: int
) -> _Candidate:
    mask = seen.mask
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return _Candidate(frame, colours, seen.blocks, any(edge.any() for edge in edges), since_ms)
