from __future__ import annotations

import numpy as np
import pytest

from search_core.errors import IndexParameterError, UsageError
from search_core.indexes import BinFlat, Flat, GpuCagra, Hnsw, IndexSpec, IvfFlat, IvfPq
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.plan import (
    FilterCase,
    PlannedIndex,
    make_plan,
    search_params_of,
    spec_of,
    thinned,
)
from search_core.lab.recommendation import set_command
from search_core.lab.records import IndexRun
from search_core.schema.filters import Filter


def values(planned: PlannedIndex) -> list[int]:
    return [next(iter(params.given().values())) for params in planned.settings if params.given()]


@pytest.mark.parametrize("rows", [11, 500, 5_000, 1_000_000])
def test_the_four_types_are_planned_with_settings_in_range(rows: int) -> None:
    planned = make_plan(rows, 512, k=10, server=ServerInfo("2.3.5", embedded=False))
    assert [item.spec.index_type for item in planned] == ["FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW"]
    for item in planned:
        assert item.settings and not item.complete
        for params in item.settings:
            assert isinstance(item.spec.search_params(params, 10), dict)


def test_a_sweep_of_a_search_parameter_measures_all_its_values_in_range() -> None:
    planned = make_plan(
        4_000, 64, k=10, types=["ivf_flat", "HNSW"], sweeps={"nprobe": [64, 1, 4_000, 4]}
    )
    assert values(planned[0]) == [1, 4, 64] and planned[0].complete
    assert values(planned[1])[0] == 16 and not planned[1].complete


def test_a_sweep_of_build_parameters_builds_each_combination() -> None:
    sweeps = {"M": [8, 32], "efConstruction": [50, 100], "ef": [64]}
    planned = make_plan(4_000, 64, k=10, types=["HNSW"], sweeps=sweeps)
    assert [item.spec for item in planned] == [
        Hnsw(8, 50), Hnsw(8, 100), Hnsw(32, 50), Hnsw(32, 100)
    ]  # fmt: skip
    assert all(values(item) == [64] for item in planned)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("IVF_FLAT", "nprobe"), ("HNSW", "ef"), ("DISKANN", "search_list"), ("SCANN", "reorder_k"),
        ("HNSW_SQ", "refine_k"), ("IVF_RABITQ", "refine_k"), ("IVF_RABITQ", "rbq_bits_query"),
        ("GPU_CAGRA", "itopk_size"), ("GPU_CAGRA", "search_width"), ("AUTOINDEX", "level"),
    ],
)  # fmt: skip
def test_every_search_parameter_can_be_swept(kind: str, field: str) -> None:
    [planned] = make_plan(4_000, 64, k=1, types=[kind], sweeps={field.upper(): [8, 2]})
    assert [params.given() for params in planned.settings] == [{field: 2}, {field: 8}]
    assert planned.complete and not planned.remarks
    for params in planned.settings:
        assert planned.spec.search_params(params, 1)[field] == getattr(params, field)


def test_sweeps_of_two_search_parameters_measure_each_combination() -> None:
    sweeps = {"nprobe": [1, 4], "reorder_k": [20, 100]}
    [planned] = make_plan(4_000, 64, k=10, types=["SCANN"], sweeps=sweeps)
    assert [(at.nprobe, at.reorder_k) for at in planned.settings] == [
        (1, 20), (1, 100), (4, 20), (4, 100)
    ]  # fmt: skip


def test_what_a_sweep_leaves_out_is_remarked_upon_and_what_cannot_be_is_refused() -> None:
    sweeps = {"nprobe": [1, 500], "ef": [5, 64]}
    ivf, hnsw = make_plan(500, 64, k=10, types=["IVF_FLAT", "HNSW"], sweeps=sweeps)
    assert ivf.remarks == (
        "IVF_FLAT: nprobe 500 is more than the 12 clusters (nlist) of this index. Not measured.",
    )
    assert hnsw.remarks == ("HNSW: ef 5 is less than the 10 hits asked for. Not measured.",)
    for value in (-1, 0, 65_537):
        with pytest.raises(IndexParameterError, match=f"from 1 to 65536, not {value}"):
            make_plan(500, 64, k=10, types=["IVF_FLAT"], sweeps={"nprobe": [1, value]})


def test_what_none_of_them_has_is_refused() -> None:
    with pytest.raises(IndexParameterError, match="parameter nprob"):
        make_plan(4_000, 64, k=10, sweeps={"nprob": [1]})
    with pytest.raises(IndexParameterError, match="TREE"):
        make_plan(4_000, 64, k=10, types=["TREE"])


def test_ivf_pq_is_sized_to_the_dimensions() -> None:
    [planned] = make_plan(10_000, 96, k=10, types=["IVF_PQ"])
    assert planned.spec == IvfPq(nlist=256, m=48)


def test_a_thinned_plan_keeps_the_ends() -> None:
    [planned] = thinned(make_plan(100_000, 64, k=10, types=["IVF_FLAT"]), 3)
    assert values(planned)[0] == 1 and values(planned)[-1] == 128 and len(planned.settings) == 3


@pytest.mark.parametrize("spec", [Flat(), IvfFlat(7), Hnsw(8, 60), GpuCagra(), BinFlat()])
def test_a_record_leads_back_to_its_index(spec: IndexSpec) -> None:
    search = {} if isinstance(spec, Flat) else {spec.sweep or "": 32}
    run = IndexRun("search", spec.index_type, {**spec.build_params(), "metric_type": "X"}, search)
    assert spec_of(run) == spec
    assert search_params_of(run).given() == search


def test_the_command_names_milvus_parameters_as_options() -> None:
    run = IndexRun("search", "HNSW", {"M": 16, "efConstruction": 200}, {"ef": 64})
    assert set_command(run) == "sightline index set HNSW --m 16 --ef-construction 200 --ef 64"


def test_shares_are_filters_by_bucket() -> None:
    tenth = FilterCase.of_share("10 %")
    assert tenth is not None and tenth.label == "10%"
    assert tenth.expression() == "bucket < 1000"
    rows = np.arange(10_000)
    assert tenth.mask(rows, ()).sum() == 1_000
    assert FilterCase.of_share("camera=a") is None
    with pytest.raises(UsageError, match=r"0\.001%"):
        FilterCase.of_share("0.001%")
    where = FilterCase("both", Filter(cameras=("a",)), share=0.5)
    assert where.expression() == 'camera in ["a"] and bucket < 5000'
