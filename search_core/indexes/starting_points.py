"""Where to start with each index type: parameters that reached a recall on CLIP-like vectors.

Measured by `python -m benchmarks index_starts` on made vectors that lie as CLIP's do (50,000 x 512,
nlist 894, ten neighbours, in process). A start, not a finding: a library's own vectors differ, and
`sightline index compare` measures those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_core.indexes import (
    AutoIndex,
    DiskAnn,
    Flat,
    GpuCagra,
    GpuIvfFlat,
    Hnsw,
    HnswSq,
    IndexSpec,
    IvfFlat,
    IvfPq,
    IvfRabitq,
    IvfSq8,
    Scann,
    SearchParams,
    usual_nlist,
)

#: Types for float vectors, the fastest at the same recall first; what Milvus chooses itself and
#: what compares everything come last.
FASTEST_FIRST = (
    *("GPU_CAGRA", "GPU_IVF_FLAT", "HNSW", "HNSW_SQ", "SCANN", "IVF_FLAT", "IVF_SQ8"),
    *("IVF_RABITQ", "DISKANN", "IVF_PQ", "AUTOINDEX", "FLAT"),
)
#: Rows the efforts below were measured with.
MEASURED_ROWS = 50_000

#: ann_recall@10 by effort, ascending: a share of the clusters, or an ef.
_Reached = tuple[tuple[float, float], ...]
_IVF_FLAT: _Reached = (
    *((0.632, 1 / 64), (0.779, 1 / 32), (0.900, 1 / 16)),
    *((0.965, 1 / 8), (0.993, 1 / 4), (0.999, 1 / 2)),
)
_IVF_SQ8: _Reached = (
    *((0.631, 1 / 64), (0.775, 1 / 32), (0.891, 1 / 16)),
    *((0.950, 1 / 8), (0.975, 1 / 4), (0.980, 1 / 2)),
)
#: refine_k 20 over SQ8 vectors.
_IVF_RABITQ: _Reached = ((0.889, 1 / 16), (0.945, 1 / 8), (0.967, 1 / 4), (0.972, 1 / 2))
_RABITQ_REFINE_K = 20
#: reorder_k 100: ten times k.
_SCANN: _Reached = (
    *((0.632, 1 / 64), (0.776, 1 / 32), (0.894, 1 / 16)),
    *((0.956, 1 / 8), (0.982, 1 / 4), (0.988, 1 / 2)),
)
#: By how many dimensions a piece of a vector has at most.
_IVF_PQ: dict[int, _Reached] = {
    2: ((0.745, 1 / 32), (0.835, 1 / 16), (0.874, 1 / 8), (0.888, 1 / 4)),
    4: ((0.606, 1 / 32), (0.654, 1 / 16), (0.677, 1 / 8)),
}
_IVF_PQ_COARSE: _Reached = ((0.441, 1 / 4),)
#: M 32, efConstruction 200.
_HNSW: _Reached = ((0.734, 16), (0.885, 32), (0.958, 64), (0.993, 128), (0.999, 256))
_HNSW_SQ: _Reached = ((0.734, 16), (0.871, 32), (0.945, 64), (0.976, 128), (0.982, 256))
_M = 32


@dataclass(frozen=True, slots=True)
class Start:
    """An index to begin with; ``recall`` is what it found, None where nothing was measured."""

    spec: IndexSpec
    search: SearchParams
    recall: float | None


def start_for(index_type: str, rows: int, dim: int, target_recall: float) -> Start:
    """Return the least effort that reached the target, else the most that was measured.

    ``index_type`` is one of FASTEST_FIRST. Raises IndexParameterError where it cannot index ``dim``
    dimensions.
    """
    start = _start(index_type, rows, dim, target_recall)
    start.spec.require_dim(dim)
    return start


def _start(index_type: str, rows: int, dim: int, target: float) -> Start:
    nlist = usual_nlist(rows)
    match index_type:
        case "FLAT":
            return Start(Flat(), SearchParams(), 1.0)
        case "IVF_FLAT":
            return _clustered(IvfFlat(nlist), _IVF_FLAT, target)
        case "GPU_IVF_FLAT":
            return _clustered(GpuIvfFlat(nlist), _IVF_FLAT, target)
        case "IVF_SQ8":
            return _clustered(IvfSq8(nlist), _IVF_SQ8, target)
        case "IVF_PQ":
            m = max(size for size in range(1, max(1, dim // 2) + 1) if dim % size == 0)
            reached = _IVF_PQ.get(2 if dim <= 2 * m else 4 if dim <= 4 * m else 0, _IVF_PQ_COARSE)
            return _clustered(IvfPq(nlist, m=m), reached, target)
        case "IVF_RABITQ":
            extra = SearchParams(refine_k=_RABITQ_REFINE_K)
            return _clustered(IvfRabitq(nlist), _IVF_RABITQ, target, extra)
        case "SCANN":
            return _clustered(Scann(nlist), _SCANN, target, SearchParams(reorder_k=100))
        case "HNSW":
            return _graph(Hnsw(_M), _HNSW, rows, target)
        case "HNSW_SQ":
            return _graph(HnswSq(_M), _HNSW_SQ, rows, target)
        case "DISKANN":
            return Start(DiskAnn(), SearchParams(search_list=100), None)
        case "GPU_CAGRA":
            return Start(GpuCagra(), SearchParams(itopk_size=128), None)
        case _:
            return Start(AutoIndex(), SearchParams(), None)


def _clustered(
    spec: IvfFlat | IvfSq8 | IvfPq | IvfRabitq | Scann | GpuIvfFlat,
    reached: _Reached,
    target: float,
    extra: SearchParams | None = None,
) -> Start:
    recall, share = _least(reached, target)
    nprobe = max(1, round(spec.nlist * share))
    return Start(spec, SearchParams(nprobe=nprobe).over(extra or SearchParams()), recall)


def _graph(spec: Hnsw, reached: _Reached, rows: int, target: float) -> Start:
    recall, ef = _least(reached, target)
    # A graph is some log(rows) deep, and wants that many more candidates.
    deeper = max(1.0, math.log(max(2, rows)) / math.log(MEASURED_ROWS))
    return Start(spec, SearchParams(ef=math.ceil(ef * deeper / 8) * 8), recall)


def _least(reached: _Reached, target: float) -> tuple[float, float]:
    return next((pair for pair in reached if pair[0] >= target), reached[-1])
