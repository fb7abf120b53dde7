"""``detector:FILE``: the boxes of an object detector in an ONNX file that the user names.

Boxes alone: what a model calls things does not matter. The file is identified by its digest, which
is part of the recipe and stands in what is recorded, so that another file in its place is noticed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Self

from PIL import Image

from ingest.media.base import DecodedFrame
from ingest.media.regions.base import (
    LEAST_SIDE,
    USUAL_INPUT_PX,
    NamedProposer,
    Region,
    square_around,
)
from ingest.media.regions.onnx_model import LEAST_SCORE, OnnxModel
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.schema.entity import Box
from search_core.system.child_process import ChildProcess, parent_process

#: What installs what is missing.
INSTALL = "pip install 'sightline[reading]'"
#: Detectors have 4 to 500 MB.
MOST_BYTES = 1024**3
#: Detectors draw boxes closely, and context helps an encoder.
_MARGIN = 1.25
#: What takes more of the picture's sides than this is what the whole picture shows.
_MOST_SIDE = 0.75
#: Boxes that share more than this of what both cover are one.
_SAME = 0.6
MOST_BOXES = 16
_PINNED = re.compile(r"(.+)#([0-9a-f]{16})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Detector(NamedProposer):
    """The surest boxes that the model of a file finds; ``digest`` is of the file's content."""

    name: ClassVar[str] = "detector"
    help: ClassVar[str] = "boxes of an object detector in an ONNX file"
    argument: ClassVar[str] = "FILE"
    path: Path
    digest: str

    @classmethod
    def of(cls, argument: str) -> Self:
        """Return the detector of a file, or of a file and its digest as recorded.

        Only without a digest is the file looked at. Raises UsageError where it is not there, or
        where what runs it is not installed.
        """
        if pinned := _PINNED.fullmatch(argument):
            return cls(Path(pinned[1]), pinned[2])
        if not argument.strip():
            raise UsageError("No file is named.", "Use detector:FILE with an ONNX file.")
        if importlib.util.find_spec("onnxruntime") is None:
            raise UsageError(
                "What runs detectors is not installed.",
                "`{command}` installs it.",
                command=INSTALL,
            )
        path = Path(argument.strip()).expanduser().absolute()
        try:
            status = path.stat()
            if not path.is_file():
                raise UsageError("{path} is not a file.", "Name an ONNX file.", path=path)
            if status.st_size > MOST_BYTES:
                raise UsageError(
                    "{path} has {size:.1f} GB.",
                    "A detector may have 1 GB.",
                    path=path,
                    size=status.st_size / 1e9,
                )
            return cls(path, _digest(path, status.st_size, status.st_mtime_ns))
        except OSError as error:
            raise UsageError(
                "The detector {path} cannot be read: {reason}.",
                "Name an ONNX file.",
                path=path,
                reason=in_words(error),
            ) from None

    @property
    def recipe(self) -> str:
        """The file's digest, and the numbers that boxes are chosen with."""
        return (
            f"detector:{self.digest}:{LEAST_SCORE:g}:{_MARGIN:g}:{LEAST_SIDE:g}:{_MOST_SIDE:g}"
            f":{_SAME:g}:{MOST_BOXES}:1"
        )

    @property
    def spelling(self) -> str:
        """How it is recorded: with its file's place and digest."""
        return f"{self.name}:{self.path}#{self.digest}"

    def finder(self, input_px: int = USUAL_INPUT_PX) -> _Finder:
        """Return a finder that loads the model at the first picture."""
        return _Finder(self)

    def check(self) -> None:
        """Run the model once, in a process of its own; raises UsageError where it is of no use."""
        _check(self)


@lru_cache(maxsize=8)
def _check(detector: Detector) -> None:
    try:
        with closing(ChildProcess(_ENTRY, _HANG_S)) as child:
            told = [each for each in child.told(detector, lambda each: each is not None) if each]
    except MediaError as error:
        told = [error.message]
    if told:
        raise UsageError(
            "The detector {path} {reason}.",
            "docs/footage.md says which detectors can be used.",
            path=detector.path,
            reason=told[0],
        )


class _Finder:
    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def regions_of(self, frame: DecodedFrame) -> Sequence[Region]:
        try:
            model = _loaded(self._detector)
            boxes, _ = model.find(frame.image)
        except MediaError as error:
            raise MediaError(
                "cannot be given regions: the detector {path} {reason}",
                path=self._detector.path,
                reason=error.message,
            ) from None
        return [
            Region("detector", number, box) for number, box in enumerate(_merged(boxes.tolist()))
        ]


def _merged(boxes: Sequence[Sequence[float]]) -> list[Box]:
    """Return boxes, the surest first, with a margin; of those nearly the same, the surest."""
    kept: list[Box] = []
    for left, top, right, bottom in boxes:
        box = square_around(left, top, right, bottom, _MARGIN)
        if box[2] - box[0] > _MOST_SIDE or any(_shared(box, other) > _SAME for other in kept):
            continue
        kept.append(box)
        if len(kept) == MOST_BOXES:
            break
    return kept


def _shared(one: Box, other: Box) -> float:
    """Return how much of what two boxes cover both of them do, 0 to 1."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one, other)]
    return wide * high / max(sum(areas) - wide * high, 1e-9)


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Return the digest of a file, which is read again when it is another."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@lru_cache(maxsize=1)
def _loaded(detector: Detector) -> OnnxModel:
    """Load a detector's model, once a process; raises MediaError."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise MediaError("cannot be run: `{command}` installs what runs it", command=INSTALL)
    try:
        with detector.path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise MediaError("cannot be read: {reason}", reason=in_words(error)) from None
    if hashlib.sha256(data).hexdigest()[:16] != detector.digest:
        raise MediaError("is another file than it was; name it again to use it")
    return OnnxModel(data)


_ENTRY = "ingest.media.regions.detector:main"
_HANG_S = 120.0
_MOST_MEMORY_BYTES = 6 * 1024**3
_TRIED_PX = (640, 360)


def main(handle: int) -> None:
    """Serve the connection with this file descriptor: say what is wrong with each detector."""
    with parent_process(handle, "", most_memory_bytes=_MOST_MEMORY_BYTES) as connection:
        try:
            while True:
                connection.send(_fault_of(connection.recv()))
        except (EOFError, OSError):
            return


def _fault_of(detector: Detector) -> str:
    try:
        _loaded(detector).find(Image.new("RGB", _TRIED_PX, (114, 114, 114)))
    except MediaError as error:
        return error.message
    except MemoryError:
        return Message("needs more memory than there is")
    return ""
