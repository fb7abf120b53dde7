"""What a grammar finds in a sentence: some words, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

from search_core.schema.filters import Filter


@dataclass(frozen=True, slots=True)
class Candidate:
    """The words from ``start`` to ``end`` of a sentence and the part of a filter that they say.

    ``where`` is None for words that are seen to be about a time or a camera and are not to be
    taken: they stay words as a whole. A ``soft`` one may be said of the word after it as well, as
    in "in the morning sun": it is taken only at the end of a clause.
    """

    start: int
    end: int
    where: Filter | None
    soft: bool = False
