"""A live stream's clock: its time stamps as wall-clock time, and how far behind one is reading."""

from __future__ import annotations

#: How long the smallest delay seen counts: longer than bursts last, shorter than clocks drift.
_WINDOW_MS = 30_000
#: B-frames come after the frames they are shown before; further back is another clock.
_REORDERED_MS = 1_000


class LiveClock:
    """Places frames in wall-clock time by this machine's clock; cameras' own are often wrong.

    A frame cannot arrive before it was made, so the frame that arrived with the least delay fixes
    when the others were made; what they are late by is the lag.
    """

    def __init__(self) -> None:
        self._last_stamp_ms: float | None = None
        self._last_captured_ms = 0
        self._window_began_ms = 0
        self._least_now = self._least_before = float("inf")

    def place(self, stamp_s: float | None, now_ms: int) -> tuple[int, int]:
        """Return (captured_at, lag), in milliseconds, of a frame that arrived at ``now_ms``.

        ``stamp_s`` is its time stamp in seconds from anywhere. Times always increase, unless this
        machine's clock is set back by more than 30 s.
        """
        if stamp_s is None:
            return self._increasing(now_ms, now_ms), 0
        stamp_ms = stamp_s * 1000
        if self._last_stamp_ms is not None and stamp_ms < self._last_stamp_ms - _REORDERED_MS:
            self._least_now = self._least_before = float("inf")  # the camera began anew
        self._last_stamp_ms = stamp_ms
        if not 0 <= now_ms - self._window_began_ms < _WINDOW_MS:
            self._least_before, self._least_now = self._least_now, float("inf")
            self._window_began_ms = now_ms
        self._least_now = min(self._least_now, now_ms - stamp_ms)
        captured_ms = round(stamp_ms + min(self._least_now, self._least_before))
        return self._increasing(captured_ms, now_ms), max(0, now_ms - captured_ms)

    def _increasing(self, captured_ms: int, now_ms: int) -> int:
        # No frame was placed after its arrival, so that the last one lies after now only where this
        # machine's clock was set back. The camera's stamps say nothing about that.
        set_back = self._last_captured_ms - now_ms >= _WINDOW_MS
        if captured_ms <= self._last_captured_ms and not set_back:
            captured_ms = self._last_captured_ms + 1
        self._last_captured_ms = captured_ms
        return captured_ms
