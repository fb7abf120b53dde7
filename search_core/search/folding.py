"""Rows that are nearest to a vector, folded to keyframes: each is found by its best row, the whole
picture or a region of it.

A region's score says something else than a whole picture's: `Scales` put both on one measure. Many
regions score higher than whole pictures do before that, so that each are asked for by themselves:
the k nearest whole pictures, then regions, more of them until none that is left out could be worth
more than the last keyframe found. (Asked for in one go, they were 288 rows for 50 keyframes with
tiles, in the median of 60 sentences on the demo library, and 1,083 at the worst; so 138 and 266.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.indexes import SearchParams
from search_core.schema.entity import MINUTES_A_DAY, MediaEntity, RowKind
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
    loose = where.loosened(library.fields)
    if loose == where:
        return _asked(store, library, vector, selectivities, k, where, params or NO_PARAMS)
    most = max(k, library.index.max_hits)
    rows = min(most, math.ceil(1.05 * k * _looser(where, loose)) + 3)
    while True:
        wider = _widened(params, rows - k) or NO_PARAMS
        found = _asked(store, library, vector, selectivities, rows, loose, wider)
        matches = [match for match in found.matches if where.matches(match.entity)]
        if len(matches) >= k or len(found.matches) < rows:
            return replace(found, matches=matches[:k])
        if rows == most:
            return _asked(store, library, vector, selectivities, k, where, params or NO_PARAMS)
        rows = min(most, 2 * rows)


def _looser(where: Filter, loose: Filter) -> float:
    """Return how many times more passes a filter's loosened hours, as far as hours alone tell."""
    hours = loose.hours.minutes if loose.hours else MINUTES_A_DAY
    return hours / where.hours.minutes if where.hours else 1.0


def _asked(
    store: Store,
    library: LibraryInfo,
    vector: Embeddings,
    selectivities: Selectivities,
    k: int,
    where: Filter,
    params: SearchParams,
) -> Found:
    effort = _effort(library, selectivities, k, where, params)
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
    if not _restricts(library, where):
        return Effort("default", asked)
    if not minds_filter(library, where, asked):
        sweep = library.index.sweep or ""
        given = asked.given().get(sweep)
        said = "" if given is None else f"Searched with {sweep} {given:,}, as asked for."
        return Effort("default", asked, said)
    params = asked.over(library.search.for_hits(k))
    selectivity = selectivities.of(library, where)
    told = selectivities.of(library, where.with_regions()) if library.has_regions else selectivity
    effort = plan_effort(
        library.index, params, k, selectivity.rows, selectivity.share, selectivities.limits,
        told.share,
    )  # fmt: skip
    return replace(effort, reason="") if where.is_empty else effort


def _restricts(library: LibraryInfo, where: Filter) -> bool:
    """Whether a filter leaves rows out, be it only the regions."""
    return not where.is_empty or (library.has_regions and not where.regions)


def minds_filter(library: LibraryInfo, where: Filter, asked: SearchParams) -> bool:
    """Whether the filter's selectivity decides how hard the search tries."""
    spec = library.index
    if spec.exact or not _restricts(library, where):
        return False
    return asked.given().get(spec.sweep or "") is None


def filters_asked(library: LibraryInfo, where: Filter) -> list[Filter]:
    """Return the filters that a folded search asks with."""
    where = where.loosened(library.fields)
    return [where, where.regions_alone()] if library.has_regions else [where]


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


_AS_IT_IS = Scale(0.0)


@dataclass(frozen=True, slots=True)
class Scales:
    """The scale of each kind and size of region; one without takes that of the nearest size.

    Of its kind where that has any, else of another; without any, ``usual``.
    ``sample`` is what they were measured on.
    """

    of_size: Mapping[SizeOfKind, Scale] = field(default_factory=dict)
    usual: Scale = _AS_IT_IS
    sample: Sample | None = field(default=None, compare=False)

    def of(self, entity: MediaEntity) -> Scale:
        """Return a row's scale."""
        if not entity.is_region:
            return _AS_IT_IS
        if not self.of_size:
            return self.usual
        kind, size = size_of(entity)
        known = [each for each in self.of_size if each[0] == kind] or list(self.of_size)
        return self.of_size[min(known, key=lambda each: abs(each[1] - size))]

    def score(self, entity: MediaEntity, score: float) -> float:
        """Return what a row's score is worth on the scale of whole pictures."""
        return self.of(entity).of(score)

    def at_most(self, score: float) -> float:
        """Return the most that a region's score, or a lower one, can be worth."""
        return max(scale.of(score) for scale in self.each)

    @property
    def each(self) -> tuple[Scale, ...]:
        """The scales that a region may have."""
        return tuple(self.of_size.values()) or (self.usual,)


RAW = Scales()

#: A sample in which fewer keyframes than this are as good as the last hit says too little.
_LEAST_PLACE = 5.0


class Sample:
    """Some of a library's ``keyframes``, with all their rows: how many regions a search will take.

    ``rows`` are (entity, embedding (dim,)); ``scales`` say what each is worth.
    """

    def __init__(
        self, rows: Sequence[tuple[MediaEntity, Embeddings]], scales: Scales, keyframes: int
    ) -> None:
        rows = sorted(rows, key=lambda row: row[0].keyframe_id)
        ids = [entity.keyframe_id for entity, _ in rows]
        self._starts = [at for at, each in enumerate(ids) if not at or each != ids[at - 1]]
        self._firsts = [rows[at][0] for at in self._starts]
        self._lengths = np.diff([*self._starts, len(rows)])
        self._vectors = np.stack([vector for _, vector in rows])
        self._is_region = np.array([entity.is_region for entity, _ in rows])
        each = [scales.of(entity) for entity, _ in rows]
        self._shifts = np.array([scale.shift for scale in each], np.float32)
        self._slopes = np.array([scale.slope for scale in each], np.float32)
        self._scales = scales.each
        self._weight = max(1.0, keyframes / len(self._starts))

    def regions_needed(self, vector: Embeddings, k: int, where: Filter) -> int | None:
        """Return how many regions a search for ``k`` keyframes will take; None: it cannot tell."""
        where = where.with_regions()
        passing = np.array([where.matches(entity) for entity in self._firsts])
        place = min(math.ceil(k / self._weight), int(passing.sum()))
        if place < _LEAST_PLACE and self._weight > 1.0:
            return None
        if not place:
            return 0
        scores = self._vectors @ vector
        worth = np.minimum(scores, self._shifts + self._slopes * scores)
        best = np.maximum.reduceat(worth, self._starts)[passing]
        least = np.partition(best, -place)[-place]
        regions = scores[self._is_region & np.repeat(passing, self._lengths)]
        most = [np.minimum(regions, one.shift + one.slope * regions) for one in self._scales]
        return math.ceil(self._weight * int((np.max(most, axis=0) > least).sum()))


#: Fewer keyframes with regions of a kind and size say too little of how those score.
_FEW = 20
#: What is taken from a region's score at least, as a share of whole pictures' deviation: a part
#: that is cut off, or shows nothing, is now and then like anything. Chosen on rendered clips with
#: `motion`; at 0.25 to 0.4 what is large is found as without regions.
_LEAD = 0.35


def measured_scales(
    rows: Sequence[tuple[MediaEntity, Embeddings]], sentences: Embeddings, keyframes: int
) -> Scales:
    """Return the scales of some of a library's rows (entity, embedding (dim,)).

    It has so many ``keyframes``. ``sentences`` (s, dim) are what people ask. Of a keyframe's
    regions the best counts, and the more there are the better it is by chance: so half of the
    keyframes have a best region of a kind and size that is worth more than half of the whole
    pictures are. By how much it scores more is taken away, the median over the sentences, or a
    share of what whole pictures deviate from each other, whichever is more.
    """
    whole = [vector for entity, vector in rows if not entity.is_region]
    if not whole:
        return RAW
    scores = sentences @ np.stack(whole).T
    usual, lead = np.median(scores, axis=1), _LEAD * float(np.median(scores.std(axis=1)))
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
            scales[size] = Scale(min(-float(np.median(more)), -lead))
    unmeasured = Scale(-lead)
    return Scales(scales, unmeasured, Sample(rows, Scales(scales, unmeasured), keyframes))


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

    ``scales`` gives those of a library, and is asked only where there are regions.
    """

    def __init__(self, store: Store, scales: Callable[[LibraryInfo], Scales]) -> None:
        self._store = store
        self._scales_of = scales
        #: By collection: how many regions a keyframe took of late.
        self._regions_a_frame: dict[str, float] = {}

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

        The matches are those rows; the effort is that for whole pictures.
        """
        found = find(self._store, library, vector, selectivities, k=k, where=where, params=params)
        if not library.has_regions:
            if any(match.entity.box for match in found.matches):  # just written by another process
                return replace(found, matches=fold(found.matches))
            return found
        if not found.matches:
            return found
        scales = self._scales_of(library)
        most = max(k, library.index.max_hits)
        rows = min(most, self._expected(library, scales, vector, k, where))
        while True:
            regions = find(
                self._store, library, vector, selectivities,
                k=rows, where=where.regions_alone(), params=_widened(params, rows - k),
            ).matches  # fmt: skip
            frames = fold([*found.matches, *regions], scales)[:k]
            least = frames[-1].score
            is_settled = len(regions) < rows or scales.at_most(regions[-1].score) <= least
            if is_settled or rows == most:
                needed = sum(scales.at_most(match.score) > least for match in regions)
                self._remember(library, needed / k)
                return replace(found, matches=frames)
            rows = min(most, 2 * rows)

    def scales_for(self, library: LibraryInfo, matches: Sequence[Match]) -> Scales:
        """Return what the rows of matches are worth; measured only where there are regions."""
        if any(match.entity.box for match in matches):
            return self._scales_of(library)
        return RAW

    def _expected(
        self, library: LibraryInfo, scales: Scales, vector: Embeddings, k: int, where: Filter
    ) -> int:
        """Return how many regions to ask for first."""
        sample = scales.sample
        needed = None if sample is None else sample.regions_needed(vector, k, where)
        if needed is None:
            return math.ceil(k * self._regions_a_frame.get(library.collection, 1.0))
        return math.ceil(1.05 * needed) + 3  # what was written since may change it a little

    def _remember(self, library: LibraryInfo, needed: float) -> None:
        """Ask the next time for what this search took, or nearly what those before did."""
        before = self._regions_a_frame.get(library.collection, 0.0)
        self._regions_a_frame[library.collection] = max(_LEAST, _SPARE * needed, _KEPT * before)


#: Another sentence takes more regions; asking twice costs more than asking for some too many.
_SPARE, _KEPT, _LEAST = 1.25, 0.9, 0.2


def _widened(params: SearchParams | None, more: int) -> SearchParams | None:
    """Return parameters that a search for ``more`` rows may have."""
    if params is None or params.ef is None:
        return params
    return replace(params, ef=params.ef + more)
