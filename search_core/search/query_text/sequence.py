"""Sentences of two things, one after the other: "a white van, then a person running, within 2
minutes", "先一辆白色货车，然后一个人在跑，两分钟内".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from search_core.messages import Message
from search_core.search.query_text.chinese import written_number
from search_core.search.query_text.english import number_of

#: How long the second may take where the sentence does not say.
USUAL = timedelta(minutes=2)
LONGEST = timedelta(days=1)
_THEN = re.compile(
    r"\s*(?:[,;]\s*(?:and\s+)?then\b|\band\s+then\b|\bthen(?=\s+(?:an?|the|two|three|some\w*|people)\b)"
    r"|,?\s*\bfollowed\s+by\b)\s*,?\s*",
    re.IGNORECASE,
)
_THEN_ZH = re.compile(r"\s*(?:[，,；;]?\s*(?:然后|随后|接着|之后)|[，,；;]\s*再)\s*[，,]?\s*")
_FIRST = re.compile(r"^\s*(?:first(?:ly)?\b,?|先(?:是)?有?)\s*", re.IGNORECASE)
_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600}
_WITHIN = re.compile(
    r"[\s,;]*\b(?:within|in\s+less\s+than|no\s+more\s+than|at\s+most)\s+"
    r"(?P<number>\d{1,4}|half\s+an?|[a-z-]+)\s+(?P<unit>second|sec|minute|min|hour|hr)s?"
    r"(?:\s+(?:later|after(?:wards)?|of\s+(?:it|each\s+other)))?\b",
    re.IGNORECASE,
)
_UNITS_ZH = {"秒": 1, "秒钟": 1, "分钟": 60, "小时": 3600, "个小时": 3600}
_WITHIN_ZH = re.compile(
    r"[\s，,；;]*(?:在|相隔)?(?P<number>\d{1,4}|[一二两三四五六七八九十]{1,3}|半)\s*"
    r"(?P<unit>秒钟?|分钟|个?小时)(?:之内|以内|内)"
)
_ANYWHERE = re.compile(
    r"[\s,;，；]*(?:\bon\s+(?:any|another|whichever)\s+camera\b|任意摄像头|任何摄像头|不限摄像头)"
    r"[上中]?",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」")


@dataclass(frozen=True, slots=True)
class Sequence:
    """Two things to look for, the second up to ``within`` after the first.

    Both are on one camera, or on ``any_camera``. ``words`` is what joins them in the sentence.
    """

    first: str
    second: str
    within: timedelta = USUAL
    any_camera: bool = False
    words: str = ""

    @property
    def meaning(self) -> Message:
        """What the sentence was taken for, as people read it."""
        seconds = round(self.within.total_seconds())
        length = Message("{count} s", count=seconds)
        if seconds % 60 == 0:
            length = Message("{count} min", count=seconds // 60)
        text = Message(
            "“{first}”, then “{second}” within {length}",
            first=self.first,
            second=self.second,
            length=length,
        )
        if self.any_camera:
            text = Message(
                "“{first}”, then “{second}” within {length} on any camera",
                first=self.first,
                second=self.second,
                length=length,
            )
        return text


def read_sequence(sentence: str, *, literal: Collection[str] = ()) -> Sequence | None:
    """Return the two things that a sentence says one after the other, None for one that does not.

    Words in quotation marks join nothing, nor do ``literal`` ones.
    """
    quoted = [match.span() for match in _QUOTED.finditer(sentence)]
    for words in filter(None, literal):
        found = re.finditer(re.escape(words), sentence, re.IGNORECASE)
        quoted += [match.span() for match in found]
    joints = [
        match
        for pattern in (_THEN, _THEN_ZH)
        for match in pattern.finditer(sentence)
        if not any(start < match.end() and match.start() < end for start, end in quoted)
    ]
    if len(joints) != 1:
        return None
    [joint] = joints
    within, rest = _within(sentence[joint.end() :])
    second, anywhere = _ANYWHERE.subn("", rest)
    first, second = (_tidy(text) for text in (_FIRST.sub("", sentence[: joint.start()]), second))
    if not re.search(r"\w", first) or not re.search(r"\w", second):
        return None
    return Sequence(first, second, within, bool(anywhere), _plain(joint[0]))


def _within(text: str) -> tuple[timedelta, str]:
    """Return the length of time that a text says, and the text without it."""
    for pattern, units, number in (
        (_WITHIN, _UNITS, number_of),
        (_WITHIN_ZH, _UNITS_ZH, written_number),
    ):
        match = pattern.search(text)
        count = None if match is None else _count(match["number"], number)
        if match is not None and count is not None:
            length = timedelta(seconds=units[match["unit"].lower()]) * count
            if timedelta() < length <= LONGEST:
                return length, text[: match.start()] + text[match.end() :]
    return USUAL, text


def _count(written: str, number: Callable[[str], int]) -> float | None:
    if re.match(r"half|半", written, re.IGNORECASE):
        return 0.5
    try:
        return float(number(written))
    except (KeyError, ValueError):
        return None


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" ,，;；").casefold()


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" ,，;；。.")
