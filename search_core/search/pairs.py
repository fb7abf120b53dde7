"""Pairs: one thing and then another, in order and close in time, ranked by both.

Each is searched for by itself; hits are paired where the second was captured after the first,
within the time, on the same camera unless any will do. Scores of two sentences do not compare: each
is measured in its own deviations over the library, and a pair is as good as the worse of its two.
Pairs in which one is hardly a match come last.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from search_core.indexes import SearchParams
from search_core.schema.filters import Filter
from search_core.search.engine import Answer, Hit, Query, SearchEngine
from search_core.search.query_text.sequence import Sequence
from search_core.store.library import NO_FILTER

#: How many hits of each are paired.
CANDIDATES = 500
#: Pairs whose two pictures are both this close to those of a better one are the same event.
_SAME_MS = 10_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A hit of the first sentence and one of the second after it; ``score`` is of both."""

    rank: int
    score: float
    first: Hit
    second: Hit

    @property
    def apart_ms(self) -> int:
        """How long after the first the second was captured."""
        return self.second.entity.captured_at - self.first.entity.captured_at

    @property
    def is_less_sure(self) -> bool:
        """Whether one of the two is known to be hardly a match."""
        return self.first.is_less_sure or self.second.is_less_sure

    def to_dict(self) -> dict[str, Any]:
        """Return the fields other programs rely on."""
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "apart_ms": self.apart_ms,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """The pairs that were found, best first, and what each sentence found by itself."""

    pairs: list[Pair]
    first: Answer
    second: Answer


def answer_pairs(
    engine: SearchEngine,
    wanted: Sequence,
    *,
    k: int,
    where: Filter = NO_FILTER,
    without: tuple[str, ...] = (),
    params: SearchParams | None = None,
    min_score: float | None = None,
) -> PairAnswer:
    """Return the best ``k`` pairs of what passes a filter, both of at least ``min_score``."""
    answers = [
        engine.answer(
            Query(text, without=without),
            k=CANDIDATES,
            where=where,
            params=params,
            min_score=min_score,
        )
        for text in (wanted.first, wanted.second)
    ]
    scored = [list(zip(answer.hits, engine.standing(answer), strict=True)) for answer in answers]
    pairs = pair_hits(*scored, within=wanted.within, any_camera=wanted.any_camera)
    return PairAnswer(pairs[:k], *answers)


Scored = Items[tuple[Hit, float]]


def pair_hits(
    first: Scored, second: Scored, *, within: timedelta, any_camera: bool = False
) -> list[Pair]:
    """Return pairs of hits, each with how it stands out, best first; one for each event."""
    within_ms = round(within / timedelta(milliseconds=1))
    places: dict[str, list[tuple[int, float, Hit]]] = defaultdict(list)
    for hit, standing in second:
        place = "" if any_camera else _place(hit)
        places[place].append((hit.entity.captured_at, standing, hit))
    for later in places.values():
        later.sort(key=lambda one: one[0])
    found: list[Pair] = []
    for hit, standing in first:
        later = places.get("" if any_camera else _place(hit), [])
        at = hit.entity.captured_at
        begins = bisect_right(later, at, key=lambda one: one[0])
        ends = bisect_left(later, at + within_ms + 1, key=lambda one: one[0])
        found += [Pair(0, min(standing, other), hit, then) for _, other, then in later[begins:ends]]
    found.sort(key=lambda pair: (pair.is_less_sure, -pair.score))
    kept = _each_event(found)
    return [replace(pair, rank=rank) for rank, pair in enumerate(kept, start=1)]


def _place(hit: Hit) -> str:
    """Return where a hit is from: its camera, or its file where it has none."""
    return hit.entity.camera or f"\0{hit.entity.source_id}"


def _each_event(pairs: Items[Pair]) -> list[Pair]:
    """Return pairs, best first, without those of the event of a better one."""
    kept: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    found = []
    for pair in pairs:
        known = kept[_place(pair.first), _place(pair.second)]
        if not any(_is_same(pair, other) for other in known):
            known.append(pair)
            found.append(pair)
    return found


def _is_same(one: Pair, other: Pair) -> bool:
    return all(
        abs(mine.entity.captured_at - theirs.entity.captured_at) <= _SAME_MS
        for mine, theirs in ((one.first, other.first), (one.second, other.second))
    )
