"""Recall and latency under filters: searches that mind their filter beside those that do not.

``python -m benchmarks filters [--rows 100000] [--queries 100] [--lite]`` stores CLIP-like vectors
in the standalone Milvus server (or in Milvus Lite) and asks them under filters that let 50 to 0.1 %
pass: chosen by chance, and all alike (those nearest to one of them, as one camera's pictures are).
The unfiltered search and all filtered ones take turns, so that a busy machine slows all of them;
exact neighbours come from NumPy. Latencies are those of ``search.find``, which is all of a search
but the encoder: the filter's selectivity is known from the search before, as it is while somebody
looks on under one filter; what telling it costs the first time is printed by itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.milvus_server import milvus_server
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.indexes import (
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfSq8,
    SearchParams,
    usual_nlist,
)
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import find
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore

DIM = 512
K = 10
REPEATS = 3
SHARES = (0.5, 0.2, 0.1, 0.08, 0.01, 0.001)
ALIKE = (0.1, 0.01)


@dataclass(frozen=True, slots=True)
class Case:
    """One filter, and each query's exact neighbours among what passes."""

    label: str
    where: Filter
    nearest: list[set[str]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to search under one filter: recall, each search's seconds, what it did."""

    recall: float
    seconds: list[float]
    did: str


def make_entities(rows: int, alike: Mapping[str, NDArray[np.bool_]]) -> list[MediaEntity]:
    """Return an entity a row; ``captured_at`` is its place in a random order."""
    order = np.random.default_rng(1).permutation(rows)
    return [
        MediaEntity(
            f"{row:032x}-{0:010d}", f"{row:032x}", "frame", "/footage/gate.mp4", f"cam-{row % 20}",
            int(order[row]), "file", 0, 60_000, 640, 360, "thumbnails/ab/cd.jpg", 0,
            tags=tuple(name for name, inside in alike.items() if inside[row]),
        )
        for row in range(rows)
    ]  # fmt: skip


def make_cases(
    entities: list[MediaEntity],
    vectors: Embeddings,
    queries: Embeddings,
    filters: dict[str, Filter],
) -> list[Case]:
    """Return the filters with the queries' exact neighbours under each."""
    scores = queries @ vectors.T
    cases = []
    for label, where in filters.items():
        inside = np.array([where.matches(entity) for entity in entities])
        nearest = np.argsort(np.where(inside, -scores, np.inf), axis=1)[:, :K]
        cases.append(
            Case(
                label,
                where,
                [{entities[row].id for row in rows if inside[row]} for rows in nearest],
            )
        )
    return cases


def measure(
    store: MilvusStore, cases: list[Case], queries: Embeddings, usual: SearchParams
) -> None:
    """Print one index's recall and latency under every filter, fixed and minding the filter."""
    library = store.library("main")
    selectivities = Selectivities(store, clock=lambda: 0.0)  # known, once it was counted
    ways: dict[tuple[str, bool], Measured] = {}
    turns = [(case, aware) for case in cases for aware in (False, True)]
    turns = [(case, aware) for case, aware in turns if aware or not case.where.is_empty]
    seconds: dict[tuple[str, bool], list[float]] = {(c.label, a): [] for c, a in turns}
    shares: dict[tuple[str, bool], list[float]] = {(c.label, a): [] for c, a in turns}
    did: dict[tuple[str, bool], str] = {}
    for repeat in range(REPEATS + 1):
        for number, query in enumerate(queries if repeat else queries[:10]):
            for case, aware in turns:
                started = time.perf_counter()
                found = find(
                    store, library, query, selectivities,
                    k=K, where=case.where, params=None if aware else usual,
                )  # fmt: skip
                took = time.perf_counter() - started
                if not repeat:
                    continue
                key = (case.label, aware)
                seconds[key].append(took)
                did[key] = found.effort.strategy
                if found.effort.strategy != "exact":
                    params = found.effort.params.over(usual).for_hits(K)
                    did[key] += _text(library.index.search_params(params, K))
                got = {match.entity.id for match in found.matches}
                truth = case.nearest[number]
                shares[key].append(len(got & truth) / len(truth) if truth else 1.0)
    for key, values in seconds.items():
        ways[key] = Measured(float(np.mean(shares[key])), values, did[key])
    _show(library.index, cases, ways)


def _show(index: IndexSpec, cases: list[Case], ways: Mapping[tuple[str, bool], Measured]) -> None:
    floor = float(np.median(ways[cases[0].label, True].seconds))
    table = Table(title=f"{index.index_type} {index.build_params()}", title_justify="left")
    for name in ("Passes", "Search", f"Recall@{K}", "p50 ms", "to unfiltered"):
        table.add_column(name, justify="left" if name in ("Passes", "Search") else "right")
    for (label, aware), way in ways.items():
        p50 = float(np.median(way.seconds))
        table.add_row(
            label,
            way.did if aware else "as unfiltered",
            f"{way.recall:.3f}",
            f"{p50 * 1000:.1f}",
            f"{p50 / floor:.2f}",
        )
    Console().print(table)


def _text(params: Mapping[str, int]) -> str:
    return "".join(f", {name}={value}" for name, value in params.items())


def telling(store: MilvusStore, cases: list[Case]) -> None:
    """Print what telling a filter's selectivity costs the first time."""
    library = store.library("main")
    seconds = []
    for case in cases[1:]:
        for _ in range(7):
            fresh = Selectivities(store)
            started = time.perf_counter()
            fresh.of(library, case.where)
            seconds.append(time.perf_counter() - started)
    print(f"Selectivity of a filter not asked before: {1000 * np.median(seconds):.1f} ms")


def plans(rows: int) -> list[tuple[IndexSpec, SearchParams]]:
    """Return the indexes, at settings that find 98 % of the neighbours without a filter."""
    nlist = usual_nlist(rows)
    return [
        (IvfFlat(nlist), SearchParams(nprobe=max(1, nlist // 5))),
        (Hnsw(), SearchParams(ef=256)),
        (IvfSq8(nlist), SearchParams(nprobe=max(1, nlist // 5))),
    ]


@contextmanager
def opened(lite: bool) -> Iterator[MilvusStore]:
    """Yield an empty store, on the server or embedded."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = (
            Endpoint(str(folder / "milvus.db"), write_lock=folder / "lock")
            if lite
            else Endpoint(stack.enter_context(milvus_server(folder)), embedded=False)
        )
        store = MilvusStore(endpoint)
        stack.callback(store.close)
        yield store


def main() -> None:
    """Measure every index."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--lite", action="store_true", help="in Milvus Lite, not on the server")
    options = parser.parse_args()
    space = ClipLike(DIM)
    vectors = np.concatenate(list(space.blocks(options.rows)))
    queries = space.queries(options.queries)
    near = vectors @ vectors[7]
    alike = {f"alike{share}": near >= np.quantile(near, 1 - share) for share in ALIKE}
    entities = make_entities(options.rows, alike)
    filters = {"all": Filter()}
    for share in SHARES:
        until = datetime.fromtimestamp(options.rows * share / 1000, UTC)
        filters[f"{share:.1%}, by chance"] = Filter(before=until)
    filters |= {f"{share:.1%}, alike": Filter(tags=(f"alike{share}",)) for share in ALIKE}
    cases = make_cases(entities, vectors, queries, filters)
    with opened(options.lite) as store:
        store.ensure_library("main", EncoderIdentity("made-up", "", "0" * 32, DIM, "fp32"))
        for start in range(0, options.rows, 10_000):
            part = slice(start, start + 10_000)
            store.upsert("main", entities[part], vectors[part])
        store.settle("main")
        for index, search in plans(options.rows):
            store.rebuild("main", index, search, in_place=True)
            store.settle("main")
            measure(store, cases, queries, search)
        telling(store, cases)


if __name__ == "__main__":
    main()
