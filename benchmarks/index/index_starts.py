"""Where to start with each index type: recall at its search parameter, on CLIP-like vectors.

``python -m benchmarks index_starts [--rows 50000] [--dim 512]`` builds the types faiss has as
Milvus builds them, sweeps the parameter that trades time for recall, and prints ann_recall@10. The
table in indexes/starting_points.py is read off this. In process, on one thread, without Milvus.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np

from benchmarks.index.clip_like import ClipLike
from search_core.encoders.base import Embeddings
from search_core.indexes import usual_nlist

QUERIES = 200
K = 10
SHARES = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
EFS = (16, 32, 64, 128, 256, 512, 1024)


def faiss_factories(dim: int, nlist: int) -> dict[str, str]:
    """Return what faiss calls the index types Milvus builds with it."""
    return {
        "IVF_FLAT": f"IVF{nlist},Flat",
        "IVF_SQ8": f"IVF{nlist},SQ8",
        f"IVF_PQ m={dim // 8}": f"IVF{nlist},PQ{dim // 8}x8np",
        f"IVF_PQ m={dim // 4}": f"IVF{nlist},PQ{dim // 4}x8np",
        f"IVF_PQ m={dim // 2}": f"IVF{nlist},PQ{dim // 2}x8np",
        "IVF_RABITQ": f"RR,IVF{nlist},RaBitQ,Refine(SQ8)",
        "SCANN": f"IVF{nlist},PQ{dim // 2}x4fs,RFlat",
        "HNSW M=16": "HNSW16",
        "HNSW M=32": "HNSW32",
        "HNSW_SQ M=32": "HNSW32,SQ8",
    }


def recalls(factory: str, rows: Embeddings, queries: Embeddings) -> Iterator[tuple[str, float]]:
    """Yield a search setting and its ann_recall@10, ascending in effort."""
    index: Any = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    graph = "HNSW" in factory
    if graph:
        index.hnsw.efConstruction = 200
    index.train(rows)
    index.add(rows)
    exact = faiss.knn(queries, rows, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    space = faiss.ParameterSpace()
    if factory.endswith(("Refine(SQ8)", "RFlat")):
        index.k_factor = 10 if factory.endswith("RFlat") else 20
    for effort in EFS if graph else SHARES:
        if graph:
            index.hnsw.efSearch = effort
        else:
            nlist = faiss.extract_index_ivf(index).nlist
            space.set_index_parameter(index, "nprobe", max(1, round(nlist * effort)))
        found = index.search(queries, K)[1]
        shares = [np.isin(truth, got).mean() for truth, got in zip(exact, found, strict=True)]
        yield f"ef {effort}" if graph else f"nlist/{round(1 / effort)}", float(np.mean(shares))


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--dim", type=int, default=512)
    given = options.parse_args()
    faiss.omp_set_num_threads(1)
    made = ClipLike(given.dim)
    rows = np.concatenate(list(made.blocks(given.rows)))
    queries = made.queries(QUERIES)
    for name, factory in faiss_factories(given.dim, usual_nlist(given.rows)).items():
        started = time.perf_counter()
        line = "  ".join(f"{at} {recall:.3f}" for at, recall in recalls(factory, rows, queries))
        print(f"{name:16} {line}  ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
