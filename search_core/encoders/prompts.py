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
_HAN = "\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
#: Words that no picture shows: they neither make a sentence known nor unknown.
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the this that these those some any all no not one there here it its he she they them
        his her their i me my we us our you your who which where when what as so of in on at by to
        for from with and or but off over up down into along next during after under is are was
        were be been am do does did has have had can show find search look please s t d m o
        的 了 着 地 得 在 有 和 与 或 及 是 一 个 这 那 哪 些 我 你 他 她 它 我们 你们 他们 请 帮 给
        找 查找 搜索 显示 看 看看 所有 什么 谁 吗 呢 吧 一下 一些 把 被 从 到 对 不 没 没有 也 都 还
        还有 就 里 上 中 下 内 外 时 正 正在 辆 只 条 台 部 名 位 张 次""",
    )
)
_LONGEST = max(map(len, _FUNCTION_WORDS))
#: So many characters a Chinese word has on average.
_CHARACTERS = 2


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
    words = [word for word in _words_of(text, known) if word.lower() not in _FUNCTION_WORDS]
    unknown = [word for word in words if word.lower() not in known]
    weight = sum(map(_weight, unknown))
    all_words = len(words) - len(unknown) + weight
    return Unknown(tuple(dict.fromkeys(unknown)), weight / all_words if words else 1.0)


def _words_of(text: str, known: frozenset[str]) -> list[str]:
    """Return a text's words; Chinese, which has no blanks, is cut into the longest known ones."""
    words: list[str] = []
    for run in _WORD.findall(text):
        words += _chinese_words(run, known) if _is_chinese(run) else [run]
    return words


def _chinese_words(run: str, known: frozenset[str]) -> list[str]:
    """Return the words of a run, from the left; characters between that are none are one word."""
    longest = max(_LONGEST, *map(len, filter(_is_chinese, known)), 1)
    words: list[str] = []
    place, unknown_from = 0, 0
    while place < len(run):
        ends = range(min(len(run), place + longest), place, -1)
        end = next((e for e in ends if run[place:e] in known or run[place:e] in _FUNCTION_WORDS), 0)
        if end and unknown_from < place:
            words.append(run[unknown_from:place])
        if end:
            words.append(run[place:end])
            unknown_from = end
        place = end or place + 1
    return [*words, run[unknown_from:]] if unknown_from < len(run) else words


def _is_chinese(word: str) -> bool:
    return re.match(f"[{_HAN}]", word) is not None


def _weight(word: str) -> int:
    """As how many words an unknown one counts: a Chinese one may be several."""
    return max(1, round(len(word) / _CHARACTERS)) if _is_chinese(word) else 1


#: How the names of the letters begin that an encoder of these languages reads.
_SCRIPTS: dict[str, tuple[str, ...]] = {
    "English": ("LATIN",),
    "English, Chinese": ("LATIN", "CJK"),
}


@cache
def _scripts_of(name: str) -> tuple[str, ...] | None:
    spec = find_encoder(name)
    return None if spec is None else _SCRIPTS.get(spec.languages)


def understands(name: str, text: str) -> bool:
    """Whether the encoder of that name may understand a text.

    One known to know English only does not where letters are not of the Latin script, and so on.
    """
    scripts = _scripts_of(name)
    return scripts is None or all(
        unicodedata.name(letter, "LATIN").startswith(scripts) for letter in text if letter.isalpha()
    )


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
