"""The index comparison: the same vectors under several indexes, against exact neighbours.

Each index is built in a scratch library beside the one that serves, over that library's own
vectors, and removed again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.entities import MediaEntity
from search_core.errors import SightlineError, UsageError
from search_core.index_specs import Flat, Hnsw, IndexSpec, IvfFlat, IvfSq8, SearchParams
from search_core.library import SCRATCH_PREFIX, Store
from search_core.metrics import ann_recall_at_k, exact_neighbours, percentile_ms


@dataclass(frozen=True, slots=True)
class IndexRun:
    """One index with one search setting, measured.

    ``p50_ms`` and ``p95_ms`` are client-side times of one query, warm; ``build_s`` is inserting,
    building and loading together, as Milvus does them.
    """

    index_type: str
    build_params: dict[str, int]
    search_params: dict[str, int]
    k: int
    rows: int
    queries: int
    ann_recall_at_k: float
    p50_ms: float
    p95_ms: float
    build_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "index_type": self.index_type,
            "build_params": self.build_params,
            "search_params": self.search_params,
            "k": self.k,
            "rows": self.rows,
            "queries": self.queries,
            "ann_recall_at_k": round(self.ann_recall_at_k, 4),
            "p50_ms": round(self.p50_ms, 3),
            "p95_ms": round(self.p95_ms, 3),
            "build_s": round(self.build_s, 3),
        }


def default_plan(rows: int) -> list[tuple[IndexSpec, list[SearchParams]]]:
    """Return the four index types with a few search settings each, sized to ``rows`` vectors.

    nlist is 4 * sqrt(rows), the usual start, and at most rows / 39: k-means in FAISS asks for 39
    vectors a cluster (ClusteringParameters.min_points_per_centroid).
    """
    nlist = int(max(1, min(4 * np.sqrt(rows), rows / 39, 65_536)))
    probes = sorted({1, max(1, nlist // 16), max(1, nlist // 4)})
    ivf = [SearchParams(nprobe=probe) for probe in probes]
    return [
        (Flat(), [SearchParams()]),
        (IvfFlat(nlist=nlist), ivf),
        (IvfSq8(nlist=nlist), ivf),
        (Hnsw(), [SearchParams(ef=ef) for ef in (16, 64, 256)]),
    ]


def recommended(runs: Sequence[IndexRun], least_recall: float = 0.95) -> IndexRun:
    """Return the run to use: of the fastest that find ``least_recall``, the one that finds most.

    Times within a tenth of the fastest are taken as equal. Where none finds enough, it is the run
    that finds most. ``runs`` holds at least one.
    """
    enough = [run for run in runs if run.ann_recall_at_k >= least_recall]
    if not enough:
        return max(runs, key=lambda run: run.ann_recall_at_k)
    fast_ms = 1.1 * min(run.p50_ms for run in enough)
    fastest = [run for run in enough if run.p50_ms <= fast_ms]
    return max(fastest, key=lambda run: (run.ann_recall_at_k, -run.p50_ms))


class IndexBenchmark:
    """Compares indexes over one library's vectors.

    ``max_rows`` bounds how many vectors are copied; ``queries`` of them, slightly disturbed so that
    no query is its own answer, are asked ``repeats`` times in turn over all settings.
    """

    def __init__(
        self,
        store: Store,
        library: str,
        *,
        k: int = 10,
        max_rows: int = 20_000,
        queries: int = 50,
        repeats: int = 3,
        seed: int = 0,
    ) -> None:
        self._store = store
        self._library = library
        self._k = k
        self._max_rows = max_rows
        self._queries = queries
        self._repeats = repeats
        self._rng = np.random.default_rng(seed)

    def run(
        self,
        plan: Sequence[tuple[IndexSpec, Sequence[SearchParams]]] | None = None,
        on_progress: Callable[[str], None] = lambda message: None,
    ) -> list[IndexRun]:
        """Build each index, ask each setting, and return one run per setting.

        Raises UsageError for a library with fewer vectors than neighbours asked for.
        """
        ids, vectors = self._store.sample(self._library, self._max_rows)
        if len(ids) <= self._k:
            raise UsageError(
                f"The library {self._library} has {len(ids)} vectors, too few to compare indexes.",
                "Ingest more images or footage first.",
            )
        queries = self._make_queries(vectors)
        exact = [[ids[row] for row in rows] for rows in exact_neighbours(vectors, queries, self._k)]
        runs: list[IndexRun] = []
        for spec, settings in plan or default_plan(len(ids)):
            on_progress(f"building {spec.index_type}")
            runs.extend(self._measure(spec, settings, ids, vectors, queries, exact))
        return runs

    def _make_queries(self, vectors: Embeddings) -> Embeddings:
        chosen = self._rng.choice(len(vectors), min(self._queries, len(vectors)), replace=False)
        noise = self._rng.normal(size=(len(chosen), vectors.shape[1]))
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = vectors[chosen] + 0.3 * noise
        queries: Embeddings = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(
            np.float32
        )
        return queries

    def _measure(
        self,
        spec: IndexSpec,
        settings: Sequence[SearchParams],
        ids: list[str],
        vectors: Embeddings,
        queries: Embeddings,
        exact: list[list[str]],
    ) -> Iterator[IndexRun]:
        with self._scratch(spec, ids, vectors) as (scratch, build_s):
            seconds: dict[SearchParams, list[float]] = {item: [] for item in settings}
            found: dict[SearchParams, list[list[str]]] = {item: [] for item in settings}
            self._store.search(scratch, queries[:1], k=self._k)  # the first search warms up
            # In turn, so that a busy moment of the machine falls on all settings alike.
            for repeat in range(self._repeats):
                for query in queries:
                    for params in settings:
                        started = time.perf_counter()
                        [hits] = self._store.search(
                            scratch, query[None, :], k=self._k, params=params
                        )
                        seconds[params].append(time.perf_counter() - started)
                        if repeat == 0:
                            found[params].append([hit.entity.id for hit in hits])
        for params in settings:
            yield IndexRun(
                index_type=spec.index_type,
                build_params=spec.build_params(),
                search_params=spec.search_params(params, self._k),
                k=self._k,
                rows=len(ids),
                queries=len(queries),
                ann_recall_at_k=ann_recall_at_k(found[params], exact, self._k),
                p50_ms=percentile_ms(seconds[params], 50),
                p95_ms=percentile_ms(seconds[params], 95),
                build_s=build_s,
            )

    @contextmanager
    def _scratch(
        self, spec: IndexSpec, ids: list[str], vectors: Embeddings
    ) -> Iterator[tuple[str, float]]:
        info = self._store.library(self._library)
        name = f"{SCRATCH_PREFIX}{secrets.token_hex(4)}"
        try:
            started = time.perf_counter()
            self._store.ensure_library(name, info.encoder, metric=info.metric, index=Flat())
            self._store.upsert(name, [_blank(entity_id) for entity_id in ids], vectors)
            self._store.settle(name)
            # Over what is there already: Milvus Lite indexes new rows some time after a flush, and
            # searches them exhaustively until then.
            self._store.set_index(name, spec)
            self._store.search(name, vectors[:1], k=1)
            yield name, time.perf_counter() - started
        finally:
            with suppress(SightlineError):
                self._store.drop_library(name)


def _blank(entity_id: str) -> MediaEntity:
    return MediaEntity(entity_id, "", "image", "", "", 0, "file", 0, 0, 0, 0, "", 0)
