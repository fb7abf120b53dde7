"""Hits folded together: those close in time on one camera, and those that look the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.search.engine import Hit


@dataclass(frozen=True, slots=True)
class Moment:
    """Hits of one camera that follow each other closely, best first.

    ``first_ms`` and ``last_ms`` are when the earliest and the latest were captured, in epoch
    milliseconds. ``alike`` counts hits that were left out because they look like one of these.
    """

    hits: tuple[Hit, ...]
    alike: int = 0

    @property
    def best(self) -> Hit:
        """The hit that stands for all."""
        return self.hits[0]

    @property
    def first_ms(self) -> int:
        """When the earliest was captured."""
        return min(hit.entity.captured_at for hit in self.hits)

    @property
    def last_ms(self) -> int:
        """When the latest was captured."""
        return max(hit.entity.captured_at for hit in self.hits)


def fold_moments(hits: Sequence[Hit], gap_ms: int) -> list[Moment]:
    """Return hits as moments, the one with the best hit first.

    Two hits of a camera are of one moment when no more than ``gap_ms`` lies between them, or
    between each of a chain of hits from one to the other; pictures of no camera are of one where
    they are of one file. With a gap of 0 every hit is a moment by itself.
    """
    if gap_ms <= 0:
        return [Moment((hit,)) for hit in hits]
    by_place: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        camera = hit.entity.camera
        by_place.setdefault((camera, "" if camera else hit.entity.source_id), []).append(hit)
    chains: list[list[Hit]] = []
    for found in by_place.values():
        found.sort(key=lambda hit: hit.entity.captured_at)
        for place, hit in enumerate(found):
            if place and hit.entity.captured_at - found[place - 1].entity.captured_at <= gap_ms:
                chains[-1].append(hit)
            else:
                chains.append([hit])
    moments = [Moment(tuple(sorted(chain, key=lambda hit: hit.rank))) for chain in chains]
    return sorted(moments, key=lambda moment: moment.best.rank)


def fold_alike(
    moments: Sequence[Moment], embeddings: Mapping[str, Embeddings], least_distance: float
) -> list[Moment]:
    """Return moments without those whose best hit looks like that of one before.

    They look alike when the cosine distance of their ``embeddings`` (by id, (dim,), of length 1) is
    below ``least_distance``; each one kept counts those that it stands for.
    """
    kept: list[Moment] = []
    counts: list[int] = []
    seen: list[tuple[int, Embeddings]] = []
    for moment in moments:
        vector = embeddings.get(moment.best.entity.id)
        if vector is not None:
            distances = [1.0 - float(other @ vector) for _, other in seen]
            if distances and min(distances) < least_distance:
                counts[seen[int(np.argmin(distances))][0]] += len(moment.hits)
                continue
            seen.append((len(kept), vector))
        kept.append(moment)
        counts.append(0)
    return [Moment(moment.hits, alike) for moment, alike in zip(kept, counts, strict=True)]
