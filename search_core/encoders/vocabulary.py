"""What an encoder can understand: its languages, and its words where they can be listed.

An encoder gives every text a vector, one of letters struck by chance too. One trained on captions
of a grammar ships that grammar's words (``words.txt`` beside its weights): any other word says
nothing to it. Encoders trained on the web have no such list, and nothing is said for them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from search_core.encoders.catalogue import find_encoder, packaged_weights

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
