"""Many rows into a Milvus server: one upsert after the other, and in bulk, on the same server.

Each contender is a process of its own that takes made 512-d vectors through the very writer that
ingest uses, until all rows are kept, in the index and served. LocalBulkWriter is pymilvus' own way
to write the files (``pip install 'pymilvus[bulk_writer]'``; left out where it is missing).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.milvus_server import CACHE, milvus_server
from ingest.ledger import Ledger
from ingest.rows.writer import BulkWriter, Rows, Writer
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.indexes import IvfFlat
from search_core.schema.entity import STORED_FIELDS, FrameRef, MediaEntity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.bulk_insert import BulkStorage
from search_core.store.milvus.schema import collection_schema, to_rows
from search_core.store.milvus.store import MilvusStore

DIM, BATCH_ROWS = 512, 1000
CONTENDERS = ("upsert", "bulk", "LocalBulkWriter")


def entity(number: int) -> MediaEntity:
    """Return what ingest would make of frame ``number`` of an hour's videos."""
    source, pts_ms = f"{number // 3600:032x}", number % 3600 * 1000
    return MediaEntity(
        id=FrameRef(source, pts_ms).primary_key,
        source_id=source,
        media_type="frame",
        uri=f"/footage/2026/gate-{number % 7}/{source}.mp4",
        camera=f"gate-{number % 7}",
        captured_at=1_780_000_000_000 + pts_ms,
        captured_from="file",
        pts_ms=pts_ms,
        duration_ms=3_600_000,
        width=1920,
        height=1080,
        thumbnail=f"thumbnails/{source[:2]}/{source}-{pts_ms}.webp",
        ingested_at=1_780_000_000_000,
    )


def batches(vectors: Embeddings) -> Iterator[Rows]:
    """Yield made rows some at a time, as the encoder would."""
    for start in range(0, len(vectors), BATCH_ROWS):
        part = np.array(vectors[start : start + BATCH_ROWS])
        yield Rows([entity(start + row) for row in range(len(part))], part)


def contend(contender: str, uri: str, vectors: Embeddings) -> None:
    """Take all vectors in and print how long it took and what it needed, as JSON."""
    store = MilvusStore(Endpoint(uri, embedded=False))
    identity = EncoderIdentity("made", "", "0" * 32, DIM, "fp32")
    store.ensure_library(contender, identity, index=IvfFlat(nlist=1024))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        place = (store, ledger, contender, "recipe")
        bulk = store.bulk_inserter(BulkStorage(folder)).insert
        if contender == "LocalBulkWriter":
            bulk = _LocalBulkWriter(store, contender, folder).insert
        with Writer(*place) if contender == "upsert" else BulkWriter(*place, bulk) as writer:
            for rows in batches(vectors):
                writer.put(rows)
        store.settle(contender)
        _await_index(store, contender, len(vectors))
    seconds = time.monotonic() - began_s
    assert store.count(contender) == len(vectors)
    [hits] = store.search(contender, vectors[-1:], k=1)
    assert hits[0].entity == entity(len(vectors) - 1)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "seconds": seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    print(json.dumps(told))
    store.drop_library(contender)
    store.close()


class _LocalBulkWriter:
    """Bulk insert of the same rows from files that pymilvus' own writer makes."""

    def __init__(self, store: MilvusStore, library: str, folder: str) -> None:
        self._client = store.session.client
        self._collection = store.library(library).collection
        self._folder = folder

    def insert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write the rows to a file and let the server take it in."""
        from pymilvus.bulk_writer import BulkFileType, LocalBulkWriter

        writer = LocalBulkWriter(
            collection_schema(self._client, embeddings.shape[1]),
            self._folder,
            chunk_size=1 << 40,
            file_type=BulkFileType.PARQUET,
        )
        for row in to_rows(zip(entities, embeddings, strict=True), STORED_FIELDS):
            writer.append_row(row)
        writer.commit()
        handler = self._client._get_connection()
        for files in writer.batch_files:
            task = handler.do_bulk_insert(self._collection, "", files)
            while (state := handler.get_bulk_insert_state(task).state_name) != "Completed":
                assert "Failed" not in state
                time.sleep(0.2)
        self._client.refresh_load(self._collection)


def _await_index(store: MilvusStore, library: str, rows: int) -> None:
    """Return when the index has all rows; upserts and their flush leave it behind."""
    collection = store.library(library).collection
    while True:
        state = store.session.client.describe_index(collection, "embedding")
        if state["indexed_rows"] >= rows and not state["pending_index_rows"]:
            return
        time.sleep(0.2)


def compare(rows: int, repeats: int) -> None:
    """Let the contenders take turns on one server and print the best of each."""
    path = CACHE / f"clip_like_{rows}x{DIM}.f32"
    ClipLike(DIM).write(path, rows)
    contenders = CONTENDERS if importlib.util.find_spec("minio") else CONTENDERS[:-1]
    best: dict[str, dict[str, float]] = {}
    with milvus_server() as uri:
        for _ in range(repeats):
            for name in contenders:
                command = [sys.executable, "-m", "benchmarks.index.bulk", "--rows", str(rows)]
                out = subprocess.run(
                    [*command, "--contender", name, "--uri", uri],
                    stdout=subprocess.PIPE,
                    check=True,
                ).stdout
                told = json.loads(out)
                best[name] = min(best.get(name, told), told, key=lambda run: run["seconds"])
    table = Table(title=f"{rows:,} x {DIM} into Milvus, kept, indexed and served")
    for column in ("", "s", "rows/s", "ratio", "CPU s of the command", "its peak MiB"):
        table.add_column(column, justify="right")
    for name, told in best.items():
        table.add_row(
            name,
            f"{told['seconds']:.1f}",
            f"{rows / told['seconds']:,.0f}",
            f"{best['upsert']['seconds'] / told['seconds']:.2f}",
            f"{told['cpu_s']:.1f}",
            f"{told['peak_mib']:,.0f}",
        )
    Console().print(table)


def main() -> None:
    """Compare, or be one of the contenders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.contender:
        path = CACHE / f"clip_like_{options.rows}x{DIM}.f32"
        contend(options.contender, options.uri, ClipLike(DIM).write(path, options.rows))
    else:
        compare(options.rows, options.repeats)


if __name__ == "__main__":
    main()
