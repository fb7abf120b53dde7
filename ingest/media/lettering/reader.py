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
#: A photograph whose shorter side is less is enlarged: of eight small words on real ones one was
#: read as they are, six like this. Frames of videos are read as they are, at a third of the cost.
PHOTO_PX = 736
#: Lines that are less sure are noise: window bars, branches, rain.
LEAST_CONFIDENCE = 0.6
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

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,  # nothing on a street stands on its head
                "Global.text_score": LEAST_CONFIDENCE,
                "Det.limit_type": "max",
                "Det.limit_side_len": LONGEST_PX,
                # Decoding and embedding have the other cores; two threads cost twice the work here.
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, image: Image.Image, shortest_px: int = 0) -> list[Line]:
        """Return the lines on an upright RGB picture, from the top down.

        One whose shorter side is less than ``shortest_px`` is enlarged to that.
        """
        if min(image.size) < _LEAST_PX:
            return []
        if (scale := shortest_px / min(image.size)) > 1:
            size = round(image.width * scale), round(image.height * scale)
            image = image.resize(size, Image.Resampling.BICUBIC)
        width, height = image.size
        found = self._engine(np.asarray(image.convert("RGB"))[:, :, ::-1])
        if found.boxes is None or found.txts is None or found.scores is None:
            return []
        lines = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            across, down = np.asarray(corners, dtype=np.float64).T
            edges = (across.min() / width, down.min() / height)
            far = (across.max() / width, down.max() / height)
            left, top, right, bottom = (float(min(1.0, max(0.0, e))) for e in (*edges, *far))
            if text.strip() and (len(text.strip()) > 1 or score >= _LEAST_OF_ONE):
                lines.append(Line(text.strip(), float(score), (left, top, right, bottom)))
        return lines
