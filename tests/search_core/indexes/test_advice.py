from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import UsageError
from search_core.indexes.advice import advise, on_older, usable_bytes
from search_core.indexes.milvus_version import ServerInfo

GIB = 2**30
LITE = ServerInfo.reported("3.2.2", embedded=True)
PIP = ServerInfo.reported("v2.3.5-lite", embedded=False)
NEW = ServerInfo.reported("2.6.1", embedded=False)
GPU = ServerInfo.reported("2.6.1-gpu", embedded=False)


def recommended(
    rows: int, memory_gib: float, recall: float, server: ServerInfo | None = None
) -> str | None:
    best = advise(rows, 512, round(memory_gib * GIB), recall, server)[0]
    return best.spec.index_type if best.verdict == "recommended" else None


@pytest.mark.parametrize(
    ("rows", "memory_gib", "recall", "server", "wanted"),
    [
        (10_000, 8, 0.95, None, "FLAT"),  # little data: exact answers
        (10_000, 8, 0.95, LITE, "FLAT"),
        (1_000_000, 16, 0.95, None, "HNSW"),  # room enough: the fastest
        (10_000_000, 16, 0.95, NEW, "HNSW_SQ"),  # scarce memory: bytes in place of floats
        (10_000_000, 16, 0.95, PIP, "IVF_SQ8"),
        (1_000_000, 16, 1.0, None, "FLAT"),  # nothing else is exact
        (20_000_000, 16, 0.95, None, None),
        (1_000_000, 16, 0.95, GPU, "GPU_IVF_FLAT"),  # nobody measured what GPU_CAGRA finds
        (10_000_000, 13, 0.95, None, "IVF_SQ8"),  # scarcer still
    ],
)
def test_recommends_in_the_spirit_of_the_guides(
    rows: int, memory_gib: float, recall: float, server: ServerInfo | None, wanted: str | None
) -> None:
    assert recommended(rows, memory_gib, recall, server) == wanted


@given(
    st.integers(1, 10**12),
    st.integers(1, 32_768),
    st.integers(1, 10**15),
    st.floats(0.001, 1),
    st.sampled_from([None, LITE, PIP, NEW, GPU]),
)
def test_what_is_recommended_fits_reaches_and_is_offered(
    rows: int, dim: int, memory: int, recall: float, server: ServerInfo | None
) -> None:
    found = advise(rows, dim, memory, recall, server)
    assert sum(advice.verdict == "recommended" for advice in found) <= 1
    for advice in found:
        json.dumps(advice.to_dict())
        assert advice.because and advice.why
        advice.spec.search_params(advice.search, 10)
        if advice.verdict in ("recommended", "fits", "slow"):
            assert advice.size.memory_bytes <= usable_bytes(memory)
            assert advice.recall is None or advice.recall >= recall
            if server is not None:
                advice.spec.require_offered(server)
    if any(advice.verdict in ("slow", "fits") for advice in found):
        assert found[0].verdict == "recommended" or found[0].spec.index_type == "AUTOINDEX"


@given(
    st.integers(1, 10**9),
    st.integers(2**30, 2**45),
    st.floats(0.5, 1),
    st.sampled_from([None, LITE, PIP, NEW, GPU]),
)
def test_what_nobody_measured_is_advised_only_where_nothing_else_does(
    rows: int, memory: int, recall: float, server: ServerInfo | None
) -> None:
    found = advise(rows, 512, memory, recall, server)
    does = [advice for advice in found if advice.verdict in ("recommended", "fits", "slow")]
    if found[0].verdict == "recommended" and found[0].recall is None:
        assert all(advice.recall is None for advice in does)


def test_a_newer_milvus_that_is_needed_is_said_with_what_older_ones_take() -> None:
    found = advise(10_000_000, 512, 16 * GIB, 0.95)
    assert (found[0].spec.index_type, found[0].needs) == ("HNSW_SQ", "Milvus 2.5 or later")
    older = on_older(found)
    assert older is not None and older.spec.index_type == "IVF_SQ8" and not older.needs
    named = advise(10_000_000, 512, 16 * GIB, 0.95, NEW)
    assert named[0].needs == "" and on_older(named) is None
    assert on_older(advise(1_000_000, 512, 16 * GIB, 0.95)) is None


def test_a_search_takes_as_long_as_what_it_compares() -> None:
    found = {item.spec.index_type: item for item in advise(10_000_000, 512, 64 * GIB, 0.95)}
    flat, ivf = found["FLAT"].seconds, found["IVF_SQ8"].seconds
    assert flat is not None and ivf is not None
    assert ivf == pytest.approx(flat / 8, rel=0.02)  # nprobe is an eighth of nlist
    assert found["IVF_SQ8"].verdict == "slow" and "0.28 s" in found["IVF_SQ8"].because
    assert found["HNSW"].seconds is None


def test_more_recall_asks_for_more_effort() -> None:
    efforts = []
    for recall in (0.7, 0.9, 0.99):
        found = {item.spec.index_type: item for item in advise(10**6, 512, 64 * GIB, recall)}
        nprobe, ef = found["IVF_FLAT"].search.nprobe, found["HNSW"].search.ef
        assert nprobe is not None and ef is not None
        efforts.append((nprobe, ef))
    assert efforts == sorted(set(efforts))


def test_what_is_missing_says_who_has_it() -> None:
    found = {item.spec.index_type: item for item in advise(1000, 512, 8 * GIB, 0.95, LITE)}
    assert found["SCANN"].verdict == "not offered"
    assert "Milvus 2.3 or later has it" in found["SCANN"].because


@pytest.mark.parametrize(
    ("rows", "dim", "memory", "recall", "said"),
    [
        (0, 512, GIB, 0.95, "1 to 1,000,000,000,000 rows, not 0"),
        (10, 0, GIB, 0.95, "dimensions, not 0"),
        (10, 40_000, GIB, 0.95, "32,768 dimensions"),
        (10, 512, 0, 0.95, "memory"),
        (10, 512, GIB, 0.0, "target recall"),
        (10, 512, GIB, 95, "up to 1, not 95"),
        (10, 512, GIB, float("nan"), "target recall"),
    ],
)
def test_nonsense_is_refused(rows: int, dim: int, memory: int, recall: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        advise(rows, dim, memory, recall)
