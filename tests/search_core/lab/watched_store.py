"""A store whose trials write down what goes in and out, to recompute a comparison from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.indexes import IndexSpec
from search_core.schema.entity import MediaEntity
from search_core.store.library import Store
from search_core.store.scratch import BuildTimes, Rows, Trial, Vectors

Found = tuple[Rows, NDArray[np.float32]]
Search = tuple[str, tuple[tuple[str, int], ...], str, bool]


@dataclass
class WatchedTrial(Trial):
    """A trial that remembers its vectors, and the rows found for each query by how it was asked."""

    trial: Trial
    metric: str
    vectors: dict[int, NDArray[Any]] = field(default_factory=dict)
    facets: dict[int, MediaEntity] = field(default_factory=dict)
    found: dict[Search, dict[bytes, NDArray[np.int64]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    index: str = ""

    def insert(self, rows: Rows, embeddings: Vectors, facets: Sequence[MediaEntity]) -> None:
        self.vectors |= dict(zip(rows.tolist(), embeddings, strict=True))
        self.facets |= dict(zip(rows.tolist(), facets, strict=True))
        self.trial.insert(rows, embeddings, facets)

    def settle(self) -> None:
        self.trial.settle()

    def build(self, spec: IndexSpec) -> BuildTimes:
        self.index = spec.index_type
        return self.trial.build(spec)

    def search(
        self, queries: Vectors, *, k: int, params: dict[str, int], expression: str = ""
    ) -> Found:
        answer = self.trial.search(queries, k=k, params=params, expression=expression)
        self._remember(queries, k, params, expression, False, answer[0])
        return answer

    def search_exact(self, queries: Vectors, *, k: int, expression: str = "") -> Found:
        answer = self.trial.search_exact(queries, k=k, expression=expression)
        self._remember(queries, k, {}, expression, True, answer[0])
        return answer

    def index_bytes(self) -> int | None:
        return self.trial.index_bytes()

    def memory_bytes(self) -> int | None:
        return self.trial.memory_bytes()

    def drop(self) -> None:
        self.trial.drop()

    def _remember(
        self,
        queries: Vectors,
        k: int,
        params: dict[str, int],
        expression: str,
        exact: bool,
        rows: Rows,
    ) -> None:
        if k > 100:  # not a measured search: it counts what is reached
            return
        key = (self.index, tuple(sorted(params.items())), expression, exact)
        for query, own in zip(queries, rows, strict=True):
            self.found[key].setdefault(query.tobytes(), own)


class WatchedStore:
    """Any store, with watched trials in ``trials``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.trials: list[WatchedTrial] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open_trial(self, dim: int, *, metric: str, **more: Any) -> WatchedTrial:
        trial = WatchedTrial(self._store.open_trial(dim, metric=metric, **more), metric)
        self.trials.append(trial)
        return trial
