"""Hits folded together: those close in time on one camera, and those that look the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.search.engine import Hit


@dataclass(frozen=True, slots=True)
class Moment:
    """Hits of one camera close to the best of them in time, best first.

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
    """Return hits, best first, as moments, the one with the best hit first.

    A moment holds the hits of a camera that are at most ``gap_ms`` from its best hit, so that none
    is longer than twice that; a hit near the best of two is of the nearer one. Pictures of no
    camera are of one moment only where they are of one file. With a gap of 0 every hit is a moment
    by itself.
    """
    peaks: dict[tuple[str, str], list[list[Hit]]] = {}
    moments: list[list[Hit]] = []
    for hit in hits:
        entity = hit.entity
        place = (entity.camera, "" if entity.camera else entity.source_id)
        of_place = peaks.setdefault(place, [])

        def away_ms(moment: list[Hit], at_ms: int = entity.captured_at) -> int:
            return abs(moment[0].entity.captured_at - at_ms)

        nearest = min(of_place, key=away_ms, default=None)
        if gap_ms > 0 and nearest is not None and away_ms(nearest) <= gap_ms:
            nearest.append(hit)
        else:
            of_place.append([hit])
            moments.append(of_place[-1])
    return [Moment(tuple(moment)) for moment in moments]


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
