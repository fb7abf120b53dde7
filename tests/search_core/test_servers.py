from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import UsageError
from search_core.servers import ServerInfo, release_of

releases = st.tuples(*[st.integers(0, 99)] * 3)


@pytest.mark.parametrize(
    ("reported", "embedded", "gpu", "pip_build", "said"),
    [
        ("v2.3.5-lite", False, False, True, "Milvus 2.3.5"),
        ("v2.4.5-gpu", False, True, False, "Milvus 2.4.5-gpu"),
        ("2.6.0", False, False, False, "Milvus 2.6.0"),
        ("3.2.2", True, False, False, "Milvus Lite 3.2.2"),
    ],
)
def test_reads_what_a_milvus_reports(
    reported: str, embedded: bool, gpu: bool, pip_build: bool, said: str
) -> None:
    server = ServerInfo.reported(reported, embedded=embedded)
    assert (server.gpu, server.pip_build, str(server)) == (gpu, pip_build, said)


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
