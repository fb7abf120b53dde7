"""What decoding gives: a source's description, its frames, and the protocol of opened media.

What chooses the frames is a keyframe selector: the protocols of selectors, choosers and what they
see, and the base class of selectors that people type.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.media.capture_time.claims import TimeClaim
from ingest.media.video.gop import Stretch

#: A frame at low resolution: RGB uint8 (SMALL_HEIGHT, SMALL_WIDTH, 3), each value the mean of its
#: block, so that a sensor's noise is averaged away and what is left are things and light.
SmallPicture: TypeAlias = NDArray[np.uint8]
SMALL_WIDTH, SMALL_HEIGHT = 64, 36
#: Which blocks of a picture at low resolution: (SMALL_HEIGHT, SMALL_WIDTH).
Mask: TypeAlias = NDArray[np.bool_]

#: The usual distance of frames taken from an animated image.
ANIMATION_STEP_MS = 1_000


def small_picture_of(image: Image.Image) -> SmallPicture:
    """Return an RGB picture at low resolution."""
    small = image.resize((SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX)
    return np.asarray(small, np.uint8)


def small_mask(mask: Mask) -> Mask:
    """Return a foreground mask of any size as one of (SMALL_HEIGHT, SMALL_WIDTH) blocks."""
    shares = Image.fromarray(mask.astype(np.float32)).resize(
        (SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX
    )
    small: Mask = np.asarray(shares) >= 0.3
    return small


class SeenFrame(Protocol):
    """A decoded frame, as a chooser sees it.

    ``ends_ms`` may be set by the chooser: what the frame shows was over then, although there was no
    other keyframe yet. So may ``foreground``: what of the picture stands out from the background.
    """

    ends_ms: int | None
    foreground: Mask | None

    @property
    def pts_ms(self) -> int:
        """When it is shown, in milliseconds from the start of the video."""
        ...

    @property
    def is_keyframe(self) -> bool:
        """Whether the codec made it to stand for itself."""
        ...

    def small(self) -> SmallPicture:
        """The frame at low resolution; made when it is asked for."""
        ...


class FrameChooser(Protocol):
    """Chooses the keyframes of one video: first what is decoded, then what of that is taken.

    ``left_out`` counts the frames that would have been taken but show nothing new.
    """

    @property
    def left_out(self) -> int:
        """How many frames were left out because they show nothing new."""
        ...

    def depth(self, stretch: Stretch[Any]) -> int:
        """Return how many of the stretch's packets, from its first, have to be decoded."""
        ...

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        """Look at the next decoded frame, in order of time; return those that are now chosen."""
        ...

    def finish(self) -> Sequence[SeenFrame]:
        """Return what is chosen at the end of the frames."""
        return []


class KeyframeSelector(Protocol):
    """A way to choose keyframes; picklable, and without state of its own.

    ``recipe`` is part of the ledger's key: whatever changes what is chosen must change it.
    ``animation_step_ms`` is the distance of the frames taken from an animated image.
    ``least_distance`` is how far a frame's embedding must be from that of the keyframe before it
    (cosine distance), or else it is a near-duplicate; 0 keeps all.
    """

    @property
    def recipe(self) -> str:
        """The selector and its options as a short stable string."""
        ...

    @property
    def animation_step_ms(self) -> int:
        """The distance between frames taken from an animated image, in milliseconds."""
        ...

    @property
    def least_distance(self) -> float:
        """The cosine distance below which two keyframes in a row are near-duplicates."""
        ...

    def chooser(self) -> FrameChooser:
        """Return a fresh chooser for one video."""
        ...


@dataclass(frozen=True, slots=True)
class Argument:
    """The number that may follow a selector's name, as it is typed: ``NAME:NUMBER``.

    ``word`` stands for it in help, ``unit`` is what it counts; ``low`` to ``high`` are allowed.
    """

    word: str
    unit: str
    low: float
    high: float
    example: float
    required: bool = False

    def allows(self, number: float) -> bool:
        """Whether the number is in range; not a number is not."""
        return self.low <= number <= self.high


class NamedSelector(ABC):
    """A keyframe selector that people type; a subclass is a frozen dataclass.

    All that a selector needs stands on its class; the registry lists the classes. ``help`` says in
    a clause which frames it takes. The rest is that of :class:`KeyframeSelector`.
    """

    __slots__ = ()

    name: ClassVar[str]
    help: ClassVar[str]
    argument: ClassVar[Argument | None] = None
    least_distance: float

    @property
    @abstractmethod
    def recipe(self) -> str:
        """The selector and its options as a short stable string."""

    @property
    def animation_step_ms(self) -> int:
        """The distance between frames taken from an animated image, in milliseconds."""
        return ANIMATION_STEP_MS

    @abstractmethod
    def chooser(self) -> FrameChooser:
        """Return a fresh chooser for one video."""

    @classmethod
    def of(cls, number: float) -> Self:
        """Return the selector with its argument, which is in range: by default its first field."""
        return cls(number)  # type: ignore[call-arg]


def typed(name: str, argument: Argument | None) -> str:
    """Return how a selector is typed: ``iframe``, ``interval:SECONDS`` or ``scene[:THRESHOLD]``."""
    if argument is None:
        return name
    return f"{name}:{argument.word}" if argument.required else f"{name}[:{argument.word}]"


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
    ``track`` is 0 for the main video track, else the number of another one. ``foreground`` is what
    stands out from the background, as displayed, where whoever chose the frame looked for that.
    """

    pts_ms: int
    width: int
    height: int
    image: Image.Image
    span_ms: int = 0
    track: int = 0
    foreground: Mask | None = None


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
