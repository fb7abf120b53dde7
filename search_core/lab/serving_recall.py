"""How much of the exact answer a serving index finds, measured on the library as it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings
from search_core.errors import UsageError
from search_core.indexes import index_spec_to_dict
from search_core.lab.ground_truth import TIE
from search_core.lab.queries import FEW_RECORDED
from search_core.lab.timing import recall_interval
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import find
from search_core.search.query_log import QueryLog
from search_core.store.library import (
    EVERY_ROW,
    NO_FILTER,
    LibraryInfo,
    Match,
    Store,
    VectorPage,
)


@dataclass(frozen=True, slots=True)
class LiveRecall:
    """The share of the exact ``k`` neighbours that a library's searches find, over ``queries``.

    ``ann_recall_at_k`` has the 95 % interval ``recall_low`` to ``recall_high``. The queries are
    recorded searches or, where those are few, stored vectors; ``filtered`` of them had a filter.
    ``raised`` and ``exact`` say how many were searched wider, or without the index, because of it.
    """

    library: LibraryInfo
    rows: int
    query_source: Literal["recorded", "stored"]
    queries: int
    filtered: int
    raised: int
    exact: int
    k: int
    ann_recall_at_k: float
    recall_low: float
    recall_high: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)[1:]}
        return {
            "library": self.library.name,
            "index": index_spec_to_dict(self.library.index),
            "search": self.library.search_params(None, self.k),
            **{name: round(v, 5) if isinstance(v, float) else v for name, v in values.items()},
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query: its embedding (dim,), its filter, and the stored entity it is (not an answer)."""

    embedding: Embeddings
    where: Filter = NO_FILTER
    itself: str = ""


def live_recall(
    store: Store,
    library: str,
    log: QueryLog | None = None,
    *,
    queries: int = 100,
    k: int = 10,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda share: None,
) -> LiveRecall:
    """Search as people did lately, and compare with exact neighbours among all that is stored.

    Up to ``queries`` different recorded searches are repeated with their filters; where fewer than
    20 are recorded, stored vectors chosen by chance take their place, each looking for others than
    itself. All vectors are read once, block by block; ``on_progress`` hears the share read. Raises
    UsageError for a library of fewer than two entities.
    """
    info = store.library(library)
    rows = store.count(library, EVERY_ROW)
    if rows < 2:
        raise UsageError(
            "The library {library} holds too little to measure searches on.", library=library
        )
    recorded = _recorded(info, log, queries)
    asked = recorded or _stored(store, library, min(queries, rows), seed)
    selectivities = Selectivities(store)
    done: Counter[str] = Counter()
    answers: list[list[Match]] = []
    for query in asked:
        found = find(
            store, info, query.embedding, selectivities,
            k=k + bool(query.itself), where=query.where.with_regions(),
        )  # fmt: skip
        done[found.effort.strategy] += 1
        answers.append([hit for hit in found.matches if hit.entity.id != query.itself][:k])
    truth = _Truth(asked, answers, k)
    for page in store.vectors(library, where=EVERY_ROW):
        truth.add(page)
        on_progress(min(1.0, truth.rows / rows))
    shares = truth.shares()
    low, high = recall_interval(shares, k)
    return LiveRecall(
        library=info,
        rows=truth.rows,
        query_source="recorded" if recorded else "stored",
        queries=len(asked),
        filtered=sum(not query.where.is_empty for query in asked),
        raised=done["raised"],
        exact=done["exact"],
        k=k,
        ann_recall_at_k=float(np.mean(shares)),
        recall_low=low,
        recall_high=high,
    )


class _Truth:
    """The exact neighbours of the queries, and how near the answers are, of pages as they come."""

    def __init__(self, asked: Sequence[_Asked], answers: Sequence[Sequence[Match]], k: int) -> None:
        self.rows = 0
        self._asked = asked
        self._queries = np.stack([query.embedding for query in asked])
        self._nearest = np.full((len(asked), k), -np.inf, dtype=np.float32)  # similarities
        self._answered: list[list[float]] = [[] for _ in asked]
        self._wanted: dict[str, list[int]] = {}
        for number, hits in enumerate(answers):
            for hit in hits:
                self._wanted.setdefault(hit.entity.id, []).append(number)

    def add(self, page: VectorPage) -> None:
        """Take in some of the library's vectors."""
        self.rows += len(page.entities)
        similar = np.where(self._passing(page), self._queries @ page.embeddings.T, -np.inf)
        for row, entity in enumerate(page.entities):
            for number in self._wanted.get(entity.id, ()):
                self._answered[number].append(float(similar[number, row]))
        best = np.concatenate([self._nearest, similar], axis=1)
        k = self._nearest.shape[1]
        self._nearest = -np.partition(-best, k - 1, axis=1)[:, :k]

    def _passing(self, page: VectorPage) -> NDArray[np.bool_]:
        """Return which rows of a page may answer each query, as (queries, rows)."""
        masks = {
            where: np.array([where.with_regions().matches(entity) for entity in page.entities])
            for where in {query.where for query in self._asked}
        }
        ids = {entity.id: row for row, entity in enumerate(page.entities)}
        passing = np.stack([masks[query.where] for query in self._asked])
        for number, query in enumerate(self._asked):
            if query.itself in ids:
                passing[number, ids[query.itself]] = False
        return passing

    def shares(self) -> NDArray[np.float64]:
        """Return for each query the share of its neighbours that was answered.

        What is as near as the k-th neighbour counts as one.
        """
        shares = np.ones(len(self._asked))
        for number, nearest in enumerate(self._nearest):
            there = nearest[np.isfinite(nearest)]
            if len(there):
                near = [value for value in self._answered[number] if value >= there.min() - TIE]
                shares[number] = min(1.0, len(near) / len(there))
        return shares


def _recorded(info: LibraryInfo, log: QueryLog | None, limit: int) -> list[_Asked]:
    """Return the last different searches of this library; none where they are too few."""
    recent = log.recent(info.name, info.encoder, 10 * limit) if log is not None else []
    different = {
        (query.embedding.tobytes(), query.where): _Asked(query.embedding, query.where)
        for query in reversed(recent)
    }
    chosen = list(different.values())[-limit:]
    return chosen if len(chosen) >= min(limit, FEW_RECORDED) else []


def _stored(store: Store, library: str, limit: int, seed: int) -> list[_Asked]:
    return [
        _Asked(embedding, itself=entity.id)
        for page in store.vectors(library, where=EVERY_ROW, limit=limit, seed=seed)
        for entity, embedding in zip(page.entities, page.embeddings, strict=True)
    ]
