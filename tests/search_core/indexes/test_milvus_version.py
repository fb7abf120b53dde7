from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import IndexNotOffered, UsageError
from search_core.indexes.graphs import GpuCagra, HnswSq
from search_core.indexes.ivf import GpuIvfFlat
from search_core.indexes.milvus_version import LITE, SUPPORT, ServerInfo, release_of

releases = st.tuples(*[st.integers(0, 99)] * 3)


@pytest.mark.parametrize(
    ("reported", "embedded", "gpu", "pip_build", "shown"),
    [
        ("v2.3.5-lite", False, False, True, "Milvus 2.3.5"),
        ("v2.4.5-gpu", False, True, False, "Milvus 2.4.5-gpu"),
        ("2.6.0", False, None, False, "Milvus 2.6.0"),
        ("v2.4.24-12-g0123abc", False, None, False, "Milvus 2.4.24-12-g0123abc"),
        ("3.2.2", True, False, False, "Milvus Lite 3.2.2"),
    ],
)
def test_reads_what_a_milvus_reports(
    reported: str, embedded: bool, gpu: bool | None, pip_build: bool, shown: str
) -> None:
    server = ServerInfo.reported(reported, embedded=embedded)
    assert (server.gpu, server.pip_build, str(server)) == (gpu, pip_build, shown)


@given(releases, releases)
def test_releases_are_compared_by_number(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    server = ServerInfo(".".join(map(str, one)), embedded=False)
    assert server.at_least(".".join(map(str, other))) == (one >= other)


def test_a_short_version_ends_in_zeros() -> None:
    assert release_of("2.5") == release_of("v2.5.0-beta") == (2, 5, 0)
    with pytest.raises(UsageError, match="not a version"):
        release_of("latest")


@pytest.mark.parametrize(
    "version", ["master-20260914-1f3a9c2", "1f3a9c2", "20260914", "2f3a9c2-dev"]
)
def test_a_development_build_is_newer_than_any_release(version: str) -> None:
    server = ServerInfo.reported(version, embedded=False)
    assert server.at_least("3.0")
    assert server.support.version == "3.0"
    assert server.gpu is None


def test_a_server_counts_as_the_newest_version_not_newer_than_it() -> None:
    versions = {
        number: ServerInfo.reported(number, embedded=False).support.version
        for number in ("v2.3.5-lite", "2.4.0", "v2.5.27", "2.6.17", "3.1.0", "2.2.9")
    }
    assert list(versions.values()) == ["2.3", "2.4", "2.5", "2.6", "3.0", "2.3"]


def test_index_types_that_need_a_gpu_are_offered_surely_only_where_one_is_reported() -> None:
    unknown = ServerInfo.reported("2.6.17", embedded=False)
    reported = ServerInfo.reported("2.6.17-gpu", embedded=False)
    assert not GpuCagra.refusal(unknown)
    assert "GPU" in GpuCagra.refusal(unknown, surely=True)
    assert not GpuCagra.refusal(reported, surely=True)
    assert "GPU" in GpuIvfFlat.refusal(ServerInfo.reported("2.3.5-lite", embedded=False))


def test_an_index_type_that_a_probe_could_not_build_is_refused() -> None:
    server = replace(ServerInfo.reported("2.6.17", embedded=False), lacks=frozenset({"HNSW_SQ"}))
    with pytest.raises(IndexNotOffered, match="probe"):
        HnswSq().require_offered(server)


def test_the_docs_list_what_is_known_of_each_version() -> None:
    text = (Path(__file__).parents[3] / "docs" / "milvus.md").read_text(encoding="utf-8")
    for support in (LITE, *SUPPORT):
        assert f"| {support.shown} | {support.evidence} | {support.differs} |" in text
