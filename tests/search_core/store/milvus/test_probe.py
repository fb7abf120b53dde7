"""`sightline doctor --probe`: what it finds, what it keeps, and what is not offered for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search_core.errors import IndexNotOffered
from search_core.indexes import HnswSq
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.milvus_replay import REPLAYED
from tests.support.milvus_replay.answers import answer_of
from tests.support.milvus_replay.server import ReplayServer, replay


@pytest.fixture(params=REPLAYED)
def server(request: pytest.FixtureRequest) -> Iterator[ReplayServer]:
    with replay(request.param) as running:
        yield running


@pytest.fixture
def store(server: ReplayServer, tmp_path: Path) -> Iterator[MilvusStore]:
    with closing(open_store(server, tmp_path)) as opened:
        yield opened


def open_store(server: ReplayServer, folder: Path) -> MilvusStore:
    probes = folder / "milvus-probes.json"
    return MilvusStore(Endpoint(server.uri, timeout_s=5.0, embedded=False, probes=probes))


def test_milvus_lite_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    lite = tmp_path / "milvus.db"
    endpoint = Endpoint(str(lite), write_lock=tmp_path / "lock", probes=tmp_path / "probes.json")
    with closing(MilvusStore(endpoint)) as store:
        tried: list[str] = []
        found = store.probe(on_progress=tried.append)
        assert found.failed == []
        assert [finding.name for finding in found.findings] == tried
        built = {f.name for f in found.findings if f.outcome == "works" and "type" in f.name}
        assert {f"index type {name}" for name in ("FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW")} <= built
        assert store.probe_once() is None
    assert not any((lite / "collections").iterdir())


def test_it_says_what_a_version_does_otherwise_and_leaves_nothing(
    server: ReplayServer, store: MilvusStore
) -> None:
    found = store.probe()
    assert found.failed == []
    by_name = {finding.name: finding for finding in found.findings}
    adapted = {
        "one id twice in a batch": True,
        "a collection dropped with an alias left": _refuses("drop_with_alias", server),
        "two flushes, one after the other": _refuses("flush_limited", server),
    }
    for name, expected in adapted.items():
        assert (by_name[name].outcome == "adapted") == expected, by_name[name]
        assert bool(by_name[name].instead) == expected
    assert not server.collections
    assert not server.aliases


def test_an_index_type_that_cannot_be_built_is_not_offered_from_then_on(
    server: ReplayServer, store: MilvusStore, tmp_path: Path
) -> None:
    server.failed_build = ("HNSW_SQ", "not compiled in;")
    found = store.probe()
    if not server.at_least("2.5.0"):
        assert found.lacks == ()  # it came with 2.5: not tried
        return
    assert found.lacks == ("HNSW_SQ",)
    [failed] = found.failed
    assert "not compiled in" in failed.found
    with closing(open_store(server, tmp_path)) as another, pytest.raises(IndexNotOffered):
        HnswSq().require_offered(another.server())


def test_a_server_is_probed_once_and_again_at_another_version(
    server: ReplayServer, store: MilvusStore, tmp_path: Path
) -> None:
    first = store.probe_once()
    assert first is not None
    assert not first.thorough
    assert first.failed == []
    assert store.probe_once() is None
    server.version = "9.0.0"
    with closing(open_store(server, tmp_path)) as another:
        again = another.probe_once()
    assert again is not None
    assert again.version == "9.0.0"


def test_a_missing_privilege_is_a_finding(server: ReplayServer, store: MilvusStore) -> None:
    server.denied.add("CreateAlias")
    found = store.probe_once()
    assert found is not None
    assert any("PrivilegeCreateAlias" in finding.found for finding in found.failed)
    assert not server.collections


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a b": {}}', '{"a b": null}'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    with replay("2.6.13") as server:
        (tmp_path / "milvus-probes.json").write_text(text, encoding="utf-8")
        with closing(open_store(server, tmp_path)) as store:
            assert store.server().lacks == frozenset()
            assert store.probe_once() is not None


def _refuses(answer: str, server: ReplayServer) -> bool:
    return answer_of(answer, server.version) is not None
