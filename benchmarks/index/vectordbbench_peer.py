"""VectorDBBench as a process to ask: its own environment, its dataset files, its runner."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.index.milvus_server import CACHE
from search_core.encoders.base import Embeddings

RELEASE = "vectordb-bench==2.0.0"
ENVIRONMENT = CACHE / "vectordbbench"
DATASETS = CACHE / "vectordbbench-data"


class VectorDbBench:
    """VectorDBBench's runner as a process that answers requests, see vectordbbench_runner."""

    def __init__(self, process: subprocess.Popen[str], replies: int) -> None:
        self._process = process
        self._replies = os.fdopen(replies)

    def run(self, **request: Any) -> dict[str, float]:
        """Run one request; raises RuntimeError when VectorDBBench fails."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = self._replies.readline()
        if not reply:
            raise RuntimeError(f"VectorDBBench failed; {DATASETS / 'output.log'} says why")
        metrics: dict[str, float] = json.loads(reply)
        return metrics


@contextmanager
def vectordbbench() -> Iterator[VectorDbBench]:
    """Yield VectorDBBench's runner, ended with the context."""
    DATASETS.mkdir(parents=True, exist_ok=True)
    python = environment()
    script = Path(__file__).with_name("vectordbbench_runner.py")
    places = {
        "DATASET_LOCAL_DIR": str(DATASETS),
        "RESULTS_LOCAL_DIR": str(DATASETS / "results"),
        "LOG_FILE": str(DATASETS / "vectordbbench.log"),
    }
    replies, write = os.pipe()
    with (DATASETS / "output.log").open("w") as log:
        process = subprocess.Popen(
            [python, script, str(write)],
            cwd=DATASETS,
            env=dict(os.environ) | places,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            pass_fds=[write],
        )
    os.close(write)
    try:
        yield VectorDbBench(process, replies)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def environment() -> Path:
    """Return the Python of VectorDBBench's own environment, made when missing.

    It needs pymilvus 2, Sightline pymilvus 3.
    """
    python = ENVIRONMENT / "bin" / "python"
    made = ENVIRONMENT / ".installed"
    if not made.exists():
        print(f"Installing {RELEASE} into {ENVIRONMENT} …", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", RELEASE], check=True)
        made.touch()
    return python


def write_dataset(
    vectors: Embeddings, queries: Embeddings, nearest: NDArray[np.int64]
) -> Mapping[str, Any]:
    """Write a custom dataset of VectorDBBench and return its description.

    ``nearest`` (q, k) are the row numbers of each query's exact neighbours.
    """
    rows, dim = vectors.shape
    folder = f"{rows}x{dim}"
    place = DATASETS / "clip_like" / folder
    place.mkdir(parents=True, exist_ok=True)
    _write(place / "train.parquet", "emb", vectors)
    _write(place / "test.parquet", "emb", queries)
    _write(place / "neighbors.parquet", "neighbors_id", nearest)
    return {"name": "clip_like", "dir": folder, "size": rows, "dim": dim, "metric_type": "COSINE"}


def _write(path: Path, column: str, values: NDArray[Any]) -> None:
    """Write rows of equal length as a Parquet file of ids and lists, block by block."""
    kind = pa.list_(pa.from_numpy_dtype(values.dtype))
    schema = pa.schema([("id", pa.int64()), (column, kind)])
    with pq.ParquetWriter(path, schema) as file:
        for start in range(0, len(values), 10_000):
            part = np.ascontiguousarray(values[start : start + 10_000])
            ends = np.arange(0, part.size + 1, part.shape[1], dtype=np.int32)
            lists = pa.ListArray.from_arrays(ends, part.ravel())
            ids = pa.array(np.arange(start, start + len(part)))
            file.write_batch(pa.record_batch([ids, lists], schema=schema))
