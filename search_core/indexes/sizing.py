"""How much memory and disk an index needs, by formula.

The class of an index type lists the parts it is made of; `python -m benchmarks index_sizes` checks
the formulas against measured sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from search_core.indexes.base import IndexSpec
from search_core.indexes.milvus_version import ServerInfo

#: Bytes that a row of a library takes beside its vector and index: its fields, keys, timestamps.
#: Measured with `python -m benchmarks index_sizes` on Milvus 2.3.5 and Milvus Lite 3.2.2.
ROW_MEMORY_BYTES = 600
ROW_DISK_BYTES = 400
LITE_ROW_MEMORY_BYTES = 6_300
#: What Milvus takes whatever it has loaded: a server with all its roles in one process, Lite in
#: the process that uses it. Lite is measured likewise; a server took 0.1 to 0.5 GB by the moment.
SERVER_BYTES = 400 * 2**20
LITE_BYTES = 120 * 2**20
#: What is left of an index's files where a server has compressed them: 0.87 to 0.93 by type.
FILE_SHARE = 0.92


@dataclass(frozen=True, slots=True)
class IndexSize:
    """What an index needs, in bytes.

    ``memory_bytes``: all of Milvus, loaded and ready to search. ``disk_bytes``: on disk in
    all, the vectors Milvus keeps beside every index and the fields included. ``index_bytes``: the
    files of the index alone. ``gpu_bytes``: memory of the GPU.
    ``loaded_bytes``: what the index alone holds, loaded, in memory or on the GPU.
    ``formula`` says in words what makes up the index, ``source`` where the formula comes from.
    """

    memory_bytes: int
    disk_bytes: int
    index_bytes: int
    formula: str
    source: str
    gpu_bytes: int = 0
    loaded_bytes: int = 0


def estimate(spec: IndexSpec, rows: int, dim: int, server: ServerInfo | None = None) -> IndexSize:
    """Return what a library of ``rows`` vectors of ``dim`` dimensions needs with this index.

    On ``server``, or on a Milvus server where there is none.

    Raises IndexParameterError where vectors of ``dim`` dimensions cannot be indexed so.
    """
    spec.require_dim(dim)
    parts = list(spec.parts(dim))
    held = sum(part.bytes(rows) for part in parts if part.memory)
    index = sum(part.bytes(rows) for part in parts if part.disk)
    vectors = rows * (dim / 8 if spec.vector_kind == "binary" else dim * 4)
    on_gpu = spec.offer.gpu
    lite = server is not None and server.embedded
    if not lite and spec.compressed:
        index *= FILE_SHARE
    fields = rows * (LITE_ROW_MEMORY_BYTES if lite else ROW_MEMORY_BYTES)
    itself = LITE_BYTES if lite else SERVER_BYTES
    return IndexSize(
        memory_bytes=round((0 if on_gpu else held) + fields + itself),
        disk_bytes=round(vectors + index + rows * ROW_DISK_BYTES),
        index_bytes=round(index),
        formula=" + ".join(part.what for part in parts),
        source=spec.size_source,
        gpu_bytes=round(held) if on_gpu else 0,
        loaded_bytes=round(held),
    )
