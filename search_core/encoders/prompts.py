"""Sentences as an encoder gets them: put into prompt templates, and how much of them it reads.

With several templates the embeddings are averaged. That is the ensembling of Radford et al.,
"Learning Transferable Visual Models From Natural Language Supervision" (2021), section 3.1.4. Text
models have a context of so many tokens; what is longer is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Encoder
from search_core.errors import SettingsError
from search_core.messages import Message

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
