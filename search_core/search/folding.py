"""Rows that are nearest to a vector, folded to keyframes: each is found by its best row, the whole
picture or a region of it.

More rows are asked for until k keyframes stand and no row left out could change them, or until
nothing is left. A region's score says something else than a whole picture's: `Scales` put both on
one measure. They never raise a score, so that what is left out is worth no more than the last row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.indexes import SearchParams
from search_core.schema.entity import MediaEntity, RowKind
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Effort, Selectivities, plan_effort
from search_core.store.library import NO_FILTER, LibraryInfo, Match, Store, check_k

NO_PARAMS = SearchParams()


@dataclass(frozen=True, slots=True)
class Found:
    """The matches of one vector, best first, and what was done about the filter."""

    matches: list[Match]
    effort: Effort


def find(
    store: Store,
    library: LibraryInfo,
    vector: Embeddings,
    selectivities: Selectivities,
    *,
    k: int,
    where: Filter = NO_FILTER,
    params: SearchParams | None = None,
) -> Found:
    """Return the ``k`` entities nearest to a vector (dim,), trying as hard as the filter asks for.

    A parameter given in ``params`` that widens this index's search is taken as it is.
    """
    check_k(k)
    effort = _effort(library, selectivities, k, where, params or NO_PARAMS)
    vectors = vector[None, :]
    if effort.strategy == "exact":
        [matches] = store.search_exact(library.name, vectors, k=k, where=where)
    else:
        [matches] = store.search(library.name, vectors, k=k, where=where, params=effort.params)
    return Found(matches, effort)


def _effort(
    library: LibraryInfo,
    selectivities: Selectivities,
    k: int,
    where: Filter,
    asked: SearchParams,
) -> Effort:
    if where.is_empty:
        return Effort("default", asked)
    if not minds_filter(library, where, asked):
        sweep = library.index.sweep or ""
        given = asked.given().get(sweep)
        said = "" if given is None else f"Searched with {sweep} {given:,}, as asked for."
        return Effort("default", asked, said)
    params = asked.over(library.search.for_hits(k))
    selectivity = selectivities.of(library, where)
    return plan_effort(
        library.index, params, k, selectivity.rows, selectivity.share, selectivities.limits
    )


def minds_filter(library: LibraryInfo, where: Filter, asked: SearchParams) -> bool:
    """Whether the filter's selectivity decides how hard the search tries."""
    spec = library.index
    if where.is_empty or spec.exact:
        return False
    return asked.given().get(spec.sweep or "") is None


#: A kind of region, and how often its side goes into the picture's, in powers of two.
SizeOfKind = tuple[RowKind, int]


def size_of(entity: MediaEntity) -> SizeOfKind:
    """Return a region's kind and the size of its box: 0 for all of the picture, 1 for a half, …"""
    left, top, right, bottom = entity.box
    side = math.sqrt(max(1e-6, (right - left) * (bottom - top)))
    return entity.kind, max(0, round(-math.log2(side)))


@dataclass(frozen=True, slots=True)
class Scale:
    """What a region's score is worth beside whole pictures': never more than it is."""

    shift: float
    slope: float = 1.0

    def of(self, score: float) -> float:
        """Return a score on the scale of whole pictures."""
        return min(score, self.shift + self.slope * score)


@dataclass(frozen=True, slots=True)
class Scales:
    """The scale of each kind and size of region; those without one count as they are."""

    of_size: Mapping[SizeOfKind, Scale] = field(default_factory=dict)

    def score(self, entity: MediaEntity, score: float) -> float:
        """Return what a row's score is worth on the scale of whole pictures."""
        scale = self.of_size.get(size_of(entity)) if entity.is_region else None
        return score if scale is None else scale.of(score)


RAW = Scales()


#: Fewer keyframes with regions of a kind and size say too little of how those score.
_FEW = 20


def measured_scales(
    rows: Sequence[tuple[MediaEntity, Embeddings]], sentences: Embeddings
) -> Scales:
    """Return the scales of some of a library's rows (entity, embedding (dim,)).

    ``sentences`` (s, dim) are what people ask. Of a keyframe's regions the best counts, and the
    more there are the better it is by chance: so half of the keyframes have a best region of a kind
    and size that is worth more than half of the whole pictures are. By how much it scores more is
    taken away, the median over the sentences.
    """
    whole = [vector for entity, vector in rows if not entity.is_region]
    if not whole:
        return RAW
    usual = np.median(sentences @ np.stack(whole).T, axis=1)
    regions: dict[SizeOfKind, dict[str, list[Embeddings]]] = {}
    for entity, vector in rows:
        if entity.is_region:
            of_size = regions.setdefault(size_of(entity), {})
            of_size.setdefault(entity.keyframe_id, []).append(vector)
    scales = {}
    for size, frames in regions.items():
        if len(frames) >= _FEW:
            best = [(sentences @ np.stack(some).T).max(axis=1) for some in frames.values()]
            more = np.median(np.stack(best), axis=0) - usual
            scales[size] = Scale(-float(np.median(more)))
    return Scales(scales)


def fold(matches: Sequence[Match], scales: Scales = RAW) -> list[Match]:
    """Return the best row of each keyframe, by what it is worth, best first."""
    best: dict[str, Match] = {}
    for match in matches:
        worth = replace(match, score=scales.score(match.entity, match.score))
        known = best.setdefault(match.entity.keyframe_id, worth)
        if worth.score > known.score:
            best[match.entity.keyframe_id] = worth
    return sorted(best.values(), key=lambda match: -match.score)


class Folding:
    """Searches of keyframes by all their rows; safe to share between threads.

    ``scales`` gives those of a library, and is asked once a region is found.
    """

    def __init__(self, store: Store, scales: Callable[[LibraryInfo], Scales]) -> None:
        self._store = store
        self._scales_of = scales
        #: By collection: how many rows a keyframe took of late, with some to spare.
        self._rows_a_frame: dict[str, float] = {}

    def find(
        self,
        library: LibraryInfo,
        vector: Embeddings,
        selectivities: Selectivities,
        *,
        k: int,
        where: Filter,
        params: SearchParams | None = None,
    ) -> Found:
        """Return the ``k`` keyframes nearest to a vector (dim,) by their best rows.

        The matches are those rows. Where none of the k nearest rows is a region, none counts.
        """
        most = max(k, library.index.max_hits)
        rows = min(most, math.ceil(k * self._rows_a_frame.get(library.collection, 1.0)))
        while True:
            found = find(
                self._store, library, vector, selectivities,
                k=rows, where=where.with_regions(), params=_widened(params, rows - k),
            )  # fmt: skip
            if not any(match.entity.box for match in found.matches):
                return replace(found, matches=found.matches[:k])
            frames = fold(found.matches, self._scales_of(library))
            last = found.matches[-1].score
            is_settled = len(frames) >= k and frames[k - 1].score >= last
            if is_settled or len(found.matches) < rows or rows == most:
                self._remember(library, found.matches, frames[:k], k)
                return replace(found, matches=frames[:k])
            rows = min(most, 2 * rows)

    def scales_for(self, library: LibraryInfo, matches: Sequence[Match]) -> Scales:
        """Return what the rows of matches are worth; measured only where there are regions."""
        if any(match.entity.box for match in matches):
            return self._scales_of(library)
        return RAW

    def _remember(
        self, library: LibraryInfo, rows: Sequence[Match], frames: Sequence[Match], k: int
    ) -> None:
        needed = sum(match.score >= frames[-1].score for match in rows)
        self._rows_a_frame[library.collection] = max(1.0, _SPARE * needed / k)


#: Another sentence takes more rows; asking twice costs more than asking for a few too many.
_SPARE = 1.25


def _widened(params: SearchParams | None, more: int) -> SearchParams | None:
    """Return parameters that a search for ``more`` rows may have."""
    if params is None or params.ef is None:
        return params
    return replace(params, ef=params.ef + more)
