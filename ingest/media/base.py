"""What decoding gives: a source's description, its frames, and the protocol of opened media."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image

from ingest.media.capture_time.claims import TimeClaim
from ingest.media.keyframe_selector import KeyframeSelector

MediaKind = Literal["image", "animation", "video"]


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file's headers say; ``duration_ms`` is 0 for images and where it is not known.

    ``claims`` are the times they give for when it was captured, ``tracks`` is how many video tracks
    of that duration are decoded.
    """

    kind: MediaKind
    duration_ms: int
    claims: tuple[TimeClaim, ...] = ()
    tracks: int = 1


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One keyframe, upright and with square pixels.

    ``pts_ms`` counts from the start of the video. ``image`` is RGB; it may be smaller than
    ``width`` x ``height``, the size the frame is displayed at, where that saved decoding.
    ``span_ms`` is how long a video's frame stands for what is shown, from ``pts_ms`` on.
    ``track`` is 0 for the main video track, else the number of another one.
    """

    pts_ms: int
    width: int
    height: int
    image: Image.Image
    span_ms: int = 0
    track: int = 0


@dataclass(frozen=True, slots=True)
class LeastSize:
    """How small a picture may be made before it is used, in pixels.

    It must still cover (width, height) either way round, and its longer side must be at least
    ``longest_px``.
    """

    cover_px: tuple[int, int]
    longest_px: int

    def scale_of(self, width: int, height: int) -> float:
        """Return the smallest scale allowed for a picture of this size; above 1 for small ones."""
        cover = max(self.cover_px) / min(width, height)
        return max(cover, self.longest_px / max(width, height))

    def divisor(self, width: int, height: int) -> int:
        """Return the whole number by which a picture may be made smaller, 1 for most.

        What is left is at least twice what is needed, so that what is scaled from it is nearly the
        same: the rule of Pillow's ``reducing_gap=2``.
        """
        return max(1, math.floor(1 / (2 * self.scale_of(width, height))))

    def reduced(self, image: Image.Image) -> Image.Image:
        """Return a picture made smaller by its divisor.

        To scale it further then costs a half from 1080p, a quarter from 4K.
        """
        divisor = self.divisor(*image.size)
        return image.reduce(divisor) if divisor > 1 else image


class OpenedMedia(Protocol):
    """An image, an animation or a video, opened and ready to be decoded once."""

    @property
    def info(self) -> MediaInfo:
        """What its headers say."""
        ...

    @property
    def warning(self) -> str:
        """After the frames: what was wrong although there were some; empty when nothing was."""
        ...

    @property
    def left_out(self) -> int:
        """After the frames: how many were left out because they show nothing new."""
        ...

    def frames(
        self, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        """Yield the keyframes in order of time; ``pulse`` is called as decoding goes along.

        Raises MediaError when there is nothing to yield.
        """
        ...

    def footage_ms(self) -> int:
        """Return how much of its duration is footage; nothing else can be asked afterwards."""
        ...

    def frame_at(self, pts_ms: int) -> DecodedFrame:
        """Return the frame shown ``pts_ms`` after the start; raises MediaError."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
