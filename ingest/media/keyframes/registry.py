"""The keyframe selectors that people type; help, hints and parsing are made from their classes.

Every module of this package is imported, so that a new selector is one new file.

``+distinct[:DISTANCE]`` after any of them leaves out near-duplicates among what it chooses, by two
gates, the cheap one first. Where pictures are decoded, a difference hash (Krawetz, "Kind of like
that", 2013: 64 bits, each whether a block is brighter than its neighbour) and the mean colour are
compared with those of the keyframe before. It sees no small things: on the sample footage no
appearance is lost when two bits may differ, but one of fifty at four bits and two at eight. Where
pictures are embedded, what is left is compared by the cosine of its embedding to that of the
keyframe before.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ingest.media.base import (
    Argument,
    FrameChooser,
    KeyframeSelector,
    NamedSelector,
    SeenFrame,
    SmallPicture,
    typed,
)
from ingest.media.keyframes.analysis.background import LEAST_LEVELS
from ingest.media.video.gop import Stretch
from search_core.errors import UsageError

#: Bits of the hash in which near-duplicates may differ.
MOST_BITS = 2
#: A quarter of the sample footage's codec keyframes are nearer than this to the one before, two
#: seconds earlier (the demo's encoder; encoders differ).
DEFAULT_DISTANCE = 0.01


@dataclass(frozen=True, slots=True)
class Distinct:
    """What ``way`` chooses, without frames that look like the keyframe before them.

    ``least_distance`` is the cosine distance of embeddings below which they do.
    """

    name: ClassVar[str] = "distinct"
    help: ClassVar[str] = "leaves near-duplicates out"
    argument: ClassVar[Argument] = Argument(
        "DISTANCE", "cosine distance", 0.0001, 0.5, example=0.05
    )
    way: KeyframeSelector
    least_distance: float = DEFAULT_DISTANCE

    @property
    def recipe(self) -> str:
        """The way's own, ``+distinct:`` and the thresholds."""
        return f"{self.way.recipe}+distinct:{MOST_BITS}:{self.least_distance:g}"

    @property
    def animation_step_ms(self) -> int:
        """The way's own distance of frames taken from animated images."""
        return self.way.animation_step_ms

    def chooser(self) -> _Chooser:
        """Return a chooser that has kept nothing yet."""
        return _Chooser(self.way.chooser())


class _Chooser:
    def __init__(self, way: FrameChooser) -> None:
        self._way = way
        self._left_out = 0
        self._kept: tuple[NDArray[np.bool_], NDArray[np.float64]] | None = None

    @property
    def left_out(self) -> int:
        """What the way leaves out, and what looked like the keyframe before it."""
        return self._way.left_out + self._left_out

    def depth(self, stretch: Stretch[Any]) -> int:
        return self._way.depth(stretch)

    def offer(self, frame: SeenFrame) -> Sequence[SeenFrame]:
        return self._without_duplicates(self._way.offer(frame))

    def finish(self) -> Sequence[SeenFrame]:
        return self._without_duplicates(self._way.finish())

    def _without_duplicates(self, frames: Iterable[SeenFrame]) -> list[SeenFrame]:
        kept = []
        for frame in frames:
            picture = frame.small()
            marks = difference_hash(picture), picture.mean(axis=(0, 1))
            if self._kept is not None:
                bits = np.count_nonzero(marks[0] != self._kept[0])
                if bits <= MOST_BITS and np.abs(marks[1] - self._kept[1]).max() < LEAST_LEVELS:
                    self._left_out += 1
                    continue
            self._kept = marks
            kept.append(frame)
        return kept


def difference_hash(picture: SmallPicture) -> NDArray[np.bool_]:
    """Return 64 bits (8, 8): whether each of 9 x 8 blocks is brighter than the one to its right."""
    grey = picture.mean(axis=2)
    rows = [rows.mean(axis=0) for rows in np.array_split(grey, 8, axis=0)]
    blocks = [np.stack(rows)[:, cols].mean(axis=1) for cols in _columns(grey.shape[1])]
    levels = np.stack(blocks, axis=1)
    # Neighbours as bright as each other would flip with the noise.
    return np.asarray(levels[:, :-1] > levels[:, 1:] + 1.0)


def _columns(width: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(width), 9)


#: What is used where nothing else is asked for.
_USUAL = "auto"


def _found() -> dict[str, type[NamedSelector]]:
    package = import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name != __name__:
            import_module(module.name)
    selectors = {selector.name: selector for selector in NamedSelector.__subclasses__()}
    return dict(sorted(selectors.items(), key=lambda named: (named[0] != _USUAL, named[0])))


#: Every selector by its name, the usual one first.
SELECTORS: dict[str, type[NamedSelector]] = _found()


def parse_selector(text: str) -> KeyframeSelector:
    """Return the selector named by ``auto``, ``iframe``, ``interval:SECONDS`` and so on.

    Raises UsageError, with all the ways there are, for anything else.
    """
    way, plus, distinct = text.strip().lower().partition("+")
    found = _way(way)
    if found is not None and plus:
        found = _distinct(found, distinct)
    if found is None:
        raise UsageError("Unknown keyframe selector {text!r}.", selector_hint(), text=text)
    return found


def selector_help() -> str:
    """Return which selectors there are and what each takes, for the help of an option."""
    ways = [
        f"{typed(name, selector.argument)} ({selector.help})"
        for name, selector in SELECTORS.items()
    ]
    return f"{', '.join(ways)}; +{Distinct.name} after any {Distinct.help}."


def selector_hint() -> str:
    """Return how selectors are typed and which numbers they take, for an error."""
    *ways, last = [
        f"{typed(name, selector.argument)}{_numbers(name, selector.argument)}"
        for name, selector in SELECTORS.items()
    ]
    distinct = f"+{typed(Distinct.name, Distinct.argument)}"
    return (
        f"Use {', '.join(ways)}, or {last}. Any of them may end in {distinct}"
        f"{_numbers(distinct, Distinct.argument)}, which {Distinct.help}."
    )


def selector_examples() -> list[str]:
    """Return each selector as it may be typed, in short: ``auto``, ``interval:2``."""
    return [
        f"{name}:{selector.argument.example:g}"
        if selector.argument is not None and selector.argument.required
        else name
        for name, selector in SELECTORS.items()
    ]


def _numbers(way: str, argument: Argument | None) -> str:
    if argument is None:
        return ""
    example = f" such as {way}:{argument.example:g}" if argument.required else ""
    return f"{example} ({argument.low:g} to {argument.high:g} {argument.unit})"


def _way(text: str) -> KeyframeSelector | None:
    name, colon, argument = text.partition(":")
    selector = SELECTORS.get(name)
    if selector is None:
        return None
    if colon:
        number = _number(argument, selector.argument)
        return None if number is None else selector.of(number)
    needs = selector.argument is not None and selector.argument.required
    return None if needs else selector()


def _distinct(way: KeyframeSelector, text: str) -> KeyframeSelector | None:
    name, colon, argument = text.partition(":")
    if name != Distinct.name:
        return None
    if not colon:
        return Distinct(way)
    number = _number(argument, Distinct.argument)
    return None if number is None else Distinct(way, number)


def _number(text: str, argument: Argument | None) -> float | None:
    """Return the number typed, None for one that is out of range or none at all."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if argument is not None and argument.allows(number) else None
