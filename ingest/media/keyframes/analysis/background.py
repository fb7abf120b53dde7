"""The scene behind what moves, at low resolution: what a fixed camera shows when nobody is there.

The background is the median of the last pictures, block by block (Cucchiara and others, "Detecting
moving objects, ghosts and shadows in video streams", IEEE PAMI 2003, use it the same way); a block
belongs to the foreground when it is further from it than the pictures usually are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.media.keyframe_selector import SmallPicture

#: Grey levels by which a block of a thing differs at least; compression alone changes up to some 5.
LEAST_LEVELS = 12
#: What sways or glitters is foreground only beyond this many median deviations.
_DEVIATIONS = 6.0
#: When more than this share has changed it is another scene: a cut, a turned camera, a lamp.
SCENE_SHARE = 0.6
_REMEMBERED = 15
#: The median is made anew with each of the first pictures, and then with every eighth.
_REFRESHED_FIRST, _REFRESH_EVERY = (1, 2, 4), 8

Mask = NDArray[np.bool_]


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
