"""The vector indexes Sightline builds, one frozen dataclass each, with Milvus's parameter ranges:
all of them by name, the names people still read about, and the usual choices.

A value out of range is refused here, before Milvus is asked; so is a type the Milvus at hand does
not offer (:meth:`IndexSpec.require_offered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from search_core.errors import IndexParameterError
from search_core.indexes.base import (
    BINARY_METRICS,
    METRICS,
    IndexSpec,
    MetricType,
    Start,
    VectorKind,
)
from search_core.indexes.flat import AutoIndex, BinFlat, Flat
from search_core.indexes.graphs import DiskAnn, GpuCagra, Hnsw, HnswSq
from search_core.indexes.ivf import BinIvfFlat, GpuIvfFlat, IvfFlat, IvfPq, IvfRabitq, IvfSq8, Scann
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.parameters import Parameter, SearchParams, parameters_of, usual_nlist
from search_core.messages import Message

__all__ = [
    "BINARY_METRICS",
    "DEFAULT_INDEX",
    "FASTEST_FIRST",
    "INDEX_SPECS",
    "OLD_INDEX_TYPES",
    "OLD_METRICS",
    "AutoIndex",
    "BinFlat",
    "BinIvfFlat",
    "DiskAnn",
    "Flat",
    "GpuCagra",
    "GpuIvfFlat",
    "Hnsw",
    "HnswSq",
    "IndexSpec",
    "IvfFlat",
    "IvfPq",
    "IvfRabitq",
    "IvfSq8",
    "MetricType",
    "Parameter",
    "Scann",
    "SearchParams",
    "VectorKind",
    "default_specs",
    "index_spec_from_dict",
    "index_spec_to_dict",
    "make_index_spec",
    "make_metric",
    "parameters_of",
    "start_for",
    "usual_nlist",
]

#: Every index type, by its Milvus name, in the order people meet them.
INDEX_SPECS: dict[str, type[IndexSpec]] = {
    spec.index_type: spec
    for spec in (
        *(Flat, IvfFlat, IvfSq8, Hnsw),
        *(IvfPq, IvfRabitq, Scann, HnswSq, DiskAnn, AutoIndex),
        *(GpuCagra, GpuIvfFlat, BinFlat, BinIvfFlat),
    )
}
#: The types that may be advised, the fastest at the same recall first.
FASTEST_FIRST = tuple(
    sorted(
        (name for name, spec in INDEX_SPECS.items() if spec.speed_rank is not None),
        key=lambda name: INDEX_SPECS[name].speed_rank or 0,
    )
)
#: Exact, and fast enough for as many keyframes as the embedded Milvus is good for. HNSW's graph can
#: lose one of many near-identical keyframes altogether, which is what a static camera gives.
DEFAULT_INDEX: IndexSpec = Flat()

#: What came after an index type Milvus no longer has.
OLD_INDEX_TYPES = {
    "IVF_SQ8H": ("belonged to Milvus 1", "IVF_SQ8 on a processor, GPU_IVF_FLAT on a GPU"),
    "IVFSQ8H": ("belonged to Milvus 1", "IVF_SQ8 on a processor, GPU_IVF_FLAT on a GPU"),
    "RNSG": ("belonged to Milvus 1", "HNSW, or DISKANN where memory is scarce"),
    "NSG": ("belonged to Milvus 1", "HNSW, or DISKANN where memory is scarce"),
    "ANNOY": ("left Milvus with version 2.3", "HNSW, which finds more in less time"),
    "RHNSW_FLAT": ("left Milvus with version 2.3", "HNSW"),
    "RHNSW_SQ": ("left Milvus with version 2.3", "HNSW_SQ"),
    "RHNSW_PQ": ("left Milvus with version 2.3", "HNSW_SQ, or IVF_PQ where it must be smaller"),
}
#: What came after a metric for bits that Sightline does not compare by.
OLD_METRICS = {
    "TANIMOTO": (
        "left Milvus with version 2.3",
        "JACCARD, whose order it has: Tanimoto's distance is -log2 of 1 - Jaccard's",
    ),
    "SUPERSTRUCTURE": (
        "says yes or no and ranks nothing (Milvus keeps it for chemical fingerprints)",
        "JACCARD to rank by shared bits",
    ),
    "SUBSTRUCTURE": (
        "says yes or no and ranks nothing (Milvus keeps it for chemical fingerprints)",
        "JACCARD to rank by shared bits",
    ),
}


def make_index_spec(
    index_type: str, options: Mapping[str, int | str | bool | None] | None = None
) -> IndexSpec:
    """Return the spec of an index type by its Milvus name, any case, with the options given.

    ``options`` are field names (``nlist``, ``m``, ``ef_construction``); None means the default.
    Raises IndexParameterError for an unknown type, an option the type lacks, or a bad value; an
    old type is answered with what replaced it.
    """
    name = index_type.strip().upper().replace("-", "_")
    if old := OLD_INDEX_TYPES.get(name):
        raise IndexParameterError(
            "{name} {old}.", Message("Use {old}.", old=old[1]), name=name, old=old[0]
        )
    spec = INDEX_SPECS.get(name)
    if spec is None:
        raise IndexParameterError(
            "{index_type} is not an index type Sightline builds.",
            "Choose one of {known}.",
            index_type=index_type,
            known=", ".join(INDEX_SPECS),
        )
    given = {name: value for name, value in (options or {}).items() if value is not None}
    known = [item.name for item in fields(spec)]
    for name in given:
        if name not in known:
            takes = ", ".join(known) if known else "no build parameters"
            raise IndexParameterError(
                "{index_type} has no parameter {name}.",
                "It takes {takes}.",
                index_type=spec.index_type,
                name=name,
                takes=takes,
            )
    for name, parameter in parameters_of(spec):
        if parameter.choices and isinstance(word := given.get(name), str):
            given[name] = word.upper()
    return spec(**given)


def make_metric(name: str) -> str:
    """Return a metric by its Milvus name, any case.

    Raises IndexParameterError for an unknown one; an old one is answered with what replaced it.
    """
    metric = name.strip().upper()
    if old := OLD_METRICS.get(metric):
        raise IndexParameterError(
            "{metric} {old}.", Message("Use {old}.", old=old[1]), metric=metric, old=old[0]
        )
    if metric not in (*METRICS, *BINARY_METRICS):
        raise IndexParameterError(
            "{name} is not a metric Sightline compares by.",
            "Choose one of {metrics}; for vectors of bits {binary_metrics}.",
            name=name,
            metrics=", ".join(METRICS),
            binary_metrics=", ".join(BINARY_METRICS),
        )
    return metric


def default_specs(rows: int, dim: int, server: ServerInfo | None = None) -> list[IndexSpec]:
    """Return the usual types sized to the vectors, of those this Milvus offers."""
    return [
        spec.sized(rows, dim)
        for spec in INDEX_SPECS.values()
        if spec.usual and (server is None or not spec.refusal(server, surely=True))
    ]


def start_for(index_type: str, rows: int, dim: int, target_recall: float) -> Start:
    """Return the least effort that reached the target, else the most that was measured.

    Raises IndexParameterError where the type cannot index ``dim`` dimensions.
    """
    start = INDEX_SPECS[index_type].start(rows, dim, target_recall)
    start.spec.require_dim(dim)
    return start


def index_spec_to_dict(spec: IndexSpec) -> dict[str, Any]:
    """Return a spec as plain JSON values."""
    return {"index_type": spec.index_type, **asdict(spec)}


def index_spec_from_dict(record: Mapping[str, Any]) -> IndexSpec:
    """Read what :func:`index_spec_to_dict` wrote."""
    options = {key: value for key, value in record.items() if key != "index_type"}
    return make_index_spec(str(record["index_type"]), options)
