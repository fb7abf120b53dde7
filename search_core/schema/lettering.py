"""What was read on a picture: its lines, how they are stored, and which of them words match.

Every row holds its lines as JSON, and a folded text of them that is searched with ``like``: words
without case, accents and punctuation, what looks alike written as one (0 and O, 1, I and l, 8 and
B, 5 and S), each line a second time without blanks. Clocks and camera names that a recorder burned
in are stored, but are not part of that text. Words of a query are folded in the same way, so that
an expression holds letters, digits and wildcards only, whatever somebody typed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

LETTERING_FIELD = "lettering"
#: Made of the lines wherever a row is written.
LETTERING_TEXT_FIELD = "lettering_text"
LETTERING_MAX_LENGTH = 16_384
#: Words this short, unless Chinese, must be words by themselves: "in" is in half of all others.
_SHORT = 2
#: From this length on, one character may be wrong.
_FUZZY_FROM = 4
#: An expression has some three patterns a character.
_MOST_WORDS, _LONGEST_WORD = 12, 40
_LOOK_ALIKE = str.maketrans("01i85", "ollbs")
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a picture.

    ``confidence`` is the reader's, 0 to 1. ``box`` is left, top, right and bottom as fractions of
    the picture as displayed. ``is_overlay``: a recorder burned it in (clock, camera name).
    """

    text: str
    confidence: float
    box: tuple[float, float, float, float]
    is_overlay: bool = False


def stored_lines(lines: Iterable[Line]) -> str:
    """Return lines as a row holds them; what does not fit is left out from the end."""
    kept: list[str] = []
    size = 2
    for line in lines:
        values = [line.text, round(line.confidence, 3), *(round(edge, 4) for edge in line.box)]
        text = json.dumps([*values, *([1] if line.is_overlay else [])], ensure_ascii=False)
        text = text.encode("utf-8", "replace").decode()
        size += len(text.encode()) + 1
        if size > LETTERING_MAX_LENGTH:
            break
        kept.append(text)
    return f"[{','.join(kept)}]"


@lru_cache(maxsize=4096)
def lines_of(stored: str) -> tuple[Line, ...]:
    """Read what :func:`stored_lines` returned; "" is of a picture that was not read."""
    if not stored:
        return ()
    return tuple(
        Line(text, confidence, (left, top, right, bottom), bool(rest))
        for text, confidence, left, top, right, bottom, *rest in json.loads(stored)
    )


def plain_words(text: str) -> list[str]:
    """Return the words of a text without case, accents and punctuation."""
    folded = unicodedata.normalize("NFKC", text).replace("ß", "s").casefold()
    letters = (c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    kept = "".join(c if c.isalnum() else " " for c in letters)
    return unicodedata.normalize("NFC", kept).split()


def look_alike(word: str) -> str:
    """Return a plain word with what looks alike written as one."""
    return word.translate(_LOOK_ALIKE)


def searched_text(stored: str) -> str:
    """Return what a row's lines are searched by: " istanbul grill  istanbulgrill  open ", folded.

    Two blanks stand between lines, so that no pattern of one word reaches into the next line.
    """
    parts: list[str] = []
    size = 2
    for line in lines_of(stored):
        words = [look_alike(word) for word in plain_words(line.text)]
        if line.is_overlay or not words:
            continue
        forms = [" ".join(words), *(["".join(words)] if len(words) > 1 else [])]
        size += sum(len(form.encode()) + 2 for form in forms)
        if size > LETTERING_MAX_LENGTH:
            break
        parts += forms
    return f" {'  '.join(parts)} " if parts else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How well words match what was read: ``tier`` 0 is best, ``lines`` those that match.

    0: as typed; 1: but for case, accents and blanks; 2: within a longer word; 3: but for what looks
    alike; 4: but for one character.
    """

    tier: int
    confidence: float
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Wording:
    """Words to be found on pictures, all of them: each of ``phrases`` is some words in a row."""

    phrases: tuple[str, ...]

    @cached_property
    def _words(self) -> tuple[_Word, ...]:
        typed = [word for phrase in self.phrases for word in _split(phrase)]
        every = [_Word(raw, plain) for raw in typed if (plain := "".join(plain_words(raw)))]
        every = list(dict.fromkeys(every))[:_MOST_WORDS]
        # "of" and "RD" are often what is not read: longer words beside them are enough.
        return tuple([word for word in every if not word.is_short] or every)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be found: not one letter or digit."""
        return not self._words

    def patterns(self, *, fuzzy: bool) -> list[list[str]]:
        """Return the patterns of ``like`` of each word, one of which must match."""
        return [word.patterns(fuzzy=fuzzy) for word in self._words]

    def matches(self, searched: str, *, fuzzy: bool) -> bool:
        """Whether a row's searched text has all words: what the patterns mean, said in Python."""
        return not self.is_empty and all(word.finds(searched, fuzzy=fuzzy) for word in self._words)

    def reading(self, stored: str) -> Reading | None:
        """Return how well a row's lines match, None where they do not."""
        lines = [line for line in lines_of(stored) if not line.is_overlay]
        found: list[Line] = []
        worst = 0
        for word in self._words:
            tiers = [(tier, line) for line in lines if (tier := word.tier(line)) is not None]
            if not tiers:
                return None
            best = min(tier for tier, _ in tiers)
            found += [line for tier, line in tiers if tier == best]
            worst = max(worst, best)
        if not found:
            return None
        matched = tuple(line for line in lines if line in found)
        if any(_in_a_row(self.phrases, line) for line in matched):
            matched = tuple(line for line in matched if _in_a_row(self.phrases, line))
            worst = min(worst, 1)
        return Reading(worst, max(line.confidence for line in matched), matched)


def _split(phrase: str) -> list[str]:
    """Return a phrase's words; one of short words alone, such as a plate, counts as one word."""
    words = phrase.split()
    if len(words) > 1 and all(len("".join(plain_words(word))) <= _SHORT for word in words):
        return [phrase]
    return words


def _in_a_row(phrases: Sequence[str], line: Line) -> bool:
    """Whether a line holds the one phrase of several words, but for case and blanks."""
    if len(phrases) != 1 or len(phrases[0].split()) < 2:
        return False
    return "".join(plain_words(phrases[0])) in "".join(plain_words(line.text))


@dataclass(frozen=True)
class _Word:
    """One word that is looked for, as typed and plain."""

    raw: str
    plain: str

    @property
    def is_short(self) -> bool:
        return len(self.plain) <= _SHORT and not _IDEOGRAPHS.search(self.plain)

    @cached_property
    def folded(self) -> str:
        return look_alike(self.plain)[:_LONGEST_WORD]

    def patterns(self, *, fuzzy: bool) -> list[str]:
        """Return the patterns of which one must match a row's searched text."""
        word = self.folded
        if self.is_short:
            return [f"% {word} %"]
        found = [f"%{word}%"]
        if fuzzy and len(word) >= _FUZZY_FROM and not _IDEOGRAPHS.search(word):
            places = range(len(word))
            wrong = [f"{word[:at]}_{word[at + 1 :]}" for at in places]
            more = [f"{word[:at]}_{word[at:]}" for at in places if at]
            fewer = [f"{word[:at]}{word[at + 1 :]}" for at in places]
            found += [f"% {form} %" for form in dict.fromkeys([*wrong, *more, *fewer])]
        return found

    def finds(self, searched: str, *, fuzzy: bool) -> bool:
        return _regex(self.folded, self.is_short, fuzzy).search(searched) is not None

    def tier(self, line: Line) -> int | None:
        """Return how well a line matches, None where it does not."""
        plain = plain_words(line.text)
        if (
            self.raw == line.text
            or self.raw in line.text.split()
            or (not plain and self.raw in line.text)
        ):
            return 0
        joined = "".join(plain)
        if self.plain in plain or self.plain == joined:
            return 1
        if not self.is_short and self.plain in joined:
            return 2
        searched = searched_text(stored_lines([line]))
        if self.finds(searched, fuzzy=False):
            return 3
        return 4 if self.finds(searched, fuzzy=True) else None


@lru_cache(maxsize=1024)
def _regex(folded: str, is_short: bool, fuzzy: bool) -> re.Pattern[str]:
    """Return a word's patterns as one regular expression."""
    word = _Word(folded, folded)
    forms = [pattern.strip("%") for pattern in word.patterns(fuzzy=fuzzy)]
    return re.compile("|".join(re.escape(form).replace("_", ".") for form in forms), re.DOTALL)
