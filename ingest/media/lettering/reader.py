"""RapidOCR as what reads pictures; of the extra ``reading``, imported when something is read.

Its three models (PP-OCRv6, Apache-2.0) lie in its wheel: nothing is downloaded. Without the extra
nothing is read, and all else works.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from PIL import Image

from search_core.messages import Message
from search_core.schema.lettering import Line

#: What installs what is missing.
INSTALL = "pip install 'sightline[reading]'"
#: Where lines are looked for, longer sides are scaled down to this: 640 x 360 takes 0.4 s of a
#: core, 1280 x 720 and all that is larger some 1.5 s. They are read at full size.
LONGEST_PX = 1280
#: On photographs they are looked for once more, with the shorter side enlarged to this: of eight
#: small words on real ones two are found as they are, and seven like this, which loses large ones.
#: Frames of videos are read once: it takes four times as long and finds fewer. What is not read on
#: rendered lorries is out of focus: enlarged, it is only more so (docs/figures.md).
PHOTO_PX = 736
#: Smaller photographs are read once: enlarged that far, each takes as long as a large one.
_MOST_ENLARGED = 2
#: Lines whose boxes share more than this of the smaller one are one line.
_SAME_LINE = 0.5
#: Lines that are less sure are noise: window bars, branches, rain. Of 0.5 to 0.95 it has the best
#: F1 of words found and other lines on half of the rendered words, and is 0.002 below the best on
#: the other half (`python -m benchmarks lettering`).
LEAST_CONFIDENCE = 0.75
#: A single character has to be surer: a pole is an "i", a wheel an "o".
_LEAST_OF_ONE = 0.9
#: No picture of interest is narrower than this; RapidOCR fails on some that are.
_LEAST_PX = 8


def is_installed() -> bool:
    """Whether pictures can be read here."""
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


def what_is_missing() -> str:
    """Return what to say where nothing can be read, "" where it can."""
    if is_installed():
        return ""
    return Message(
        "what reads lettering is not installed; `{command}` installs it", command=INSTALL
    )


class Reader:
    """Reads pictures one after the other, on one core; loading it takes a second."""

    def __init__(self, least_confidence: float = LEAST_CONFIDENCE) -> None:
        self._least = least_confidence
        self._frames = _engine("max", LONGEST_PX, least_confidence)
        self._photographs: Any = None

    def read(self, image: Image.Image, *, is_photograph: bool = False) -> list[Line]:
        """Return the lines on an upright RGB picture, from the top down."""
        if min(image.size) < _LEAST_PX:
            return []
        pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]
        lines = _lines(self._frames(pixels), image.size)
        if is_photograph and PHOTO_PX / _MOST_ENLARGED < min(image.size) < PHOTO_PX:
            self._photographs = self._photographs or _engine("min", PHOTO_PX, self._least)
            lines = _united(lines, _lines(self._photographs(pixels), image.size))
        return lines


def _lines(found: Any, size: tuple[int, int]) -> list[Line]:
    """Return what RapidOCR found on a picture of a size (width, height) as lines."""
    if found.boxes is None or found.txts is None or found.scores is None:
        return []
    lines = []
    for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        shares = (np.asarray(corners, dtype=np.float64) / size).clip(0, 1)
        (left, top), (right, bottom) = shares.min(axis=0).tolist(), shares.max(axis=0).tolist()
        text = text.strip()
        if text and (len(text) > 1 or score >= _LEAST_OF_ONE):
            lines.append(Line(text, float(score), (left, top, right, bottom)))
    return lines


def _united(lines: list[Line], others: list[Line]) -> list[Line]:
    """Return the lines of two readings of a picture, from the top down; of two the surer one."""
    kept: list[Line] = []
    for line in sorted([*lines, *others], key=lambda line: -line.confidence):
        if all(_shared(line, other) <= _SAME_LINE for other in kept):
            kept.append(line)
    return sorted(kept, key=lambda line: (line.box[1], line.box[0]))


def _shared(one: Line, other: Line) -> float:
    """Return how much of the smaller of two lines' boxes both cover, 0 to 1."""
    wide = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    high = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one.box, other.box)]
    return max(0.0, wide) * max(0.0, high) / max(min(areas), 1e-9)


def _engine(limit: str, side_px: int, least_confidence: float) -> Any:
    """Return RapidOCR, looking for lines at the scale at which a side has a limit."""
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,  # nothing on a street stands on its head
            "Global.text_score": least_confidence,
            "Det.limit_type": limit,
            "Det.limit_side_len": side_px,
            # Other processes have the other cores; two threads cost twice the work here.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
