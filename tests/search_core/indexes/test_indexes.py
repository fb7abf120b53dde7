from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_core.errors import IndexNotOffered, IndexParameterError
from search_core.indexes import (
    INDEX_SPECS,
    OLD_INDEX_TYPES,
    OLD_METRICS,
    BinFlat,
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
    Parameter,
    Scann,
    SearchParams,
    default_specs,
    index_spec_from_dict,
    index_spec_to_dict,
    make_index_spec,
    make_metric,
    parameters_of,
    usual_nlist,
)
from search_core.indexes.milvus_version import ServerInfo

LITE = ServerInfo.reported("3.2.2", embedded=True)
PIP = ServerInfo.reported("v2.3.5-lite", embedded=False)
NEW = ServerInfo.reported("2.6.1", embedded=False)
GPU = ServerInfo.reported("2.6.1-gpu", embedded=False)


def allowed(parameter: Parameter) -> st.SearchStrategy[Any]:
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.high:
        return st.integers(parameter.low, parameter.high)
    return st.booleans()


@st.composite
def specs(draw: st.DrawFn) -> IndexSpec:
    """Any index type, each of its parameters given or left out."""
    kind = draw(st.sampled_from(list(INDEX_SPECS.values())))
    options = {
        name: draw(st.none() | allowed(parameter)) for name, parameter in parameters_of(kind)
    }
    try:
        return make_index_spec(kind.index_type, options)
    except IndexParameterError as error:
        # Only what does not go together is refused: every value is in its own range.
        assume("must be less than" not in error.message)
        raise


@given(specs(), st.integers(1, 200))
def test_every_spec_round_trips_and_is_searched_within_its_ranges(spec: IndexSpec, k: int) -> None:
    assert index_spec_from_dict(index_spec_to_dict(spec)) == spec
    for value in spec.build_params().values():
        assert isinstance(value, int | str) and not isinstance(value, bool)
    taken = spec.search_params(SearchParams(), k)
    assert SearchParams(**taken).given() == taken
    for value in spec.sweep_values(k):
        assert spec.sweep is not None
        swept = spec.search_params(SearchParams(**{spec.sweep: value}), k)
        assert swept[spec.sweep] == value
    assert spec.sweep_values(k) == sorted(set(spec.sweep_values(k)))


@pytest.mark.parametrize(
    ("kind", "name", "parameter"),
    [
        pytest.param(kind, name, parameter, id=f"{kind.index_type}-{name}")
        for kind in INDEX_SPECS.values()
        for name, parameter in parameters_of(kind)
    ],
)
class TestParameters:
    def test_its_docstring_says_range_and_default(
        self, kind: type[IndexSpec], name: str, parameter: Parameter
    ) -> None:
        docs = [" ".join((of.__doc__ or "").split()) for of in kind.__mro__]
        said = next(doc for doc in docs if f"``{name}``:" in doc)  # its own, or what it inherits
        about = said.split(f"``{name}``:")[1].split("``")[0]
        default = getattr(kind(), name)
        assert f"default {str(default).lower() if default in (True, False) else default}" in about
        if parameter.choices:
            assert ", ".join(parameter.choices) in about
        elif parameter.high:
            assert re.search(rf"{parameter.low:,} to {parameter.high:,}\b", about)
        else:
            assert "true or false" in about

    def test_values_beside_its_range_are_refused_in_words(
        self, kind: type[IndexSpec], name: str, parameter: Parameter
    ) -> None:
        wrong: list[Any] = ["x", 1.5]
        if parameter.high:
            wrong += [parameter.low - 1, parameter.high + 1, True]
        for value in wrong:
            with pytest.raises(IndexParameterError, match=f"{parameter.name} must be") as refused:
                make_index_spec(kind.index_type, {name: value})
            assert repr(value) in refused.value.message or str(value).upper() in str(refused.value)


@given(st.integers(), st.integers())
def test_search_parameters_out_of_range_are_refused(nprobe: int, ef: int) -> None:
    if 1 <= nprobe <= 65_536 and 1 <= ef <= 32_768:
        assert SearchParams(nprobe=nprobe, ef=ef).given() == {"nprobe": nprobe, "ef": ef}
        return
    with pytest.raises(IndexParameterError):
        SearchParams(nprobe=nprobe, ef=ef)


@pytest.mark.parametrize(
    ("spec", "build", "search"),
    [
        (Flat(), {}, {}),
        (IvfFlat(nlist=64), {"nlist": 64}, {"nprobe": 8}),
        (IvfSq8(nlist=4), {"nlist": 4}, {"nprobe": 1}),
        (IvfPq(8, m=2), {"nlist": 8, "m": 2, "nbits": 8}, {"nprobe": 1}),
        (
            IvfRabitq(8),
            {"nlist": 8, "refine": "true", "refine_type": "SQ8"},
            {"nprobe": 1, "rbq_bits_query": 0, "refine_k": 10},
        ),
        (
            IvfRabitq(8, refine=False),
            {"nlist": 8, "refine": "false"},
            {"nprobe": 1, "rbq_bits_query": 0},
        ),
        (Scann(8), {"nlist": 8, "with_raw_data": "true"}, {"nprobe": 1, "reorder_k": 100}),
        (Hnsw(m=8, ef_construction=99), {"M": 8, "efConstruction": 99}, {"ef": 64}),
        (
            HnswSq(8, 99),
            {"M": 8, "efConstruction": 99, "sq_type": "SQ8", "refine": "false"},
            {"ef": 64},
        ),
        (DiskAnn(), {}, {"search_list": 100}),
        (BinFlat(), {}, {}),
    ],
)
def test_parameters_keep_milvus_spelling(
    spec: IndexSpec, build: dict[str, Any], search: dict[str, int]
) -> None:
    assert spec.build_params() == build
    assert spec.search_params(SearchParams(), k=10) == search


@pytest.mark.parametrize(
    ("spec", "params", "k", "said"),
    [
        (Hnsw(), SearchParams(ef=10), 50, "less than the 50 hits"),
        (DiskAnn(), SearchParams(search_list=10), 50, "less than the 50 hits"),
        (Scann(), SearchParams(reorder_k=10), 50, "less than the 50 hits"),
        (IvfFlat(nlist=16), SearchParams(nprobe=17), 1, "more than the 16 clusters"),
        (IvfRabitq(refine=False), SearchParams(refine_k=2), 1, "does nothing"),
        (HnswSq(), SearchParams(refine_k=2), 1, "does nothing"),
        (GpuIvfFlat(), SearchParams(), 257, "at most 256 hits"),
        (GpuCagra(), SearchParams(), 1025, "at most 1024 hits"),
    ],
)
def test_what_does_not_go_together_is_refused(
    spec: IndexSpec, params: SearchParams, k: int, said: str
) -> None:
    with pytest.raises(IndexParameterError, match=said):
        spec.search_params(params, k)


def test_candidates_are_never_fewer_than_hits() -> None:
    assert Hnsw().search_params(SearchParams(), k=200) == {"ef": 200}
    raised = SearchParams(ef=16, search_list=300, nprobe=4).for_hits(100)
    assert raised == SearchParams(ef=100, search_list=300, nprobe=4)


def test_asked_parameters_go_before_defaults() -> None:
    default = SearchParams(nprobe=4, ef=100)
    assert SearchParams(nprobe=2).over(default) == SearchParams(nprobe=2, ef=100)
    assert SearchParams().over(default) == default


def test_names_are_taken_in_any_case_and_unknown_ones_listed() -> None:
    assert make_index_spec("ivf-flat", {"nlist": 8, "m": None}) == IvfFlat(nlist=8)
    assert make_index_spec("hnsw_sq", {"sq_type": "bf16"}) == HnswSq(sq_type="BF16")
    with pytest.raises(IndexParameterError) as refused:
        make_index_spec("TREE")
    assert "FLAT, IVF_FLAT, IVF_SQ8, HNSW" in refused.value.hint


def test_a_parameter_of_another_type_is_refused() -> None:
    with pytest.raises(IndexParameterError, match="HNSW has no parameter nlist") as refused:
        make_index_spec("HNSW", {"nlist": 8})
    assert "m, ef_construction" in refused.value.hint


@pytest.mark.parametrize("name", OLD_INDEX_TYPES)
def test_an_old_type_answers_with_one_there_is(name: str) -> None:
    with pytest.raises(IndexParameterError) as refused:
        make_index_spec(name.lower())
    assert set(re.findall(r"[A-Z][A-Z0-9_]{3,}", refused.value.hint)) & set(INDEX_SPECS)


@pytest.mark.parametrize("name", OLD_METRICS)
def test_an_old_metric_answers_with_one_there_is(name: str) -> None:
    with pytest.raises(IndexParameterError) as refused:
        make_metric(name.title())
    assert "JACCARD" in refused.value.hint
    with pytest.raises(IndexParameterError, match="not a metric"):
        make_metric("EUCLID")
    assert make_metric("cosine") == "COSINE"


def test_types_say_who_offers_them() -> None:
    offered = {
        server: [
            name for name, kind in INDEX_SPECS.items() if not kind.refusal(server, surely=True)
        ]
        for server in (LITE, PIP, NEW, GPU)
    }
    everywhere = ["FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW"]
    assert offered[LITE] == [*everywhere, "HNSW_SQ", "AUTOINDEX"]
    assert offered[PIP] == [
        *everywhere, "IVF_PQ", "SCANN", "AUTOINDEX", "BIN_FLAT", "BIN_IVF_FLAT",
    ]  # fmt: skip
    assert offered[NEW] == [name for name in INDEX_SPECS if not name.startswith("GPU")]
    assert offered[GPU] == list(INDEX_SPECS)


@pytest.mark.parametrize(
    ("spec", "server", "reason", "way_out"),
    [
        (DiskAnn(), LITE, "Milvus Lite 3.2.2 does not offer DISKANN", "Milvus 2.2 or later"),
        (DiskAnn(), PIP, "PyPI package", "container"),
        (HnswSq(sq_type="SQ6"), LITE, "does not offer HNSW_SQ with sq_type SQ6", "Milvus 2.5 or"),
        (HnswSq(refine=True), LITE, "does not offer HNSW_SQ with refine", "Milvus 2.5 or later"),
        (HnswSq(), PIP, "came with Milvus 2.5", "Milvus Lite and Milvus 2.5 or later"),
        (GpuIvfFlat(), PIP, "needs a GPU", "NVIDIA GPU"),
    ],
)
def test_what_is_not_offered_says_what_would(
    spec: IndexSpec, server: ServerInfo, reason: str, way_out: str
) -> None:
    with pytest.raises(IndexNotOffered, match=reason) as refused:
        spec.require_offered(server)
    assert way_out in refused.value.hint
    spec.require_offered(replace(GPU, gpu=None))


def test_metrics_and_dimensions_are_checked() -> None:
    assert Flat().metric_for("COSINE") == "COSINE"
    assert GpuCagra().metric_for("COSINE") == "IP"
    with pytest.raises(IndexParameterError, match="BIN_FLAT does not compare by COSINE"):
        BinFlat().metric_for("COSINE")
    with pytest.raises(IndexParameterError, match="m 64 does not divide the 100") as refused:
        IvfPq().require_dim(100)
    assert "such as 50" in refused.value.hint
    with pytest.raises(IndexParameterError, match="even number"):
        Scann().require_dim(5)
    IvfPq().require_dim(512)


@pytest.mark.parametrize(
    ("spec", "rows", "said"),
    [
        (IvfFlat(200), 196, "nlist 200 is more than the 196 vectors"),
        (Scann(200), 196, "only as many clusters as vectors"),
        (IvfPq(4), 196, "nbits 8 needs 256 vectors or more"),
    ],
)
def test_too_few_vectors_for_an_index_are_refused(spec: IndexSpec, rows: int, said: str) -> None:
    with pytest.raises(IndexParameterError, match=said):
        spec.require_rows(rows)
    spec.require_rows(256)
    spec.require_rows(0)  # nobody knows yet what comes
    Flat().require_rows(1)


def test_search_parameters_are_read_by_a_name_they_had_before() -> None:
    stored = {"nprobe": 4, "ef": None, "rbq_query_bits": 6}
    assert SearchParams.from_dict(stored) == SearchParams(nprobe=4, rbq_bits_query=6)


@pytest.mark.parametrize(("name", "parameter"), parameters_of(SearchParams))
def test_search_parameters_say_default_range_and_effect(name: str, parameter: Parameter) -> None:
    said = " ".join((SearchParams.__doc__ or "").split())
    about = said.split(f"``{name}`` (")[1].split("``")[0]
    assert "default" in about and parameter.unit.split()[0] in about
    assert "more" in about or "most" in about
    high = "the index's nlist" if name == "nprobe" else f"{parameter.high:,}"
    assert f"{parameter.low} to {high}" in about


@given(st.integers(0, 10**12))
def test_usual_clusters_are_within_milvus_range(rows: int) -> None:
    assert 1 <= usual_nlist(rows) <= 65_536
    assert usual_nlist(rows) * 39 <= max(39, rows)


def test_default_specs_are_the_four_of_every_milvus() -> None:
    assert default_specs(10_000, 512, LITE) == [Flat(), IvfFlat(256), IvfSq8(256), Hnsw()]
    assert default_specs(10_000, 512) == default_specs(10_000, 512, NEW)
