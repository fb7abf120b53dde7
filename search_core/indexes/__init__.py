"""The vector indexes Sightline builds, one frozen dataclass each, with Milvus's parameter ranges.

A value out of range is refused here, before Milvus is asked; so is a type the Milvus at hand does
not offer (:meth:`IndexSpec.require_offered`).
"""

from search_core.indexes.base import BINARY_METRICS, IndexSpec, MetricType, VectorKind
from search_core.indexes.catalogue import (
    DEFAULT_INDEX,
    FASTEST_FIRST,
    INDEX_SPECS,
    OLD_INDEX_TYPES,
    OLD_METRICS,
    default_specs,
    index_spec_from_dict,
    index_spec_to_dict,
    make_index_spec,
    make_metric,
    start_for,
)
from search_core.indexes.flat import AutoIndex, BinFlat, Flat
from search_core.indexes.graphs import DiskAnn, GpuCagra, Hnsw, HnswSq
from search_core.indexes.ivf import BinIvfFlat, GpuIvfFlat, IvfFlat, IvfPq, IvfRabitq, IvfSq8, Scann
from search_core.indexes.parameters import Parameter, SearchParams, parameters_of, usual_nlist

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
