"""``scene[:THRESHOLD]``: the first frame of every shot, and of views a camera settles on.

A cut is where the picture's content changes at once: the mean of the differences of hue, saturation
and value between two frames in a row, as PySceneDetect's ContentDetector defines it (hue in 0 to
179, the others in 0 to 255, weights 1, 1, 1, threshold 27, shots of 15 frames at least), here on
the low-resolution picture. Its own detectors were tried: they agree on where the cuts are, but they
need OpenCV, 60 MB with another set of video codecs beside PyAV's, in every decoding process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ingest.media.base import (
    Argument,
    FrameChooser,
    NamedSelector,
    SeenFrame,
    SmallPicture,
)
from ingest.media.video.gop import Stretch

DEFAULT_THRESHOLD = 27.0
#: The shortest shot: 15 frames at 25 frames/s.
_LEAST_SHOT_MS = 600
#: A dissolve is over, or a camera at rest, when a frame differs this little from the one before.
_SETTLED_SHARE = 1 / 9


@dataclass(frozen=True, slots=True)
class Scene(NamedSelector):
    """One frame per shot; ``threshold`` is the content change that makes a cut. Decodes all."""

    name: ClassVar[str] = "scene"
    help: ClassVar[str] = "one per shot"
    argument: ClassVar[Argument | None] = Argument(
        "THRESHOLD", "levels of content change", 1.0, 255.0, example=40
    )
    threshold: float = DEFAULT_THRESHOLD
    least_distance: float = 0.0

    @property
    def recipe(self) -> str:
        """``scene:`` and the threshold."""
        return f"scene:{self.threshold:g}"

    def chooser(self) -> _Chooser:
        """Return a chooser that has seen no frame yet."""
        return _Chooser(self.threshold)


class _Chooser(FrameChooser):
    left_out = 0

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._before: NDArray[np.float32] | None = None
        self._kept: NDArray[np.float32] | None = None
        self._kept_ms = 0

    def depth(self, stretch: Stretch[Any]) -> int:
        return len(stretch)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        content = content_of(frame.small())
        before, self._before = self._before, content
        if before is not None and self._kept is not None:
            if 0 <= frame.pts_ms - self._kept_ms < _LEAST_SHOT_MS:
                return []
            change = content_change(before, content)
            settled = change <= _SETTLED_SHARE * self._threshold
            drifted = settled and content_change(self._kept, content) >= self._threshold
            if change < self._threshold and not drifted:
                return []
        self._kept, self._kept_ms = content, frame.pts_ms
        return [frame]


def content_of(picture: SmallPicture) -> NDArray[np.float32]:
    """Return the hue (0 to 179), saturation and value (0 to 255) of RGB, (height, width, 3)."""
    rgb = picture.astype(np.float32)
    value = rgb.max(axis=2)
    chroma = value - rgb.min(axis=2)
    safe = np.where(chroma > 0, chroma, 1.0)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    sixth = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    hue = np.where(chroma > 0, (30.0 * sixth) % 180.0, 0.0)
    saturation = np.where(value > 0, 255.0 * chroma / np.where(value > 0, value, 1.0), 0.0)
    return np.stack([hue, saturation, value], axis=2).astype(np.float32)


def content_change(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the mean difference of two frames' hue, saturation and value, 0 to some 230."""
    return float(np.abs(one - other).mean())
