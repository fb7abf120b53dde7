"""VectorDBBench and the index lab side by side: do they find and time the same?

One standalone Milvus server, the same CLIP-like vectors, queries and parameters, one run. The lab
and VectorDBBench take turns, a pass over all queries each: VectorDBBench once on the lab's own
trial, so that both ask the very same index, once there but asking as the lab asks, and once on the
collection that VectorDBBench has made and loaded itself; the lab twice, so that its ratio to itself
shows what the machine's noise does.
Ratios are of the passes of one round; their geometric mean is told with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.milvus_server import CACHE, milvus_server
from benchmarks.index.vectordbbench_peer import VectorDbBench, vectordbbench, write_dataset
from search_core.encoders.base import Embeddings
from search_core.indexes import (
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfSq8,
    SearchParams,
    usual_nlist,
)
from search_core.lab.ground_truth import Case, find_truth
from search_core.lab.queries import VectorSpool
from search_core.lab.timing import (
    Built,
    Job,
    find_all,
    percentile_ms,
    repeated_interval,
    time_requests,
)
from search_core.schema.entity import EMBEDDING_FIELD, MediaEntity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore

K = 10
OWN_COLLECTION = "vectordbbench"
RECALL_ALLOWED = 0.005
TIMES_ALLOWED = (0.9, 1.1)
RESULTS = CACHE / "vectordbbench.json"
#: Who takes a pass in each round.
LAB, SAME_INDEX, OWN_INDEX, LAB_AGAIN = "lab", "VectorDBBench", "its own collection", "lab again"
AS_LAB = "asking as the lab"
ALL = (LAB, SAME_INDEX, AS_LAB, OWN_INDEX, LAB_AGAIN)


@dataclass(slots=True)
class Outcome:
    """What one setting gave: each contender's recall, and its percentiles in every round."""

    name: str
    recall: dict[str, float] = field(default_factory=dict)
    p50_ms: dict[str, list[float]] = field(default_factory=dict)
    p99_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, who: str, metrics: Mapping[str, float]) -> None:
        """Take in a pass."""
        self.recall[who] = metrics["recall"]
        self.p50_ms.setdefault(who, []).append(metrics["p50_ms"])
        self.p99_ms.setdefault(who, []).append(metrics["p99_ms"])


def plan(rows: int) -> list[tuple[IndexSpec, list[SearchParams]]]:
    """Return the index types of both, and the settings to ask."""
    nlist = usual_nlist(rows)
    return [
        (IvfFlat(nlist), [SearchParams(nprobe=8), SearchParams(nprobe=64)]),
        (IvfSq8(nlist), [SearchParams(nprobe=64)]),
        (Hnsw(), [SearchParams(ef=64), SearchParams(ef=256)]),
    ]


class SideBySide:
    """The lab and VectorDBBench on one server, over the same vectors and queries."""

    def __init__(self, uri: str, peer: VectorDbBench, rows: int, queries: Embeddings) -> None:
        self._uri = uri
        self._peer = peer
        self._rows = rows
        self._queries = queries
        self._rng = np.random.default_rng(0)

    def compare(self, rounds: int) -> list[Outcome]:
        """Build every index twice, by the lab and by VectorDBBench, and measure all settings."""
        dim = self._queries.shape[1]
        store = MilvusStore(Endpoint(self._uri, timeout_s=600, embedded=False))
        outcomes = []
        with VectorSpool(dim) as spool, store.open_trial(dim, metric="COSINE") as trial:
            for block in ClipLike(dim).blocks(self._rows):
                numbers = np.arange(spool.rows, spool.rows + len(block))
                facets = [_entity(number) for number in numbers.tolist()]
                spool.append(facets, block)
                trial.insert(numbers, block, facets)
            trial.settle()
            truth = find_truth(spool, self._queries, k=K, metric="COSINE", masks={"": None})[""]
            dataset = write_dataset(spool.vectors[: self._rows], self._queries, truth.nearest)
            for spec, settings in plan(self._rows):
                built = Built(trial, spec, "COSINE", trial.build(spec))
                load = self._request(
                    dataset, Job(built, settings[0], Case("image", self._queries, truth), K)
                )
                self._peer.run(**load, collection=OWN_COLLECTION, stages=["drop_old", "load"])
                for params in settings:
                    job = Job(built, params, Case("image", self._queries, truth), K)
                    recall = float(truth.shares(find_all(job), spool).mean())
                    outcomes.append(self._measure(job, recall, dataset, trial._name, rounds))
                    show(outcomes[-1:])
        store.close()
        return outcomes

    def _measure(
        self, job: Job, recall: float, dataset: Mapping[str, Any], collection: str, rounds: int
    ) -> Outcome:
        """Let each contender take a pass a round, in an order drawn anew; one round warms up."""
        ask = partial(self._peer.run, **self._request(dataset, job), stages=["search_serial"])
        contenders: dict[str, Callable[[], Mapping[str, float]]] = {
            LAB: partial(self._lab_pass, job, recall),
            SAME_INDEX: partial(ask, collection=collection, vector_field=EMBEDDING_FIELD),
            AS_LAB: partial(ask, collection=collection, vector_field=EMBEDDING_FIELD, as_lab=True),
            OWN_INDEX: partial(ask, collection=OWN_COLLECTION),
            LAB_AGAIN: partial(self._lab_pass, job, recall),
        }
        searched = (f"{name} {value}" for name, value in job.searched.items())
        outcome = Outcome(" ".join([job.built.spec.index_type, *searched]))
        names = list(contenders)
        for turn in range(rounds + 1):
            for at in self._rng.permutation(len(names)).tolist():
                metrics = contenders[names[at]]()
                if turn:
                    outcome.add(names[at], metrics)
        return outcome

    def _request(self, dataset: Mapping[str, Any], job: Job) -> dict[str, Any]:
        return {
            "uri": self._uri,
            "k": K,
            "dataset": dataset,
            "index_type": job.built.spec.index_type,
            "build_params": job.built.spec.build_params(),
            "search_params": job.searched,
        }

    def _lab_pass(self, job: Job, recall: float) -> Mapping[str, float]:
        seconds = time_requests(job, 1)
        percentiles = {f"p{at}_ms": percentile_ms(seconds.tolist(), at) for at in (50, 99)}
        return {"recall": recall, **percentiles}


def show(outcomes: Sequence[Outcome]) -> None:
    """Print recalls, medians of the percentiles, and ratios to the lab's with their intervals."""
    table = Table("", "", "recall", "p50 ms", "p99 ms", "p50 / lab's", "p99 / lab's")
    for outcome in outcomes:
        for who in ALL:
            table.add_row(
                outcome.name if who == LAB else "",
                who,
                "" if who == AS_LAB else f"{outcome.recall[who]:.4f}",
                f"{np.median(outcome.p50_ms[who]):.2f}",
                f"{np.median(outcome.p99_ms[who]):.2f}",
                *(
                    "" if who == LAB else _ratio_text(values[who], values[LAB])
                    for values in (outcome.p50_ms, outcome.p99_ms)
                ),
            )
    Console(width=120).print(table)


def verdicts(outcomes: Sequence[Outcome]) -> list[str]:
    """Return in words whether VectorDBBench finds and times what the lab does, by setting."""
    said = []
    for outcome in outcomes:
        for who in (SAME_INDEX, OWN_INDEX):
            gap = abs(outcome.recall[who] - outcome.recall[LAB])
            words = [f"recall {'the same' if gap <= RECALL_ALLOWED else 'DIFFERS'} ({gap:.4f})"]
            for name, values in (("p50", outcome.p50_ms), ("p99", outcome.p99_ms)):
                middle, low, high = ratio(values[who], values[LAB])
                alike = ratio(values[AS_LAB], values[LAB])[0]
                if TIMES_ALLOWED[0] <= middle <= TIMES_ALLOWED[1]:
                    words.append(f"{name} within 10 %")
                elif high >= TIMES_ALLOWED[0] and low <= TIMES_ALLOWED[1]:
                    words.append(f"{name} {middle:.2f}, not told apart from 10 %")
                else:
                    words.append(f"{name} DIFFERS ({middle:.2f}; {alike:.2f} {AS_LAB} asks)")
            said.append(f"{outcome.name}, {who}: {', '.join(words)}")
    return said


def ratio(values: Sequence[float], base: Sequence[float]) -> tuple[float, float, float]:
    """Return the geometric mean of the rounds' ratios, and its 95 % interval."""
    logs = [math.log(value / other) for value, other in zip(values, base, strict=True)]
    mean = float(np.mean(logs))
    half = repeated_interval([value - min(logs) for value in logs], mean - min(logs))
    spread = (half[1] - half[0]) / 2
    return math.exp(mean), math.exp(mean - spread), math.exp(mean + spread)


def _ratio_text(values: Sequence[float], base: Sequence[float]) -> str:
    middle, low, high = ratio(values, base)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _entity(number: int) -> MediaEntity:
    name = str(number)
    return MediaEntity(name, name, "image", "", "", number, "file", 0, 0, 0, 0, "", 0)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="vectordbbench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    queries = ClipLike().queries(options.queries)
    with milvus_server() as uri, vectordbbench() as peer:
        outcomes = SideBySide(uri, peer, options.rows, queries).compare(options.rounds)
    Console().print(f"\n{options.rows:,} x {queries.shape[1]}, {options.rounds} rounds")
    show(outcomes)
    Console(width=120).print("\n".join(verdicts(outcomes)))
    record = [{name: getattr(item, name) for name in item.__slots__} for item in outcomes]
    RESULTS.write_text(json.dumps({**vars(options), "outcomes": record}, indent=1))


if __name__ == "__main__":
    main()
