from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.indexes import (
    INDEX_SPECS,
    AutoIndex,
    BinFlat,
    DiskAnn,
    Flat,
    Hnsw,
    IndexSpec,
    IvfFlat,
    IvfSq8,
    Scann,
    SearchParams,
)
from search_core.search.filtered_search import LITE_LIMITS, SERVER_LIMITS, plan_effort

ROWS = 100_000
EXACT_ROWS = SERVER_LIMITS.exact_rows
SPECS = [made() for made in INDEX_SPECS.values()]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.index_type)
def test_without_a_filter_nothing_is_done(spec: IndexSpec) -> None:
    effort = plan_effort(spec, SearchParams(), 10, ROWS, 1.0)
    assert (effort.strategy, effort.params, effort.reason) == ("default", SearchParams(), "")


@pytest.mark.parametrize(
    ("share", "nprobe"), [(0.5, 128), (0.25, 256), (0.1, 316), (0.01, 316), (0.999, 65)]
)
def test_nprobe_rises_as_the_share_falls_up_to_all_clusters(share: float, nprobe: int) -> None:
    effort = plan_effort(IvfFlat(316), SearchParams(nprobe=64), 10, ROWS, share)
    assert (effort.strategy, effort.params.nprobe) == ("raised", nprobe)
    assert f"nprobe raised from 64 to {nprobe}" in effort.reason
    assert ("all clusters" in effort.reason) == (nprobe == 316)


def test_an_unset_parameter_starts_from_the_indexs_default() -> None:
    effort = plan_effort(IvfSq8(80), SearchParams(), 10, ROWS, 0.5)
    assert effort.params.nprobe == 20


@pytest.mark.parametrize(("share", "ef"), [(0.8, 320), (0.5, 512), (0.1, 768), (0.01, 768)])
def test_a_graph_is_searched_wider_within_bounds(share: float, ef: int) -> None:
    effort = plan_effort(Hnsw(), SearchParams(ef=256), 10, ROWS, share)
    assert (effort.strategy, effort.params.ef) == ("raised", ef)


def test_the_largest_values_stay_within_range() -> None:
    assert plan_effort(Hnsw(), SearchParams(ef=30_000), 10, ROWS, 0.1).params.ef == 32_768
    whole = plan_effort(IvfFlat(64), SearchParams(nprobe=64), 10, ROWS, 0.1)
    assert (whole.strategy, whole.reason) == ("default", "")


@pytest.mark.parametrize("spec", [IvfSq8(316), Hnsw(), DiskAnn(), AutoIndex()])
def test_few_rows_are_compared_exactly(spec: IndexSpec) -> None:
    effort = plan_effort(spec, SearchParams(), 10, ROWS, EXACT_ROWS / ROWS)
    assert effort.strategy == "exact"
    assert f"{EXACT_ROWS} pictures pass" in effort.reason
    assert plan_effort(spec, SearchParams(), 10, ROWS, 1 / ROWS).reason.startswith("1 picture pass")
    assert plan_effort(spec, SearchParams(), 10, ROWS, 0.0).strategy == "exact"


def test_few_rows_in_clusters_of_full_vectors_need_no_more_than_all_clusters() -> None:
    for share in (EXACT_ROWS / ROWS, 0.0):
        effort = plan_effort(IvfFlat(316), SearchParams(nprobe=1), 10, ROWS, share)
        assert (effort.strategy, effort.params.nprobe) == ("raised", 316)
        assert effort.reason.endswith("raised from 1 to 316, all clusters and so exact.")


def test_the_embedded_milvus_fetches_less_and_widens_more() -> None:
    search, rows = SearchParams(ef=256), 196
    half = plan_effort(Hnsw(), search, 10, rows, 99 / rows, LITE_LIMITS)
    assert (half.strategy, half.params.ef) == ("raised", 507)
    clusters = plan_effort(IvfFlat(5), SearchParams(nprobe=1), 10, rows, 99 / rows, LITE_LIMITS)
    assert clusters.params.nprobe == 5
    few = plan_effort(Hnsw(), search, 10, rows, LITE_LIMITS.exact_rows / rows, LITE_LIMITS)
    assert few.strategy == "exact"
    narrow = plan_effort(Hnsw(), search, 10, 20_000, 0.01, LITE_LIMITS)
    assert (narrow.strategy, narrow.params.ef) == ("raised", 3072)


@pytest.mark.parametrize("spec", [Flat(), BinFlat()])
def test_an_exact_index_is_left_alone(spec: IndexSpec) -> None:
    for share in (0.5, 0.0):
        assert plan_effort(spec, SearchParams(), 10, ROWS, share).strategy == "default"


def test_other_parameters_are_kept_and_never_below_k() -> None:
    effort = plan_effort(Scann(nlist=64), SearchParams(nprobe=4, reorder_k=20), 50, ROWS, 0.5)
    assert effort.params == SearchParams(nprobe=8, reorder_k=50)


@given(
    st.sampled_from(SPECS),
    st.integers(1, 1000),
    st.integers(0, 10_000_000),
    st.floats(0.0, 1.0),
)
def test_whatever_is_planned_can_be_searched(
    spec: IndexSpec, k: int, rows: int, share: float
) -> None:
    k = min(k, spec.max_hits)
    effort = plan_effort(spec, SearchParams(), k, rows, share)
    usual = spec.search_params(SearchParams(), k)
    planned = spec.search_params(effort.params, k)
    assert planned.keys() == usual.keys()
    assert all(planned[name] >= usual[name] for name in usual)
    assert (effort.params != SearchParams()) == (effort.strategy == "raised")
