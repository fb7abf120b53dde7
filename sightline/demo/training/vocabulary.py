"""A byte-pair vocabulary small enough for the grammar: every word it knows is one token.

open_clip's ``SimpleTokenizer`` reads it through ``bpe_path``: a gzip file whose first line is a
header and whose other lines are merges. Words outside the grammar still encode, byte pair by byte
pair.
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
from sightline.demo.training.captions import caption
from sightline.demo.training.sampling import sample_scene
from sightline.demo.training.words import NOUNS, PLURALS

CONTEXT_LENGTH = 32
"""Tokens a sentence may take, its start and end included; longer ones are cut."""

_WORD = re.compile(r"'s|[^\W\d_]+")
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


def trained_words(samples: int = 20000) -> list[str]:
    """Return the words that captions are made of, sorted: all that the encoder can have learned.

    Its byte pairs cover more, of which it has never been told anything.
    """
    words = set(_said_words(samples))
    words.update(word.lower() for word in (*LETTERINGS, *TOP_COLOURS, *VEHICLE_COLOURS))
    for noun in {noun for nouns in NOUNS.values() for noun in nouns}:
        words.update(_WORD.findall(PLURALS.get(noun, noun + "s")))
    return sorted(words)


def write_words(path: Path) -> None:
    """Write the words the encoder knows, one a line (search_core/encoders/vocabulary.py)."""
    path.write_text("".join(f"{word}\n" for word in trained_words()), "utf-8")


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges, in order, that make each word one token; ties go to the pair that sorts first."""
    pending = [(*word[:-1], word[-1] + "</w>") for word in sorted(set(words)) if len(word) > 1]
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
    lines = ["#version: sightline demo", *(f"{first} {second}" for first, second in merges)]
    # The tokenizer takes every line after the header as a merge: no newline may follow the last
    # one.
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return 512 + len(merges) + 2
