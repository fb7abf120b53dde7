"""Sentences as an encoder gets them: what it understands of them, the prompt templates they are put
into, and how much of them it reads.

An encoder gives every text a vector, one of letters struck by chance too. One trained on captions
of a grammar ships that grammar's words (``words.txt`` beside its weights): any other word says
nothing to it. Encoders trained on the web have no such list, and nothing is said for them.

With several templates the embeddings are averaged. That is the ensembling of Radford et al.,
"Learning Transferable Visual Models From Natural Language Supervision" (2021), section 3.1.4. Text
models have a context of so many tokens; what is longer is cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Encoder
from search_core.encoders.catalogue import find_encoder, packaged_weights
from search_core.errors import SettingsError
from search_core.messages import Message

WORDS_FILE = "words.txt"
_WORD = re.compile(r"[^\W_]+")
#: Words that no picture shows: they neither make a sentence known nor unknown.
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the this that these those some any all no not one there here it its he she they them
        his her their i me my we us our you your who which where when what as so of in on at by to
        for from with and or but off over up down into along next during after under is are was
        were be been am do does did has have had can show find search look please s t d m o""",
    )
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A sentence's words that mean nothing to an encoder, as written, and their share, 0 to 1.

    The share is of the words that could be seen in a picture; 1 where there are none of those.
    """

    words: tuple[str, ...] = ()
    share: float = 0.0


def unknown_words(name: str, text: str) -> Unknown:
    """Return what of a text means nothing to the encoder of that name; nothing if not known."""
    known = known_words(name)
    if known is None:
        return Unknown()
    words = [word for word in _WORD.findall(text) if word.lower() not in _FUNCTION_WORDS]
    unknown = [word for word in words if word.lower() not in known]
    share = len(unknown) / len(words) if words else 1.0
    return Unknown(tuple(dict.fromkeys(unknown)), share)


def understands(name: str, text: str) -> bool:
    """Whether the encoder of that name may understand a text.

    One known to know English only does not where letters are not of the Latin script.
    """
    return not _is_english_only(name) or all(
        unicodedata.name(letter, "LATIN").startswith("LATIN") for letter in text if letter.isalpha()
    )


@cache
def _is_english_only(name: str) -> bool:
    spec = find_encoder(name)
    return spec is not None and spec.languages == "English"


@cache
def known_words(name: str) -> frozenset[str] | None:
    """Return every word the encoder of that name has been shown, None where that is not known."""
    spec = find_encoder(name)
    if spec is None or spec.package is None:
        return None
    path = packaged_weights(spec) / WORDS_FILE
    return frozenset(path.read_text("utf-8").split()) if path.is_file() else None


#: Templates that suit footage; the plain query is one of them.
FOOTAGE_TEMPLATES: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a blurry photo of {}",
    "security camera footage of {}",
)

#: Words that no tokenizer drops; where they change nothing, the context is full.
_MORE = " truck truck"

#: Sentences to token ids (n, context length), truncated and padded.
Tokenize = Callable[[list[str]], NDArray[np.int64]]


def apply_templates(text: str, templates: Sequence[str]) -> list[str]:
    """Return ``text`` put into each template's ``{}``; without templates, ``text`` alone.

    Raises SettingsError when a template has no ``{}`` or more than one.
    """
    for template in templates:
        if template.count("{}") != 1:
            raise SettingsError(
                "The prompt template {template!r} needs exactly one {{}} for the query.",
                Message('For example: --template "a photo of {}".'),
                template=template,
            )
    return [template.replace("{}", text) for template in templates] or [text]


@runtime_checkable
class Truncating(Protocol):
    """An encoder that can tell how much of a sentence it reads."""

    def text_read(self, text: str, templates: Sequence[str] = ()) -> str:
        """Return the beginning of ``text`` that counts within every template."""


def text_read(encoder: Encoder, text: str, templates: Sequence[str] = ()) -> str:
    """Return the part of a sentence an encoder reads; all of it where it cannot tell."""
    return encoder.text_read(text, templates) if isinstance(encoder, Truncating) else text


def read_by(tokenize: Tokenize, text: str, templates: Sequence[str]) -> str:
    """Return the beginning of ``text`` that a tokenizer keeps within every template."""
    read = text
    for template in templates or ("{}",):
        before = template.partition("{}")[0]
        kept = _kept(tokenize, template.replace("{}", text))
        read = min(read, text[: max(0, len(kept) - len(before))], key=len)
    return read


def _kept(tokenize: Tokenize, prompt: str) -> str:
    """Return the shortest beginning of a prompt that has the prompt's tokens."""

    def has_all_tokens(end: int) -> bool:
        return np.array_equal(tokenize([prompt[:end]]), tokens)

    tokens = tokenize([prompt])
    if not np.array_equal(tokenize([prompt + _MORE]), tokens):
        return prompt
    too_short, enough = 0, len(prompt)
    while enough - too_short > 1:
        middle = (too_short + enough) // 2
        if has_all_tokens(middle):
            enough = middle
        else:
            too_short = middle
    return prompt[:enough]
