"""Search by what was read: quoted words, words of a sentence that may be lettering, and how what
was read and what was seen become one order.

Quoted words must have been read on what is found. Words of a plain sentence only help: those that
look written (JCN, PG-34) or mean nothing to the encoder, or the whole sentence where nothing else
stands in the lines that say it: "car" is read on a sign CAR, not on CAR PARK.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, Reading, Wording, plain_words
from search_core.store.library import LibraryInfo, Store

FoundBy = Literal["seen", "read", "seen and read"]

#: More pictures with the same words are not compared.
MOST_READ = 1000
#: Of reciprocal rank fusion, as published (Cormack and others, 2009).
_RRF_K = 60
_QUOTED = re.compile(r'"([^"]+)"|[“„]([^“”„]+)[”“]|「([^」]+)」|『([^』]+)』|«([^»]+)»')
#: Capitals, digits, or both, by themselves or between Chinese characters.
_WRITTEN = re.compile(r"(?<![A-Za-z0-9])[A-Z0-9]+(?:-[A-Z0-9]+)*(?![A-Za-z0-9])")
_LEAST_DIGITS = 3
_FUNCTION_WORDS = frozenset(
    ("a", "an", "the", "of", "with", "in", "on", "at", "to", "and", "or", "by", "for", "from")
)
_MOST_CONTENT_WORDS = 6


@lru_cache(maxsize=256)
def split_quoted(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without what is quoted in it, and what is quoted.

    >>> split_quoted('a white lorry "JCN"')
    ('a white lorry', ('JCN',))
    """
    quoted = [next(filter(None, found)).strip() for found in _QUOTED.findall(text)]
    kept = tuple(words for words in quoted if not Wording((words,)).is_empty)
    if not kept:
        return text.strip(), ()
    return " ".join(_QUOTED.sub(" ", text).split()), kept


def written_words(sentence: str, unknown: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a sentence that may be lettering: those that look written or unknown."""
    found = [*unknown]
    # A sentence all in capitals says nothing of any word; Chinese has none.
    if not (sentence.isascii() and sentence.isupper()) or len(sentence.split()) == 1:
        found += [word for word in _WRITTEN.findall(sentence) if _looks_written(word)]
    return tuple(dict.fromkeys(word for word in found if len("".join(plain_words(word))) > 1))


def _looks_written(word: str) -> bool:
    letters = sum(c.isalpha() for c in word)
    digits = sum(c.isdigit() for c in word)
    return letters > 1 or digits >= _LEAST_DIGITS or bool(letters and digits)


@dataclass(frozen=True, slots=True)
class Found:
    """A picture on which words were read, and how well they match."""

    entity: MediaEntity
    reading: Reading


def find_quoted(
    store: Store, library: LibraryInfo, phrases: Sequence[str], where: Filter, k: int
) -> list[Found]:
    """Return pictures on which all of these words were read, best first.

    Words with one wrong character count where fewer than ``k`` are found without them.
    """
    wording = Wording(tuple(phrases))
    found: list[Found] = []
    for fuzzy in (False, True):
        if len(found) < k:
            found = _readings(_lettered(store, library, wording, where, fuzzy=fuzzy), wording)
    return found


def find_in_sentence(
    store: Store, library: LibraryInfo, sentence: str, unknown: Iterable[str], where: Filter
) -> list[Found]:
    """Return pictures on which words of a plain sentence were read, best first.

    None where Milvus cannot compare them itself: reading all rows is for words that are quoted.
    """
    if not store.server().finds_within:
        return []
    written = written_words(sentence, unknown)
    if written:
        wording = Wording(written)
        entities = _lettered(store, library, wording, where)
        whole = (0, 1, 3)  # within a longer word it is chance
        return [one for one in _readings(entities, wording) if one.reading.tier in whole]
    content = [word for word in plain_words(sentence) if word not in _FUNCTION_WORDS]
    if not content or len(content) > _MOST_CONTENT_WORDS:
        return []
    wording = Wording((" ".join(content),))
    entities = _lettered(store, library, wording, where)
    return [one for one in _readings(entities, wording) if _says_nothing_else(one, sentence)]


def _lettered(
    store: Store, library: LibraryInfo, wording: Wording, where: Filter, *, fuzzy: bool = False
) -> list[MediaEntity]:
    loose = where.loosened(library.fields)
    found = store.lettered(library.name, wording, loose, limit=MOST_READ, fuzzy=fuzzy)
    if loose != where and len(found) == MOST_READ:
        found = store.lettered(library.name, wording, where, limit=MOST_READ, fuzzy=fuzzy)
    return [entity for entity in found if where.matches(entity)]


def _says_nothing_else(found: Found, sentence: str) -> bool:
    said = set(plain_words(sentence))
    lines = [set(plain_words(line.text)) for line in found.reading.lines]
    read = set().union(*lines)
    return read <= said and said - _FUNCTION_WORDS <= read


def _readings(entities: Iterable[MediaEntity], wording: Wording) -> list[Found]:
    found = [
        Found(entity, reading)
        for entity in entities
        if (reading := wording.reading(entity.lettering)) is not None
    ]
    return sorted(found, key=lambda one: (one.reading.tier, -one.reading.confidence, one.entity.id))


def unread_words(words: Iterable[str], found: Iterable[Found]) -> tuple[str, ...]:
    """Return the words that stand in no line that was read."""
    said = {word for one in found for line in one.reading.lines for word in plain_words(line.text)}
    return tuple(word for word in words if not said.intersection(plain_words(word)))


def read_ranks(found: Sequence[Found]) -> dict[str, int]:
    """Return the rank from 1 of each, by id; those that match as well as each other share one."""
    tiers = [one.reading.tier for one in found]
    return {one.entity.id: 1 + tiers.index(one.reading.tier) for one in found}


def fused_order(seen: Sequence[str], read: Mapping[str, int]) -> list[int]:
    """Return the positions in ``seen`` (ids, best first) in the order of reciprocal rank fusion.

    ``read`` are ranks by id, of those that were read. Of two that score the same, what was read
    comes first.
    """

    def key(position: int) -> tuple[float, bool, int]:
        rank = read.get(seen[position])
        score = 1 / (_RRF_K + position + 1) + (0.0 if rank is None else 1 / (_RRF_K + rank))
        return -score, rank is None, position

    return sorted(range(len(seen)), key=key)


def lines_to_json(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return lines as other programs read them; boxes as fractions of the picture as displayed."""
    return [
        {
            "text": line.text,
            "confidence": round(line.confidence, 3),
            "box": [round(edge, 4) for edge in line.box],
        }
        for line in lines
    ]
