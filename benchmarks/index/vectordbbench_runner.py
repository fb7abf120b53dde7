"""VectorDBBench's own runner, asked over standard input; runs in its environment, not Sightline's.

One JSON request a line, one JSON reply a line (on the descriptor named as the only argument, since
VectorDBBench logs to the standard ones). A request says which ``stages`` of VectorDBBench to run
over the custom dataset, with which index and search parameters, on which collection; the reply is
its metrics. What it measures: one client process asks the test queries once, one after the other,
without a warm-up; its latencies are those of ``MilvusClient.search``, its percentiles NumPy's.

Changed in VectorDBBench: results are not rounded to 0.1 ms; the wait for sorted segments and the
forced merge, which a Milvus before 2.5 never ends, are left out; it reads a hit's key from ``id``,
where such a Milvus has it; and ``vector_field`` names the field to search, so that it can search a
collection that it has not made.

It asks from a process just forked, over a connection just made, with queries as Python lists, and
works out the recall of each answer before it asks again. With ``as_lab`` it asks as the index lab
does instead: a few queries first, not timed; queries as arrays; one right after the other, without
their recall. What then is left of a difference is not in the way of asking.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from vectordb_bench.backend import task_runner
from vectordb_bench.backend.assembler import Assembler
from vectordb_bench.backend.cases import CaseType
from vectordb_bench.backend.clients import DB
from vectordb_bench.backend.clients.milvus import config
from vectordb_bench.backend.clients.milvus.milvus import Milvus
from vectordb_bench.backend.data_source import DatasetSource
from vectordb_bench.backend.runner import serial_runner
from vectordb_bench.models import CaseConfig, TaskConfig, TaskStage

CONFIGS = {
    "FLAT": config.FLATConfig,
    "IVF_FLAT": config.IVFFlatConfig,
    "IVF_SQ8": config.IVFSQ8Config,
    "HNSW": config.HNSWConfig,
}


def adapt() -> None:
    """Change in VectorDBBench what the module's docstring says."""
    serial_runner.round = lambda value, digits: float(value)
    Milvus._wait_for_segments_sorted = lambda self: None
    Milvus._force_merge = lambda self: None


class Searched(Milvus):  # type: ignore[misc]
    """A collection to search, of any making; ``warm_up`` is asked before anything is timed."""

    vector_field = "vector"
    warm_up: Any = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._primary_field, self._vector_field = "id", self.vector_field

    @contextmanager
    def init(self) -> Iterator[None]:
        """Connect, and warm up."""
        with super().init():
            self.expr = ""  # the filter, set only later
            for query in self.warm_up:
                self.search_embedding(query, 10)
            yield


class AsLab(serial_runner.SerialSearchRunner):  # type: ignore[misc]
    """Asks as the index lab does, see above; tells no recall."""

    test_data: Any

    def run(self) -> Any:
        """Ask all queries, one after the other."""
        self.test_data = [np.asarray(query, dtype=np.float32) for query in self.test_data]
        self.db.warm_up = self.test_data[:3]
        self.measure_recall = False
        return super().run()


PLAIN = task_runner.SerialSearchRunner


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the stages a request asks for and return VectorDBBench's metrics."""
    index = CONFIGS[request["index_type"]](**request["build_params"], **request["search_params"])
    task = TaskConfig(
        db=DB.Milvus,
        db_config=config.MilvusConfig(
            uri=request["uri"], collection_name=request["collection"], db_label="sightline"
        ),
        db_case_config=index,
        case_config=CaseConfig(
            case_id=CaseType.PerformanceCustomDataset,
            k=request["k"],
            custom_case={
                "name": "CLIP-like",
                "description": "",
                "load_timeout": 3600,
                "optimize_timeout": 3600,
                "dataset_config": request["dataset"],
            },
        ),
        stages=[TaskStage(stage) for stage in request["stages"]],
        insert_batch_size=1000,
    )
    runner = Assembler.assemble("sightline", task, DatasetSource.S3)
    Searched.vector_field = request.get("vector_field", "vector")
    task_runner.SerialSearchRunner = AsLab if request.get("as_lab") else PLAIN
    DB.init_cls = property(lambda db: Milvus if TaskStage.LOAD in task.stages else Searched)
    metrics = runner.run(drop_old=TaskStage.DROP_OLD in task.stages)
    return {
        "recall": metrics.recall,
        "p50_ms": metrics.serial_latency_p50 * 1000,
        "p95_ms": metrics.serial_latency_p95 * 1000,
        "p99_ms": metrics.serial_latency_p99 * 1000,
        "insert_s": metrics.insert_duration,
        "optimize_s": metrics.optimize_duration,
    }


if __name__ == "__main__":
    adapt()
    with os.fdopen(int(sys.argv[1]), "w") as replies:
        for line in sys.stdin:
            print(json.dumps(run(json.loads(line))), file=replies, flush=True)
