"""How much of a sentence an encoder reads: text models have a context of so many tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Encoder

#: Words that no tokenizer drops; where they change nothing, the context is full.
_MORE = " truck truck"

#: Sentences to token ids (n, context length), truncated and padded.
Tokenize = Callable[[list[str]], NDArray[np.int64]]


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
