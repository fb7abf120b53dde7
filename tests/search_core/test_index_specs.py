from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import IndexParameterError
from search_core.index_specs import (
    Flat,
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfSq8,
    SearchParams,
    index_spec_from_dict,
    index_spec_to_dict,
    make_index_spec,
)


@pytest.mark.parametrize(
    ("spec", "build", "search"),
    [
        (Flat(), {}, {}),
        (IvfFlat(nlist=64), {"nlist": 64}, {"nprobe": 8}),
        (IvfSq8(nlist=4), {"nlist": 4}, {"nprobe": 1}),
        (Hnsw(m=8, ef_construction=99), {"M": 8, "efConstruction": 99}, {"ef": 64}),
    ],
)
def test_parameters_keep_milvus_spelling(
    spec: IndexSpec, build: dict[str, int], search: dict[str, int]
) -> None:
    assert spec.build_params() == build
    assert spec.search_params(SearchParams(), k=10) == search


def test_ef_is_never_below_the_hits_asked_for() -> None:
    assert Hnsw().search_params(SearchParams(), k=200) == {"ef": 200}
    with pytest.raises(IndexParameterError, match="ef 10 is less than the 50 hits"):
        Hnsw().search_params(SearchParams(ef=10), k=50)


def test_nprobe_is_never_above_nlist() -> None:
    assert IvfFlat(nlist=16).search_params(SearchParams(nprobe=16), k=1) == {"nprobe": 16}
    with pytest.raises(IndexParameterError, match="more than the 16 clusters"):
        IvfFlat(nlist=16).search_params(SearchParams(nprobe=17), k=1)


@given(st.integers().filter(lambda n: not 1 <= n <= 65_536))
def test_nlist_outside_milvus_range_is_refused(nlist: int) -> None:
    with pytest.raises(IndexParameterError, match="nlist must be a whole number from 1 to 65536"):
        IvfFlat(nlist=nlist)


@pytest.mark.parametrize("options", [{"m": 1}, {"m": 2049}, {"ef_construction": 7}])
def test_hnsw_ranges(options: dict[str, int]) -> None:
    with pytest.raises(IndexParameterError):
        Hnsw(**options)


@pytest.mark.parametrize(("nprobe", "ef"), [(0, None), (65_537, None), (None, 0), (None, 40_000)])
def test_search_parameter_ranges(nprobe: int | None, ef: int | None) -> None:
    with pytest.raises(IndexParameterError):
        SearchParams(nprobe=nprobe, ef=ef)


def test_names_are_taken_in_any_case_and_unknown_ones_listed() -> None:
    assert make_index_spec("ivf-flat", {"nlist": 8, "m": None}) == IvfFlat(nlist=8)
    with pytest.raises(IndexParameterError) as refused:
        make_index_spec("TREE")
    assert "FLAT, IVF_FLAT, IVF_SQ8, HNSW" in refused.value.hint


def test_an_option_of_another_type_is_refused() -> None:
    with pytest.raises(IndexParameterError, match="HNSW has no parameter nlist"):
        make_index_spec("HNSW", {"nlist": 8})


@given(
    st.one_of(
        st.just(Flat()),
        st.builds(IvfFlat, nlist=st.integers(1, 65_536)),
        st.builds(IvfSq8, nlist=st.integers(1, 65_536)),
        st.builds(Hnsw, m=st.integers(2, 2048), ef_construction=st.integers(8, 10_000)),
    )
)
def test_a_spec_survives_being_stored(spec: IndexSpec) -> None:
    assert index_spec_from_dict(index_spec_to_dict(spec)) == spec


def test_what_is_given_wins_over_the_default() -> None:
    default = SearchParams(nprobe=4, ef=100)
    assert SearchParams(nprobe=2).over(default) == SearchParams(nprobe=2, ef=100)
