"""What a region is, and the protocol and base class of what proposes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, Self

from PIL import Image

from ingest.media.base import DecodedFrame
from search_core.schema.entity import Box, RowKind

#: A crop is never smaller than this share of the picture's sides: what is smaller is a few pixels,
#: and needs what is around it.
LEAST_SIDE = 0.08
#: The shorter side of what most encoders take.
USUAL_INPUT_PX = 224


@dataclass(frozen=True, slots=True)
class Region:
    """A box of a keyframe, the ``number``-th of its kind; edges are fractions of the picture."""

    kind: RowKind
    number: int
    box: Box

    def cut(self, image: Image.Image) -> Image.Image:
        """Return what an image shows in the box."""
        left, top, right, bottom = self.box
        width, height = image.size
        x, y = round(left * width), round(top * height)
        return image.crop(
            (x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height)))
        )


class RegionFinder(Protocol):
    """Finds the regions of one video's keyframes, or of one photograph."""

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        """Return a keyframe's regions; keyframes come in order of time."""
        ...


class RegionProposer(Protocol):
    """A way to propose regions; picklable, and without state of its own.

    ``recipe`` is part of the ledger's key: whatever changes the boxes must change it.
    """

    @property
    def recipe(self) -> str:
        """The proposer and the numbers it works with, as a short stable string."""
        ...

    def finder(self, input_px: int = USUAL_INPUT_PX) -> RegionFinder:
        """Return a fresh finder for one video or photograph.

        ``input_px`` is the shorter side of what the encoder takes.
        """
        ...


def square_around(left: float, top: float, right: float, bottom: float, margin: float) -> Box:
    """Return the box round a thing's box, ``margin`` times as large, within the picture.

    It is as wide as it is high in shares of the picture, so that an encoder sees it in the shape in
    which it sees whole pictures, and no smaller than LEAST_SIDE.
    """
    side = min(1.0, max(LEAST_SIDE, margin * max(right - left, bottom - top)))
    x = min(max(0.0, (left + right - side) / 2), 1.0 - side)
    y = min(max(0.0, (top + bottom - side) / 2), 1.0 - side)
    return round(x, 4), round(y, 4), round(x + side, 4), round(y + side, 4)


class NamedProposer(ABC):
    """A proposer that people name; a subclass is a frozen dataclass.

    ``help`` says in a clause what its regions are. ``argument`` is the word for what has to follow
    the name, ``NAME:ARGUMENT``, "" for nothing. ``sees_motion``: it goes by what moves, and a
    still alone shows it nothing. The registry lists the classes.
    """

    __slots__ = ()

    name: ClassVar[str]
    help: ClassVar[str]
    argument: ClassVar[str] = ""
    sees_motion: ClassVar[bool] = False

    @classmethod
    def of(cls, argument: str) -> Self:
        """Return the proposer with its argument; raises UsageError for one that cannot be."""
        return cls()

    @property
    def spelling(self) -> str:
        """How it is recorded, and read again without looking at any file."""
        return self.name

    def check(self) -> None:  # noqa: B027 - most need nothing
        """Raise UsageError where what it needs is of no use; it may take a few seconds."""

    @property
    @abstractmethod
    def recipe(self) -> str:
        """The proposer and the numbers it works with, as a short stable string."""

    @abstractmethod
    def finder(self, input_px: int = USUAL_INPUT_PX) -> RegionFinder:
        """Return a fresh finder for one video or photograph.

        ``input_px`` is the shorter side of what the encoder takes.
        """


@dataclass(frozen=True, slots=True)
class GivenRegions:
    """Exactly these regions, by the moment of their keyframe: for keyframes that have them already.

    Internal: not a proposer people name, and not recorded.
    """

    by_pts_ms: Mapping[int, tuple[Region, ...]] = field(default_factory=dict)
    recipe: ClassVar[str] = "given"

    def finder(self, input_px: int = USUAL_INPUT_PX) -> GivenRegions:
        """Return itself: it has nothing to remember."""
        return self

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        """Return the regions of the keyframe of that moment."""
        return self.by_pts_ms.get(frame.pts_ms, ())
