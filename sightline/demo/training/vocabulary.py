"""A byte-pair vocabulary small enough for the grammar: every word it knows is one token, in English
and in Chinese.

open_clip's ``SimpleTokenizer`` reads it through ``bpe_path``: a gzip file whose first line is a
header and whose other lines are merges. Words outside the grammar still encode, byte pair by byte
pair. A run of Chinese is one word to it, whose pieces are joined in the order of the merges: first
the bytes of each character, then the characters of each word, wherever in the run it stands.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from sightline.demo.scenes.scenes import LETTERINGS, PLACES, TOP_COLOURS, VEHICLE_COLOURS
from sightline.demo.training.captions import caption, facts
from sightline.demo.training.chinese import chinese_words
from sightline.demo.training.sampling import sample_scene
from sightline.demo.training.words import NOUNS, PLURALS

CONTEXT_LENGTH = 32
"""Tokens a sentence may take, its start and end included; longer ones are cut."""

_WORD = re.compile(r"'s|[^\W\d_]+")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_END = "</w>"
_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_BYTES = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + place) for place, byte in enumerate(sorted(set(range(256)) - set(_PRINTABLE)))
}
_PLAIN_WORDS = (
    "the of is are has have it its on in at by to and or with without near beside behind front "
    "left right two three child guy lady human rider bikes dogs cars vans buses trucks clothes "
    "clothing garment blouse sweater scene view camera video image picture photo frame street "
    "road snow snowy rain rainy fog night day empty letters written text logo sign lying "
    "crossing motorcyclist cyclist biker pedestrian yellowish bright dark large small big "
)


def grammar_words(samples: int = 20000) -> Counter[str]:
    """Words of the grammar and how often it says them (lower case)."""
    words: Counter[str] = Counter(_PLAIN_WORDS.split())
    words.update(word.lower() for word in (*LETTERINGS, *TOP_COLOURS, *VEHICLE_COLOURS))
    words.update(word for place in PLACES for word in place.split("_"))
    words.update(_said_words(samples))
    return words


def _said_words(samples: int) -> Counter[str]:
    rng = np.random.default_rng(7)
    words: Counter[str] = Counter()
    for _ in range(samples):
        words.update(_WORD.findall(caption(rng, sample_scene(rng)).text.lower()))
    return words


def _said_in_chinese(samples: int) -> Counter[str]:
    rng = np.random.default_rng(8)
    words: Counter[str] = Counter()
    for _ in range(samples):
        words.update(chinese_words(rng, facts(rng, sample_scene(rng))).split())
    return words


def chinese_grammar_words(samples: int = 20000) -> list[str]:
    """The Chinese words that captions are made of, sorted; no punctuation, no Latin letters."""
    return sorted(word for word in _said_in_chinese(samples) if _HAN.fullmatch(word))


def trained_words(samples: int = 20000) -> list[str]:
    """Return the words that captions are made of, sorted: all that the encoder can have learned.

    Its byte pairs cover more, of which it has never been told anything.
    """
    words = set(_said_words(samples)) | set(chinese_grammar_words(samples))
    words.update(word.lower() for word in (*LETTERINGS, *TOP_COLOURS, *VEHICLE_COLOURS))
    for noun in {noun for nouns in NOUNS.values() for noun in nouns}:
        words.update(_WORD.findall(PLURALS.get(noun, noun + "s")))
    return sorted(words)


def write_words(path: Path) -> None:
    """Write the words the encoder knows, one a line (search_core/encoders/prompts.py)."""
    path.write_text("".join(f"{word}\n" for word in trained_words()), "utf-8")


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges, in order, that make each word one token; ties go to the pair that sorts first."""
    return _merges_of((*word[:-1], word[-1] + _END) for word in sorted(set(words)))


def learn_chinese_merges(
    words: Iterable[str], lettering: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Merges that make each Chinese word one token within a run of letters and at its end.

    Characters come first: a byte that begins one never follows within one, so that no merge of
    theirs joins two. ``lettering`` (lower case) is Latin that may stand in such a run.
    """
    spelled = [[_as_bytes(character) for character in word] for word in sorted(set(words))]
    characters = sorted({character for word in spelled for character in word})
    runs = [tuple(character) for character in characters]
    merges = _merges_of([*runs, *(_ended(run) for run in runs)])
    longer = [tuple(word) for word in (*spelled, *sorted(set(lettering)))]
    return merges + _merges_of([*longer, *(_ended(word) for word in longer)])


def _as_bytes(text: str) -> str:
    """A text as open_clip's tokenizer spells it: printable bytes as themselves, the others as the
    letters from 256 on.
    """
    return "".join(_BYTES[byte] for byte in text.encode())


def _ended(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], parts[-1] + _END)


def _merges_of(words: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    pending = [word for word in words if len(word) > 1]
    merges: list[tuple[str, str]] = []
    while any(len(parts) > 1 for parts in pending):
        pairs = Counter(pair for parts in pending for pair in pairwise(parts))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pending = [_merged(parts, best) for parts in pending]
    return merges


def _merged(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    joined: list[str] = []
    position = 0
    while position < len(parts):
        if parts[position : position + 2] == pair:
            joined.append(pair[0] + pair[1])
            position += 2
        else:
            joined.append(parts[position])
            position += 1
    return tuple(joined)


def write_vocabulary(path: Path) -> int:
    """Learns the grammar's merges and writes them; returns the size of the vocabulary."""
    merges = learn_merges(grammar_words())
    merges += learn_chinese_merges(
        [*chinese_grammar_words(), "、"], (word.lower() for word in LETTERINGS)
    )
    merges = list(dict.fromkeys(merges))
    lines = ["#version: sightline demo", *(f"{first} {second}" for first, second in merges)]
    # The tokenizer takes every line after the header as a merge: no newline may follow the last
    # one.
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return 512 + len(merges) + 2
