"""Cameras as sentences name them: "at the gate", "on the gate camera", "在大门口".

Only names that the library has, and that whoever asks may see, are ever compared. A name that is
a word of its own needs words that make a place of it: with a camera "gate", "a red gate" stays what
to look for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from search_core.schema.filters import Filter
from search_core.search.query_text.candidate import Candidate

_CAMERA = r"(?:camera|cam)"
_NO_PLACES = ("night", "noon", "midnight", "dawn", "dusk", "home", "work", "school", "sea", "last")
_LENS = "(?:摄像头|摄像机|相机|镜头|监控)"
#: What may come after a name in Chinese; before others it is a part of another place's name.
_HERE = r"(?![口外旁前后侧边对附楼室店厅房])(?:处|那里|里|内)?的?"
#: Whoever does this at something names a thing and no place.
_ACTIONS = (
    "look", "point", "star", "wav", "throw", "knock", "kick", "push", "aim", "shoot", "smil",
    "bark", "shout", "laugh", "peek", "glanc", "gaz", "grab", "pull", "tug", "bang", "nod",
)  # fmt: skip
_DONE_TO = re.compile(rf"\b(?:{'|'.join(_ACTIONS)})(?:e|s|es|ed|ing)?\s+$", re.IGNORECASE)
#: What a camera may be introduced by: without it no library is asked for its cameras.
_HINT = re.compile(
    rf"\b(?:at|in|on|by|near|{_CAMERA}s?)\b|\d|[-_]\w|[\u3400-\u9fff]", re.IGNORECASE
)


def may_name_camera(text: str) -> bool:
    """Whether a sentence can name a camera at all."""
    return _HINT.search(text) is not None


def named_cameras(text: str, names: Sequence[str]) -> Iterator[Candidate]:
    """Yield where a sentence names cameras."""
    for name in names:
        words = re.findall(r"[^\W\d_]+|\d+", name)  # "cam 1" is cam1 as well
        if not words:
            continue
        find = _chinese if re.search(r"[\u3400-\u9fff]", name) else _english
        for start, end, soft in find(text, words):
            yield Candidate(start, end, Filter(cameras=(name,)), soft)


def _english(text: str, words: Sequence[str]) -> Iterator[tuple[int, int, bool]]:
    name = r"[\s_-]*".join(map(re.escape, words))
    end = r"(?![\w'’])(?!-\w)"
    start = r"(?<![\w'’-])"
    place = r"(?:at|in|on|by|near|from|of)\s+(?:the\s+)?"
    for pattern in (
        rf"{start}(?:{place})?{name}\s*{_CAMERA}{end}",
        rf"{start}(?:{place})?{_CAMERA}\s*[:#]?\s*{name}{end}",
        rf"{start}[在从]?第?{name}[号#]?{_LENS}(?:里|上|的)?",
    ):
        yield from ((*found.span(), False) for found in re.finditer(pattern, text, re.IGNORECASE))
    if len("".join(words)) < 3 or "".join(words).isdigit() or words[0].lower() in _NO_PLACES:
        return  # "at 3" is no camera, and "at night" neither
    # "in the street" says what is to be seen; "in the car park" is a name as a whole.
    is_distinct = len(words) > 1 or any(letter.isdigit() for letter in words[0])
    places = r"(?:at|in|on|by|near)" if is_distinct else "at"
    for found in re.finditer(rf"{start}{places}\s+(?:the\s+)?{name}{end}", text, re.IGNORECASE):
        if not _DONE_TO.search(text[: found.start()]):
            yield (*found.span(), True)
    if any(letter.isdigit() for letter in "".join(words)):
        for found in re.finditer(rf"{start}{name}{end}", text, re.IGNORECASE):
            yield (*found.span(), True)


def _chinese(text: str, words: Sequence[str]) -> Iterator[tuple[int, int, bool]]:
    name = r"[\s_-]*".join(map(re.escape, words))
    for pattern in (rf"[在从于]?{name}的?{_LENS}(?:里|上|拍到的|的)?", rf"{_LENS}{name}"):
        yield from ((*found.span(), False) for found in re.finditer(pattern, text))
    yield from ((*found.span(), False) for found in re.finditer(rf"[在于]{name}{_HERE}", text))
    # By itself between blanks, or right after a time, which the reader knows.
    for found in re.finditer(rf"(?:(?<=^)|(?<=[\s,，。;；、])){name}(?=$|[\s,，。;；、])", text):
        yield (*found.span(), False)


def after_a_time(text: str, names: Sequence[str], ends: Sequence[int]) -> Iterator[Candidate]:
    """Yield Chinese names of cameras that stand right where a phrase about a time ends."""
    for name in names:
        if re.search(r"[\u3400-\u9fff]", name):
            pattern = re.compile(rf"\s*({re.escape(name)}{_HERE})")
            for found in filter(None, (pattern.match(text, end) for end in ends)):
                yield Candidate(*found.span(1), Filter(cameras=(name,)))
