"""The scene behind what moves, at low resolution: what a fixed camera shows when nobody is there.

The background is the median of the last pictures, block by block (Cucchiara and others, "Detecting
moving objects, ghosts and shadows in video streams", IEEE PAMI 2003, use it the same way); a block
belongs to the foreground when it is further from it than the pictures usually are. Of the frames in
which something moves, one per thing is worth keeping, at its best (``Novelty``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.media.base import Mask, SeenFrame, SmallPicture

#: Grey levels by which a block of a thing differs at least; compression alone changes up to some 5.
LEAST_LEVELS = 12
#: What sways or glitters is foreground only beyond this many median deviations.
_DEVIATIONS = 6.0
#: When more than this share has changed it is another scene: a cut, a turned camera, a lamp.
SCENE_SHARE = 0.6
_REMEMBERED = 15
#: The median is made anew with each of the first pictures, and then with every eighth.
_REFRESHED_FIRST, _REFRESH_EVERY = (1, 2, 4), 8


@dataclass(frozen=True, slots=True)
class Foreground:
    """What is not background: ``mask`` (36, 64) and how many blocks; ``new_scene``: nearly all."""

    mask: Mask
    blocks: int
    new_scene: bool


class Background:
    """Learns the background of one video from its pictures, in order of time."""

    def __init__(self) -> None:
        self._pictures: deque[NDArray[np.int16]] = deque(maxlen=_REMEMBERED)
        self._median: NDArray[np.int16] | None = None
        self._allowed: NDArray[np.float32] | None = None
        self._learned = 0

    def compare(self, picture: SmallPicture) -> Foreground:
        """Return what of a picture is foreground, and learn from it; the first has none."""
        levels = picture.astype(np.int16)
        if self._median is None or self._allowed is None:
            self._start(levels)
            return Foreground(np.zeros(levels.shape[:2], np.bool_), 0, True)
        mask = _most_changed(levels, self._median) > self._allowed
        blocks = int(np.count_nonzero(mask))
        new_scene = blocks > SCENE_SHARE * mask.size
        if new_scene:
            self._start(levels)
        else:
            self._learn(levels)
        return Foreground(mask, blocks, new_scene)

    def _start(self, levels: NDArray[np.int16]) -> None:
        self._pictures.clear()
        self._pictures.append(levels)
        self._median = levels
        self._allowed = np.full(levels.shape[:2], LEAST_LEVELS, np.float32)
        self._learned = 0

    def _learn(self, levels: NDArray[np.int16]) -> None:
        self._pictures.append(levels)
        self._learned += 1
        if self._learned % _REFRESH_EVERY and self._learned not in _REFRESHED_FIRST:
            return
        self._median = _median_of(self._pictures)
        spread = _median_of([_most_changed(levels, self._median) for levels in self._pictures])
        self._allowed = np.maximum(LEAST_LEVELS, _DEVIATIONS * spread).astype(np.float32)


def changed_blocks(one: SmallPicture, other: SmallPicture) -> int:
    """Return how many blocks of two pictures differ by LEAST_LEVELS or more."""
    difference = _most_changed(one.astype(np.int16), other.astype(np.int16))
    return int(np.count_nonzero(difference > LEAST_LEVELS))


def _most_changed(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return of each block how much the channel differs that differs most; NumPy's max is slow."""
    changed = np.abs(one - other)
    most: NDArray[np.int16] = np.maximum(changed[..., 0], changed[..., 1])
    np.maximum(most, changed[..., 2], out=most)
    return most


def _median_of(pictures: Iterable[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Return the (upper) median at each place; of some arrays that beats sorting each place.

    The least of those that are left comes first, as far as the middle.
    """
    rows = list(pictures)
    middle = len(rows) // 2
    for first in range(middle + 1):
        for at in range(len(rows) - 1, first, -1):
            one, other = rows[at - 1], rows[at]
            rows[at - 1], rows[at] = np.minimum(one, other), np.maximum(one, other)
    return rows[middle]


def colours_of(picture: SmallPicture, mask: Mask) -> NDArray[np.float32]:
    """Return what the blocks under the mask look like: soft histograms (3, 8) of R, G and B.

    In blocks; a value counts for the two bins it lies between, so that a little more light moves a
    little of the histogram and not all of it.
    """
    values = picture[mask].astype(np.float32) / 32.0 - 0.5
    low = np.clip(np.floor(values), 0, 6).astype(np.int64)
    share = np.clip(values - low, 0.0, 1.0)
    histograms = np.zeros((3, 8), np.float32)
    for channel in range(3):
        at, high = low[:, channel], share[:, channel]
        histograms[channel] += np.bincount(at, 1.0 - high, minlength=8)[:8]
        histograms[channel] += np.bincount(at + 1, high, minlength=8)[:8]
    return histograms


def novelty(colours: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    """Return how many blocks of some colours are not among the known ones; both are (3, 8)."""
    return float(np.maximum(0.0, colours - known).sum(axis=1).max())


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
        frame.foreground = seen.mask
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
