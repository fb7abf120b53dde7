"""What a keyframe selector is: the protocols of selectors, choosers and what they see, and the
base class of selectors that people type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingest.media.video.gop import Stretch

#: A frame at low resolution: RGB uint8 (SMALL_HEIGHT, SMALL_WIDTH, 3), each value the mean of its
#: block, so that a sensor's noise is averaged away and what is left are things and light.
SmallPicture: TypeAlias = NDArray[np.uint8]
SMALL_WIDTH, SMALL_HEIGHT = 64, 36

#: The usual distance of frames taken from an animated image.
ANIMATION_STEP_MS = 1_000


class SeenFrame(Protocol):
    """A decoded frame, as a chooser sees it.

    ``ends_ms`` may be set by the chooser: what the frame shows was over then, although there was no
    other keyframe yet.
    """

    ends_ms: int | None

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
        """Return the selector with its argument, which is in range."""
        raise NotImplementedError(f"{cls.name} takes no argument")


def typed(name: str, argument: Argument | None) -> str:
    """Return how a selector is typed: ``iframe``, ``interval:SECONDS`` or ``scene[:THRESHOLD]``."""
    if argument is None:
        return name
    return f"{name}:{argument.word}" if argument.required else f"{name}[:{argument.word}]"
