"""What hours of the day cost a search on Milvus Lite, by minutes that rows hold and without them.

``python -m benchmarks hours [--rows 20000] [--years 3] [--data-dir DIR]`` stores CLIP-like vectors,
or those of a data directory, captured at any time of so many years, in two libraries of a scratch
Milvus Lite: one whose rows hold their minute of the day, and one as libraries were before.
Searches without a filter, under a camera, and under hours take turns, in an order drawn anew each
time; their latency is that of ``search.find``, all of a search but the encoder. Processor time is
that of this process, in which Milvus Lite works: a busy machine does not lengthen it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.filters import make_entities
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.schema.entity import MINUTE_FIELD, MediaEntity, ms_from_datetime
from search_core.schema.filters import MOST_DAYS, Filter, Hours
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import find
from search_core.store.endpoint import Endpoint
from search_core.store.milvus import schema
from search_core.store.milvus.store import MilvusStore

DIM = 512
K = 50
CASES = {
    "22:00 to 05:00, Berlin": Hours(1320, 300, "Europe/Berlin"),
    "09:30 to 17:00, Kolkata": Hours(570, 1020, "Asia/Kolkata"),
}


def spread(entities: list[MediaEntity], years: float) -> list[MediaEntity]:
    """Return the entities as captured at any time of so many years until 2026."""
    until = ms_from_datetime(datetime(2026, 11, 1, tzinfo=UTC))
    first = until - int(years * 31_557_600_000)
    times = np.random.default_rng(2).integers(first, until, len(entities))
    return [
        replace(entity, captured_at=int(moment))
        for entity, moment in zip(entities, times, strict=True)
    ]


def stored_rows(data_dir: Path, library: str) -> tuple[list[MediaEntity], Embeddings]:
    """Return what a data directory's library holds: entities, and vectors (n, dim)."""
    store = MilvusStore(Endpoint(str(data_dir / "milvus.db")))
    pages = list(store.vectors(library))
    store.close()
    entities = [entity for page in pages for entity in page.entities]
    return entities, np.concatenate([page.embeddings for page in pages])


def filters_of(entities: list[MediaEntity]) -> dict[str, tuple[str, Filter]]:
    """Return the filters to search under, each with the library it is asked of."""
    times = [entity.captured_at for entity in entities]
    first = datetime.fromtimestamp(min(times) / 1000, UTC)
    last = datetime.fromtimestamp(max(times) / 1000, UTC) + timedelta(days=1)
    reach = max(first, last - timedelta(days=MOST_DAYS))
    found = {
        "no filter": ("minutes", Filter()),
        "one camera": ("minutes", Filter(cameras=(entities[0].camera,))),
    }
    for label, hours in CASES.items():
        whole = Filter(after=first, before=last, hours=hours)
        found[f"{label}, all of the library's time"] = ("minutes", whole)
        found[f"{label}, at any time"] = ("minutes", Filter(hours=hours))
        found[f"{label}, without minutes"] = ("spans", replace(whole, after=reach))
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--years", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--library", default="main")
    given = parser.parse_args()
    if given.data_dir:
        entities, vectors = stored_rows(given.data_dir, given.library)
    else:
        entities = make_entities(given.rows, {})
        vectors = np.concatenate(list(ClipLike(DIM).blocks(given.rows)))
    entities = spread(entities, given.years)
    filters = filters_of(entities)
    seconds: dict[str, list[tuple[float, float]]] = {label: [] for label in filters}
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        store = MilvusStore(Endpoint(f"{folder}/milvus.db"))
        encoder = EncoderIdentity("bench", "", "0" * 32, vectors.shape[1], "fp32")
        old = tuple(name for name in schema._INT64_FIELDS if name != MINUTE_FIELD)
        with mock.patch.object(schema, "_INT64_FIELDS", old):
            store.ensure_library("spans", encoder)
        for library in ("minutes", "spans"):
            store.ensure_library(library, encoder)
            for start in range(0, len(entities), 2000):
                part = slice(start, start + 2000)
                store.upsert(library, entities[part], vectors[part])
            store.settle(library)
        selectivities = Selectivities(store)
        for turn in range(-3, given.rounds):  # the first three are not counted
            query = vectors[turn * 7919 % len(vectors)]
            for label in rng.permutation(list(filters)).tolist():
                library, where = filters[label]
                info = store.library(library)
                find(store, info, query, selectivities, k=K, where=where)  # caches are its own
                began, worked = time.perf_counter(), time.process_time()
                find(store, info, query, selectivities, k=K, where=where)
                took = time.perf_counter() - began, time.process_time() - worked
                if turn >= 0:
                    seconds[label].append(took)
        store.close()
    usual = [median(taken) for taken in zip(*seconds["no filter"], strict=True)]
    table = Table(title=f"{len(entities):,} x {vectors.shape[1]}, Milvus Lite, k {K}")
    for heading in ("Filter", "median ms", "against none", "processor ms", "against none"):
        table.add_column(heading, justify="left" if heading == "Filter" else "right")
    for label, taken in seconds.items():
        medians = [median(one) for one in zip(*taken, strict=True)]
        cells = [
            (f"{one * 1000:.1f}", f"{one / of:.2f}") for one, of in zip(medians, usual, strict=True)
        ]
        table.add_row(label, *(text for pair in cells for text in pair))
    Console().print(table)


if __name__ == "__main__":
    main()
