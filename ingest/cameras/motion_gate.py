"""Which frames of a live camera are kept: those that differ from the last that was kept.

What enters, moves or leaves makes a keyframe; what stays, such as a parked car, makes no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

#: Frames are compared at this width: each cell averages away the noise of some 60 pixels of a
#: 640 x 360 picture, and a person far off still fills several.
GREY_WIDTH_PX = 80
#: Keyframes are at least this far apart, and twice that while something goes on moving: what is
#: seen for two seconds has one in any case.
SPACING_MS = 1_000
BUSY_SPACING_MS = 2_000
#: A view that never changes is kept this often, so that it can be found at all.
HEARTBEAT_MS = 300_000

_LEAST_STEP = 10.0  # grey levels
_MOST_STEP = 40.0
_NOISE_FACTOR = 5.0
_MOVED_SHARE = 0.0015
_BUSY_FOR_MS = 3_000
_NOISE_S, _DRIFT_S = 30.0, 60.0


class MotionGate:
    """Asked about each frame in order of time; keeps a small grey picture of the last one taken."""

    def __init__(self) -> None:
        self._kept: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None
        self._noise: NDArray[np.float32] | None = None
        self._looked_ms = self._kept_ms = self._quiet_ms = 0

    def wants(self, grey: Grey, at_ms: int) -> bool:
        """Whether the frame at ``at_ms``, small and grey (height, width), is to be kept."""
        now = grey.astype(np.float32)
        if self._kept is None or self._kept.shape != now.shape or at_ms < self._looked_ms:
            self._noise = np.zeros_like(now)
            self._quiet_ms = at_ms
            return self._keep(now, at_ms)
        moved = self._has_moved(now, (at_ms - self._looked_ms) / 1000)
        self._looked_ms = at_ms
        if not moved:
            self._quiet_ms = at_ms
        busy = at_ms - self._quiet_ms > _BUSY_FOR_MS
        wait_ms = (BUSY_SPACING_MS if busy else SPACING_MS) if moved else HEARTBEAT_MS
        return at_ms - self._kept_ms >= wait_ms and self._keep(now, at_ms)

    def _keep(self, now: NDArray[np.float32], at_ms: int) -> bool:
        self._kept, self._before = now.copy(), now
        self._looked_ms = self._kept_ms = at_ms
        return True

    def _has_moved(self, now: NDArray[np.float32], elapsed_s: float) -> bool:
        """Compare with the last keyframe; learn the noise of each cell and how the light drifts."""
        assert self._kept is not None and self._before is not None and self._noise is not None
        step = _evened(now - self._before)
        self._before = now
        # What flickers or sways all the time is noise of its place.
        self._noise += (np.minimum(np.abs(step), _MOST_STEP) - self._noise) * _share(
            elapsed_s, _NOISE_S
        )
        changed = _evened(now - self._kept)
        least = np.clip(_NOISE_FACTOR * self._noise, _LEAST_STEP, _MOST_STEP)
        is_moved = np.abs(changed) > least
        still = ~is_moved
        self._kept[still] += ((now - self._kept) * _share(elapsed_s, _DRIFT_S))[still]
        return float(is_moved.mean()) >= _MOVED_SHARE


def _evened(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a difference without what all of the picture has in common: exposure, a lamp."""
    return difference - np.float32(np.median(difference))


def _share(elapsed_s: float, time_constant_s: float) -> np.float32:
    return np.float32(1.0 - np.exp(-elapsed_s / time_constant_s))
