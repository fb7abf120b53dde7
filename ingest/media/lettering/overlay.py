"""Which lines a recorder burned into its frames: its clock, and the camera's name.

They stand in the same place and have the same form from frame to frame: a clock's digits change,
its form does not. A sign in a still view stands in one place as well, so that place and form alone
do not make an overlay: what recurs has to say a date or a time, or be a name beside a clock or at
the edge of the frame that is the camera's or says of itself to be one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from search_core.schema.lettering import Line, plain_words

_DATE = re.compile(
    r"(?:19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d"
)
_TIME = re.compile(r"\d{1,2}\s?[:：]\s?\d{2}(?:\s?[:：.]\s?\d{2})?")
_CAMERA = re.compile(
    r"cam(?:era)?\s?\d|^ch(?:annel)?\s?\d|摄像|攝像|通道|镜头|camera", re.IGNORECASE
)
#: Recorders write along the upper and the lower edge.
_EDGE = 0.15
#: So often a form has to recur, and in so many of the frames.
_LEAST_FRAMES, _LEAST_SHARE = 3, 0.5
#: How far centres and heights of a recurring line differ at most, as fractions of the frame.
_SAME_PLACE = 0.03


@dataclass(slots=True)
class _Recurring:
    """A form in a place, and in how many frames it was."""

    form: str
    centre: float
    left: float
    frames: int = 0

    def is_like(self, form: str, line: Line) -> bool:
        left, top, _, bottom = line.box
        centre = (top + bottom) / 2
        near = abs(centre - self.centre) < _SAME_PLACE and abs(left - self.left) < _SAME_PLACE
        return near and form == self.form


class Overlays:
    """What the frames read so far say about overlays, by camera."""

    def __init__(self) -> None:
        self._frames: dict[str, int] = defaultdict(int)
        self._recurring: dict[str, list[_Recurring]] = defaultdict(list)

    def note(self, camera: str, lines: Iterable[Line]) -> None:
        """Take note of the lines of a camera's next frame."""
        self._frames[camera] += 1
        for line in lines:
            found = self._find(camera, line)
            if found is None:
                left, top, _, bottom = line.box
                found = _Recurring(_form(line.text), (top + bottom) / 2, left)
                self._recurring[camera].append(found)
            found.frames += 1

    def marked(self, camera: str, lines: Iterable[Line]) -> list[Line]:
        """Return the lines of one of the frames, each with whether it was burned in."""
        every = list(lines)
        clocks = [line for line in every if self._is_clock(camera, line)]
        return [
            replace(line, is_overlay=line in clocks or self._is_name(camera, line, clocks))
            for line in every
        ]

    def _is_clock(self, camera: str, line: Line) -> bool:
        has_date, has_time = _DATE.search(line.text), _TIME.search(line.text)
        if has_date and has_time and _is_at_edge(line):
            return True  # one frame is enough
        return bool(has_date or has_time) and self._recurs(camera, line)

    def _is_name(self, camera: str, line: Line, clocks: Iterable[Line]) -> bool:
        if not _is_at_edge(line) or not self._recurs(camera, line):
            return False
        name, own = _letters(line.text), _letters(camera)
        if own and name and (name in own or own in name):
            return True
        beside = any(abs(line.box[1] - clock.box[1]) < _SAME_PLACE for clock in clocks)
        return beside or _CAMERA.search(line.text) is not None

    def _recurs(self, camera: str, line: Line) -> bool:
        found = self._find(camera, line)
        least = max(_LEAST_FRAMES, _LEAST_SHARE * self._frames[camera])
        return found is not None and found.frames >= least

    def _find(self, camera: str, line: Line) -> _Recurring | None:
        form = _form(line.text)
        return next((one for one in self._recurring[camera] if one.is_like(form, line)), None)


def _form(text: str) -> str:
    """Return a text without blanks and case, each digit as 9."""
    return re.sub(r"\d", "9", "".join(text.casefold().split()))


def _letters(text: str) -> str:
    return "".join(plain_words(text))


def _is_at_edge(line: Line) -> bool:
    middle = (line.box[1] + line.box[3]) / 2
    return middle < _EDGE or middle > 1 - _EDGE
