"""The sizes that sizing.py computes, against measured ones; more than 15 % off fails.

``python -m benchmarks index_sizes [faiss lite server]`` measures, side by side with the formula:

- faiss: the index serialised, for every type that Milvus builds with faiss;
- lite: the index files of Milvus Lite, and the memory of a process that has the library loaded;
- server: the index files of a standalone Milvus, which compresses them. Its memory tells nothing:
  it grows and shrinks by hundreds of megabytes whatever is loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faiss
from pymilvus import MilvusClient

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.milvus_server import milvus_server
from search_core.encoders.base import EncoderIdentity
from search_core.indexes import (
    Flat,
    Hnsw,
    HnswSq,
    IndexSpec,
    IvfFlat,
    IvfPq,
    IvfRabitq,
    IvfSq8,
    Scann,
)
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.sizing import estimate
from search_core.schema.entity import FrameRef, MediaEntity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore

ALLOWED = 0.15
LIBRARY = "sizes"
NLIST = 256
#: Milvus Lite's files are faiss's, as they are.
LITE_INFO = ServerInfo.reported(version("milvus-lite"), embedded=True)
FAISS: list[tuple[IndexSpec, str]] = [
    (IvfFlat(NLIST), "IVF{nlist},Flat"),
    (IvfSq8(NLIST), "IVF{nlist},SQ8"),
    (IvfPq(NLIST, m=32), "IVF{nlist},PQ32x8np"),
    (IvfPq(NLIST, m=32, nbits=6), "IVF{nlist},PQ32x6np"),
    (IvfRabitq(NLIST, refine=False), "RR,IVF{nlist},RaBitQ"),
    (IvfRabitq(NLIST), "RR,IVF{nlist},RaBitQ,Refine(SQ8)"),
    (IvfRabitq(NLIST, refine_type="FP32"), "RR,IVF{nlist},RaBitQ,RFlat"),
    (Scann(NLIST, with_raw_data=False), "IVF{nlist},PQ{half}x4fs"),
    (Scann(NLIST), "IVF{nlist},PQ{half}x4fs,RFlat"),
    (Hnsw(m=16), "HNSW16"),
    (Hnsw(m=48), "HNSW48"),
    (HnswSq(m=16), "HNSW16,SQ8"),
    (HnswSq(m=16, sq_type="SQ6"), "HNSW16,SQ6"),
    (HnswSq(m=16, sq_type="BF16"), "HNSW16,SQbf16"),
]
LITE: list[IndexSpec] = [Flat(), IvfFlat(NLIST), IvfSq8(NLIST), Hnsw(m=16), HnswSq(m=16)]
SERVER: list[IndexSpec] = [
    *(IvfFlat(NLIST), IvfSq8(NLIST), Hnsw(m=16, ef_construction=100)),
    *(Scann(NLIST), IvfPq(NLIST, m=16)),
]


@dataclass(frozen=True, slots=True)
class Size:
    """A size measured on ``where``, beside what the formula says, in bytes."""

    where: str
    spec: IndexSpec
    measured: int
    computed: int

    @property
    def off(self) -> float:
        """How much larger the computed size is, as a share of the measured one."""
        return self.computed / self.measured - 1

    def __str__(self) -> str:
        built = " ".join(f"{name}={value}" for name, value in self.spec.build_params().items())
        return (
            f"{self.where:14} {self.spec.index_type:11} {built:44.44} "
            f"{self.measured / 2**20:9.1f} {self.computed / 2**20:9.1f} MiB {self.off:+7.1%}"
        )


def faiss_sizes(rows: int, dim: int) -> Iterator[Size]:
    """Yield the sizes of serialised faiss indexes; links are made carelessly, being as many."""
    faiss.omp_set_num_threads(1)
    vectors = next(iter(ClipLike(dim).blocks(rows)))
    for spec, template in FAISS:
        factory = template.format(nlist=NLIST, half=dim // 2)
        index: Any = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        if isinstance(spec, Hnsw):
            index.hnsw.efConstruction = 16
        index.train(vectors)
        index.add(vectors)
        size = int(faiss.serialize_index(index).size)
        yield Size("faiss", spec, size, estimate(spec, len(vectors), dim, LITE_INFO).index_bytes)


def lite_sizes(rows: int, dim: int) -> Iterator[Size]:
    """Yield index files and memory of Milvus Lite, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(str(Path(folder) / "milvus.db"))
        with _library(endpoint, rows, dim, LIBRARY, Flat()):
            pass
        for spec in LITE:
            with _opened(endpoint) as store:
                store.rebuild(LIBRARY, spec, in_place=True)
            size = estimate(spec, rows, dim, LITE_INFO)
            if not isinstance(spec, Flat):
                files = sum(path.stat().st_size for path in Path(folder).rglob("*.idx"))
                yield Size("lite, files", spec, files, size.index_bytes)
            command = [sys.executable, "-m", "benchmarks.index.index_sizes", "--hold", endpoint.uri]
            held = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            yield Size("lite, memory", spec, int(held.split()[-1]), size.memory_bytes)


def server_sizes(rows: int, dim: int) -> Iterator[Size]:
    """Yield the sizes of index files of a standalone server, of a library each."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        with milvus_server(base) as uri:
            endpoint = Endpoint(uri, embedded=False)
            for place, spec in enumerate(SERVER):
                name = f"{LIBRARY}{place}"
                with _library(endpoint, rows, dim, name, spec):
                    files = _index_files(base, MilvusClient(uri), name)
                yield Size("server, files", spec, files, estimate(spec, rows, dim).index_bytes)
                MilvusClient(uri).release_collection(name)


def _index_files(base: Path, client: MilvusClient, name: str) -> int:
    """Return the bytes of a collection's index files: data/index_files/BUILD/VERSION/PARTITION."""
    collection = client.describe_collection(name)["collection_id"]
    partitions = [path.name for path in base.glob(f"data/insert_log/{collection}/*")]
    builds = base.glob("data/index_files/*/*/*")
    files = (file for build in builds if build.name in partitions for file in build.rglob("*"))
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _opened(endpoint: Endpoint) -> Iterator[MilvusStore]:
    store = MilvusStore(endpoint)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _library(
    endpoint: Endpoint, rows: int, dim: int, name: str, index: IndexSpec
) -> Iterator[MilvusStore]:
    """Make a library of entities such as footage gives, and index it once it has them."""
    identity = EncoderIdentity("made", "clip-like", "0" * 32, dim, "fp32")
    with _opened(endpoint) as store:
        store.ensure_library(name, identity)
        first = 0
        for block in ClipLike(dim).blocks(rows):
            entities = [_entity(number) for number in range(first, first + len(block))]
            store.upsert(name, entities, block)
            first += len(block)
        store.settle(name)
        store.rebuild(name, index, in_place=True)
        yield store


def _entity(number: int) -> MediaEntity:
    source = f"{number // 60:032x}"
    reference = FrameRef(source, number % 60 * 1000)
    return MediaEntity(
        id=reference.primary_key,
        source_id=source,
        media_type="frame",
        uri=f"/srv/footage/2026-11/gate-{number % 8}/recording-{number // 60:06}.mp4",
        camera=f"gate-{number % 8}",
        captured_at=1_790_000_000_000 + number * 1000,
        captured_from="given",
        pts_ms=number % 60 * 1000,
        duration_ms=60_000,
        width=1920,
        height=1080,
        thumbnail=f"thumbnails/{source[:2]}/{reference.primary_key}.jpg",
        ingested_at=1_790_000_000_000,
        tags=("night",) if number % 2 else (),
    )


def _hold(uri: str) -> int:
    """Return what this process holds once it has the library loaded, beyond the imports."""
    before = _held("self")
    with _opened(Endpoint(uri)) as store:
        dim = store.library(LIBRARY).encoder.dim
        store.search(LIBRARY, ClipLike(dim).queries(50), k=10)
        return _held("self") - before


def _held(pid: str) -> int:
    """Return a process's memory that no file backs, in bytes (RssAnon of /proc/PID/status)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no memory")


MEASURES = {"faiss": faiss_sizes, "lite": lite_sizes, "server": server_sizes}


def main() -> None:
    """Print every size, and end with 1 where one is off by more than allowed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", nargs="*", default=["faiss", "lite", "server"])
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--dim", type=int, default=512)
    options.add_argument("--hold", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.hold:
        print(_hold(given.hold))
        return
    wrong = 0
    print(f"{given.rows:,} x {given.dim}: measured, computed, off", flush=True)
    for what in given.what:
        for size in MEASURES[what](given.rows, given.dim):
            print(size, flush=True)
            wrong += abs(size.off) > ALLOWED
    sys.exit(f"{wrong} more than {ALLOWED:.0%} off" if wrong else 0)


if __name__ == "__main__":
    main()
