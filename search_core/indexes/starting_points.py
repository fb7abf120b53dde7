"""Where to start with each index type: parameters that reached a recall on CLIP-like vectors.

Measured by `python -m benchmarks index_starts` on made vectors that lie as CLIP's do (50,000 x 512,
nlist 894, ten neighbours, in process). A start, not a finding: a library's own vectors differ, and
`sightline index compare` measures those. The classes of the index types choose from these tables.
"""

from __future__ import annotations

import math

#: Rows the efforts below were measured with.
_MEASURED_ROWS = 50_000

#: ann_recall@10 by effort, ascending: a share of the clusters, or an ef.
Reached = tuple[tuple[float, float], ...]
IVF_FLAT: Reached = (
    *((0.632, 1 / 64), (0.779, 1 / 32), (0.900, 1 / 16)),
    *((0.965, 1 / 8), (0.993, 1 / 4), (0.999, 1 / 2)),
)
IVF_SQ8: Reached = (
    *((0.631, 1 / 64), (0.775, 1 / 32), (0.891, 1 / 16)),
    *((0.950, 1 / 8), (0.975, 1 / 4), (0.980, 1 / 2)),
)
#: refine_k 20 over SQ8 vectors.
IVF_RABITQ: Reached = ((0.889, 1 / 16), (0.945, 1 / 8), (0.967, 1 / 4), (0.972, 1 / 2))
RABITQ_REFINE_K = 20
#: reorder_k 100: ten times k.
SCANN: Reached = (
    *((0.632, 1 / 64), (0.776, 1 / 32), (0.894, 1 / 16)),
    *((0.956, 1 / 8), (0.982, 1 / 4), (0.988, 1 / 2)),
)
#: By how many dimensions a piece of a vector has at most.
IVF_PQ: dict[int, Reached] = {
    2: ((0.745, 1 / 32), (0.835, 1 / 16), (0.874, 1 / 8), (0.888, 1 / 4)),
    4: ((0.606, 1 / 32), (0.654, 1 / 16), (0.677, 1 / 8)),
}
IVF_PQ_COARSE: Reached = ((0.441, 1 / 4),)
#: M 32, efConstruction 200.
HNSW: Reached = ((0.734, 16), (0.885, 32), (0.958, 64), (0.993, 128), (0.999, 256))
HNSW_SQ: Reached = ((0.734, 16), (0.871, 32), (0.945, 64), (0.976, 128), (0.982, 256))
HNSW_M = 32


def nprobe_for(nlist: int, reached: Reached, target: float) -> tuple[int, float]:
    """Return how many clusters to search for a target recall, and the recall that was measured."""
    recall, share = _least(reached, target)
    return max(1, round(nlist * share)), recall


def ef_for(rows: int, reached: Reached, target: float) -> tuple[int, float]:
    """Return the candidates to keep for a target recall, and the recall that was measured."""
    recall, ef = _least(reached, target)
    # A graph is some log(rows) deep, and wants that many more candidates.
    deeper = max(1.0, math.log(max(2, rows)) / math.log(_MEASURED_ROWS))
    return math.ceil(ef * deeper / 8) * 8, recall


def _least(reached: Reached, target: float) -> tuple[float, float]:
    return next((pair for pair in reached if pair[0] >= target), reached[-1])
