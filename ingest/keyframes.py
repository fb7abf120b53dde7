"""Which frames of a video become keyframes: the selector protocol and the selectors there are.

A selector says how much of a video has to be decoded (``reach``) and hands out a gate per video,
which is asked about each decoded frame in order. Its ``recipe`` is part of the ledger's key, so a
changed option means that sources are taken in again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from search_core.errors import UsageError

Reach = Literal["keyframes", "gaps", "all"]

#: Encoders' usual longest distance between keyframes is 250 frames: 10.4 s at 24 frames/s. Only
#: what is longer than that is worth the full decoding that filling a gap costs.
MAX_GAP_MS = 12_000
FILL_EVERY_MS = 4_000
#: All-intra footage has a keyframe in every frame; five a second are plenty.
MIN_SPACING_MS = 200
ANIMATION_STEP_MS = 1_000

_LONGEST_INTERVAL_S = 86_400.0
_SHORTEST_INTERVAL_S = 0.001


class FrameGate(Protocol):
    """Decides, frame by frame in order of time, what becomes a keyframe of one video."""

    def wants(self, pts_ms: int, is_keyframe: bool) -> bool:
        """Whether the frame at ``pts_ms`` is taken; ``is_keyframe`` is the codec's view of it."""
        ...


class KeyframeSelector(Protocol):
    """A way to choose keyframes; picklable, and without state of its own.

    ``reach`` is what must be decoded: "keyframes" (the codec's own), "gaps" (those, and all frames
    of stretches longer than ``max_gap_ms`` without one) or "all". ``animation_step_ms`` is the
    distance of the frames taken from an animated image.
    """

    @property
    def recipe(self) -> str:
        """The selector and its options as a short stable string."""
        ...

    @property
    def reach(self) -> Reach:
        """How much of the video has to be decoded."""
        ...

    @property
    def max_gap_ms(self) -> int:
        """The longest stretch without a codec keyframe that is left alone, in milliseconds."""
        ...

    @property
    def animation_step_ms(self) -> int:
        """The distance between frames taken from an animated image, in milliseconds."""
        ...

    def gate(self) -> FrameGate:
        """Return a fresh gate for one video."""
        ...


@dataclass(slots=True)
class _KeyframeGate:
    """Codec keyframes no closer than ``spacing_ms``; other frames once ``fill_ms`` have passed."""

    spacing_ms: int = 0
    fill_ms: int | None = None
    last_ms: int | None = None

    def wants(self, pts_ms: int, is_keyframe: bool) -> bool:
        if self.last_ms is not None:
            wait = self.spacing_ms if is_keyframe else self.fill_ms
            if wait is None or 0 <= pts_ms - self.last_ms < wait:
                return False
        elif not is_keyframe and self.fill_ms is None:
            return False
        self.last_ms = pts_ms
        return True


@dataclass(slots=True)
class _IntervalGate:
    """The first frame, and then the first one at or after each multiple of ``every_ms``."""

    every_ms: int
    due_ms: int | None = None

    def wants(self, pts_ms: int, is_keyframe: bool) -> bool:
        # A time before the interval that was last served is a clock that was set back.
        if self.due_ms is not None and self.due_ms - self.every_ms <= pts_ms < self.due_ms:
            return False
        self.due_ms = (pts_ms // self.every_ms + 1) * self.every_ms
        return True


@dataclass(frozen=True, slots=True)
class CodecKeyframes:
    """Every keyframe of the codec and nothing else: the cheapest way through footage."""

    reach: Reach = "keyframes"
    max_gap_ms: int = MAX_GAP_MS
    animation_step_ms: int = ANIMATION_STEP_MS

    @property
    def recipe(self) -> str:
        """``iframe``."""
        return "iframe"

    def gate(self) -> FrameGate:
        """Return a gate that takes every codec keyframe."""
        return _KeyframeGate()


@dataclass(frozen=True, slots=True)
class Auto:
    """Codec keyframes, with stretches that have none for long filled every few seconds.

    Also fills a video whose only keyframe is its first, and thins out footage in which nearly every
    frame is a keyframe.
    """

    reach: Reach = "gaps"
    max_gap_ms: int = MAX_GAP_MS
    animation_step_ms: int = ANIMATION_STEP_MS

    @property
    def recipe(self) -> str:
        """``auto`` and the numbers it works with, so that changing them is a new recipe."""
        return f"auto:{MIN_SPACING_MS}:{self.max_gap_ms}:{FILL_EVERY_MS}"

    def gate(self) -> FrameGate:
        """Return a gate for codec keyframes and for frames that fill a long gap."""
        return _KeyframeGate(spacing_ms=MIN_SPACING_MS, fill_ms=FILL_EVERY_MS)


@dataclass(frozen=True, slots=True)
class Interval:
    """One frame every ``every_ms`` milliseconds, whatever the codec thinks; decodes everything."""

    every_ms: int
    reach: Reach = "all"
    max_gap_ms: int = MAX_GAP_MS

    @property
    def recipe(self) -> str:
        """``interval:`` and the milliseconds."""
        return f"interval:{self.every_ms}"

    @property
    def animation_step_ms(self) -> int:
        """The same interval for animated images."""
        return self.every_ms

    def gate(self) -> FrameGate:
        """Return a gate that takes the first frame of every interval."""
        return _IntervalGate(self.every_ms)


def parse_selector(text: str) -> KeyframeSelector:
    """Return the selector named by ``auto``, ``iframe`` or ``interval:SECONDS``.

    Raises UsageError for anything else.
    """
    name, _, argument = text.strip().lower().partition(":")
    if name == "auto" and not argument:
        return Auto()
    if name == "iframe" and not argument:
        return CodecKeyframes()
    if name == "interval":
        seconds = _seconds(argument)
        if seconds is not None and _SHORTEST_INTERVAL_S <= seconds <= _LONGEST_INTERVAL_S:
            return Interval(round(seconds * 1000))
    raise UsageError(
        f"{text!r} is no way to choose keyframes.",
        "Use auto, iframe, or interval:SECONDS such as interval:2 (0.001 to 86400).",
    )


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
