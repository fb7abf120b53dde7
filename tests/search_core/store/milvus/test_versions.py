"""A library's life, and every refusal, on the answers of Milvus 2.3.5, 2.4, 2.5, 2.6 and 3.0."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import grpc
import numpy as np
import pytest

import search_core
from search_core.encoders.base import EncoderIdentity
from search_core.errors import (
    DiskFull,
    FilterError,
    IndexParameterError,
    LibraryNotFound,
    QuotaExceeded,
    SightlineError,
    StoreAccessDenied,
    StoreError,
    StoreUnavailable,
)
from search_core.indexes import Hnsw, IvfFlat
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.errors import PHRASES
from search_core.store.milvus.properties import OWNER_PROPERTY, Owner
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import TRIAL_PREFIX
from tests.conftest import clip_like_vectors, make_entity
from tests.support.milvus_replay import REPLAYED
from tests.support.milvus_replay.answers import answer_of, answers
from tests.support.milvus_replay.server import ReplayServer, replay

ROWS, DIM = 40, 16
VECTORS = clip_like_vectors(ROWS, DIM)
ENTITIES = [make_entity(number) for number in range(ROWS)]
DEAD = replace(Owner.current(), started="long ago")
#: What a collection answers that exists and cannot be searched at the moment.
NOT_READY = (
    *("not_loaded", "loading", "recovering", "released_node_missing"),
    *("released_channel_missing", "released_channel_away", "no_shard_leader"),
)
#: What a server refuses, by call, and what a user is told.
REFUSALS: tuple[tuple[str, str, type[SightlineError], str], ...] = (
    ("Search", "filter_syntax", FilterError, "cannot read the filter"),
    ("Search", "filter_not_boolean", FilterError, "cannot read the filter"),
    ("Search", "filter_unsupported", FilterError, "cannot read the filter"),
    ("Search", "topk_window", IndexParameterError, "refused a parameter"),
    ("Upsert", "quota_admin", QuotaExceeded, "refuses to go on"),
    ("Upsert", "quota_memory", QuotaExceeded, "memory quota"),
    ("Upsert", "quota_disk", QuotaExceeded, "disk quota"),
    ("Flush", "object_store_full", DiskFull, "full"),
    ("Search", "not_serving", StoreUnavailable, "not ready"),
)


@pytest.fixture(params=REPLAYED)
def server(request: pytest.FixtureRequest) -> Iterator[ReplayServer]:
    with replay(request.param) as running:
        yield running


@pytest.fixture
def store(server: ReplayServer, identity: EncoderIdentity) -> Iterator[MilvusStore]:
    """A store with a library of ROWS entities, that waits two seconds for what is not ready."""
    with closing(open_store(server)) as opened:
        opened.ensure_library("main", identity)
        opened.upsert("main", ENTITIES, VECTORS)
        yield opened


def open_store(server: ReplayServer, token: str = "") -> MilvusStore:
    return MilvusStore(Endpoint(server.uri, token, timeout_s=2.0, embedded=False))


def ids_in(store: MilvusStore, name: str = "main") -> set[str]:
    return {entity.id for entity in store.entities(name, limit=1000)}


def test_a_library_lives_from_creation_to_removal(
    server: ReplayServer, store: MilvusStore, identity: EncoderIdentity
) -> None:
    with pytest.raises(LibraryNotFound, match="nowhere"):
        store.library("nowhere")
    store.settle("main")
    assert store.search("main", VECTORS[:1], k=3)[0][0].entity == ENTITIES[0]
    assert store.delete("main", Filter(ids=(ENTITIES[1].id,))) == 1
    assert ids_in(store) == {entity.id for entity in ENTITIES} - {ENTITIES[1].id}

    before = store.library("main").collection
    store.rebuild("main", IvfFlat(nlist=2))
    store.rebuild("main", Hnsw(m=8), in_place=True)
    after = store.library("main")
    assert after.collection != before
    assert isinstance(after.index, Hnsw)
    assert len(ids_in(store)) == ROWS - 1

    other = replace(identity, digest="f" * 32)
    with store.replacement("main", other) as heir:
        for page in heir.pending():
            heir.put(page, VECTORS[: len(page)])
        heir.build()
        heir.close_writing()
        heir.switch()
    assert store.library("main").encoder == other
    assert len(ids_in(store)) == ROWS - 1

    store.rename_library("main", "yard")
    assert [info.name for info in store.libraries()] == ["yard"]
    store.drop_library("yard")
    assert not server.collections
    assert not server.aliases


def test_what_a_killed_process_left_is_removed_with_its_aliases(
    server: ReplayServer, store: MilvusStore
) -> None:
    owned = {OWNER_PROPERTY: json.dumps(asdict(DEAD))}
    serving = store.library("main").collection
    for name in (f"{TRIAL_PREFIX}0a", "main_20260102030405_1b2c"):
        left = replace(server.collections[serving], name=name)
        server.collections[name] = replace(left, properties=owned)
    server.aliases["stray"] = "main_20260102030405_1b2c"
    assert len(store.remove_leftovers()) == 2
    assert list(server.collections) == [serving]
    assert server.aliases == {"main": serving}


def test_two_processes_that_create_a_library_at_once_get_one(
    server: ReplayServer, identity: EncoderIdentity
) -> None:
    stores = [open_store(server) for _ in range(2)]
    threads = [threading.Thread(target=s.ensure_library, args=("new", identity)) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(server.aliases) == ["new"]
    assert list(server.collections) == [server.aliases["new"]]
    for opened in stores:
        opened.close()


@pytest.mark.parametrize("answer", NOT_READY)
def test_a_search_waits_for_what_is_not_ready(
    server: ReplayServer, store: MilvusStore, answer: str
) -> None:
    if answer_of(answer, server.version) is None:
        pytest.skip("this version has no such answer")
    server.fail("Search", answer, answer)
    assert store.search("main", VECTORS[:1], k=1)[0][0].entity == ENTITIES[0]
    server.fail("Query", answer)
    assert store.count("main") == ROWS


@pytest.mark.parametrize("answer", ["recovering", "released_node_missing"])
def test_what_does_not_become_ready_is_said_to_be_so(
    server: ReplayServer, store: MilvusStore, answer: str
) -> None:
    server.fail("Search", *[answer] * 1000)
    with pytest.raises(StoreUnavailable, match="main is not ready yet") as refused:
        store.search("main", VECTORS[:1], k=1)
    assert "try again" in refused.value.hint


@pytest.mark.parametrize("answer", [*NOT_READY, "collection_missing", "schema_mismatch"])
def test_a_write_that_a_node_refuses_is_made_again_and_never_lost(
    server: ReplayServer, store: MilvusStore, answer: str
) -> None:
    if answer_of(answer, server.version) is None:
        pytest.skip("this version has no such answer")
    new = make_entity(ROWS)
    server.fail("Upsert", answer, answer, answer)
    store.upsert("main", [new], VECTORS[:1])
    assert new.id in ids_in(store)
    server.fail("Delete", answer)
    assert store.delete("main", Filter(ids=(new.id,))) == 1
    assert new.id not in ids_in(store)


def test_a_write_that_is_refused_to_the_end_raises(
    server: ReplayServer, store: MilvusStore
) -> None:
    server.fail("Upsert", *["released_node_missing"] * 1000)
    with pytest.raises(StoreUnavailable):
        store.upsert("main", [make_entity(ROWS)], VECTORS[:1])


def test_a_library_that_is_dropped_under_a_write_is_missing(
    server: ReplayServer, store: MilvusStore
) -> None:
    store.library("main")
    server.collections.clear()
    server.aliases.clear()
    with pytest.raises(LibraryNotFound):
        store.upsert("main", [make_entity(ROWS)], VECTORS[:1])


@pytest.mark.parametrize(("method", "answer", "kind", "said"), REFUSALS)
def test_refusals_are_told_for_what_they_are(
    server: ReplayServer,
    store: MilvusStore,
    method: str,
    answer: str,
    kind: type[SightlineError],
    said: str,
) -> None:
    if answer_of(answer, server.version) is None:
        pytest.skip("this version has no such answer")
    server.fail(method, *[answer] * 1000)
    with pytest.raises(kind, match=said) as refused:
        if method == "Search":
            store.search("main", VECTORS[:1], k=1)
        elif method == "Flush":
            store.settle("main")
        else:
            store.upsert("main", ENTITIES[:1], VECTORS[:1])
    assert type(refused.value) is kind
    assert refused.value.hint or kind in (FilterError, IndexParameterError)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("index_type_unknown", IndexParameterError), ("index_params", IndexParameterError)],
)
def test_an_index_that_is_refused_leaves_the_old_one(
    server: ReplayServer, store: MilvusStore, answer: str, kind: type[SightlineError]
) -> None:
    server.fail("CreateIndex", answer)
    with pytest.raises(kind):
        store.rebuild("main", IvfFlat(nlist=2))
    assert store.search("main", VECTORS[:1], k=1)[0][0].entity == ENTITIES[0]
    assert len(server.collections) == 1


@pytest.mark.parametrize(("answer", "kind"), [("no_memory", StoreError), ("no_disk", DiskFull)])
def test_a_load_that_needs_too_much_is_told_for_what_it_is(
    server: ReplayServer, store: MilvusStore, answer: str, kind: type[SightlineError]
) -> None:
    server.fail("GetLoadingProgress", answer)
    with closing(open_store(server)) as another, pytest.raises(kind) as refused:
        another.library("main")
    assert type(refused.value) is kind
    assert "memory" in str(refused.value) or kind is DiskFull


def test_a_build_that_fails_says_why_and_leaves_the_old_index(
    server: ReplayServer, store: MilvusStore
) -> None:
    server.failed_build = ("IVF_FLAT", "450: no such file;")
    with pytest.raises(StoreError, match="could not build IVF_FLAT: 450: no such file"):
        store.rebuild("main", IvfFlat(nlist=2))
    assert store.search("main", VECTORS[:1], k=1)[0][0].entity == ENTITIES[0]


def test_an_index_that_another_command_drops_under_a_build_is_said_to_be_gone(
    server: ReplayServer, store: MilvusStore
) -> None:
    server.fail("DescribeIndex", "index_missing", "index_missing")
    with pytest.raises(StoreError, match="gone"):
        store.rebuild("main", IvfFlat(nlist=2))


def test_flushes_wait_for_the_limit_of_the_server_and_threads_share_one(
    server: ReplayServer, store: MilvusStore
) -> None:
    store.settle("main")
    store.settle("main")  # refused at first, where the version limits
    asked = server.calls.count("Flush")
    together = threading.Barrier(8)

    def settle() -> None:
        together.wait()
        store.settle("main")

    threads = [threading.Thread(target=settle) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    limited = answer_of("flush_limited", server.version) is not None
    assert server.calls.count("Flush") - asked <= (4 if limited else 8)


def test_a_flush_that_stays_limited_loses_nothing(server: ReplayServer, store: MilvusStore) -> None:
    if answer_of("flush_limited", server.version) is None:
        pytest.skip("this version does not limit flushes")
    server.fail("Flush", *["flush_limited"] * 1000)
    store.settle("main")
    assert store.count("main") == ROWS


def test_a_wrong_password_is_told_at_once() -> None:
    with replay("2.6.13", password="right") as server:
        with pytest.raises(StoreAccessDenied, match="password") as refused:
            MilvusStore(Endpoint(server.uri, "root:wrong", timeout_s=600.0, embedded=False))
        assert server.calls.count("Connect") == 1, "what cannot change is not tried again"
        assert "SIGHTLINE_MILVUS_TOKEN" in refused.value.hint
        with closing(open_store(server, "root:right")) as store:
            assert store.libraries() == []


@pytest.mark.parametrize("method", ["CreateCollection", "ListAliases", "CreateAlias", "Upsert"])
def test_a_missing_privilege_is_named(
    server: ReplayServer, identity: EncoderIdentity, method: str
) -> None:
    with closing(open_store(server)) as store:
        server.denied.add(method)
        with pytest.raises(StoreAccessDenied, match=f"Privilege{method}"):
            store.ensure_library("main", identity)
            store.libraries()
            store.upsert("main", ENTITIES, VECTORS)


def test_a_server_that_stops_answering_is_unreachable(
    server: ReplayServer, store: MilvusStore
) -> None:
    server.fail("Search", grpc.StatusCode.DEADLINE_EXCEEDED)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.search("main", VECTORS[:1], k=1)


def test_words_of_a_filter_are_not_taken_for_words_of_milvus(
    server: ReplayServer, store: MilvusStore
) -> None:
    refused = ('camera == "no space left"', 'camera == "connection refused"')
    for text in refused:
        status = answer_of("filter_syntax", server.version)
        assert status is not None
        with pytest.raises(FilterError):
            _raise_refused(status.code, status.legacy, status.reason.format(name=text))


def _raise_refused(code: int, legacy: int, reason: str) -> None:
    from pymilvus.exceptions import MilvusException

    from search_core.store.milvus.errors import milvus_errors

    with milvus_errors("searching"):
        raise MilvusException(code, reason, legacy)


def test_the_table_answers_for_every_version_in_order() -> None:
    names = {answer.name for answer in answers()}
    assert len(names) >= 35
    for version in REPLAYED:
        assert answer_of("collection_missing", version) is not None
    assert answer_of("drop_with_alias", "2.4.22") is None
    assert answer_of("duplicate_ids", "2.6.7") is None


#: Where code of Sightline looks at what Milvus says; PHRASES in errors.py is for everything else.
PLACES_THAT_MATCH_WORDS = {
    ("store/milvus/errors.py", "_by_code"),  # a collection named by number
    ("store/milvus/errors.py", "_by_words"),  # PHRASES
}


def test_words_of_milvus_are_matched_in_listed_places_only() -> None:
    root = Path(search_core.__file__).parent
    found = set()
    for path in sorted(root.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and _matches_words(function):
                found.add((str(path.relative_to(root)), function.name))
    assert found == PLACES_THAT_MATCH_WORDS
    assert len({words.text for words in PHRASES}) == len(PHRASES)
    assert all(words.who and words.text == words.text.lower() for words in PHRASES)


def _matches_words(function: ast.FunctionDef) -> bool:
    """Whether a function holds text against a message or the reason of an error of Milvus's."""
    said = {"message", "reason", "details"}
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.In | ast.NotIn) for op in node.ops
        ):
            inside = [*map(ast.unparse, node.comparators)]
            if any(part.rpartition(".")[2] in said or part == "said" for part in inside):
                return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = [ast.unparse(arg) for arg in node.args]
            if node.func.attr in ("search", "match", "fullmatch", "startswith") and any(
                part.rpartition(".")[2] in said for part in [*given, ast.unparse(node.func.value)]
            ):
                return True
    return False


def test_rows_of_a_replay_are_what_was_written(store: MilvusStore) -> None:
    np.testing.assert_allclose(store.embedding("main", ENTITIES[3].id), VECTORS[3], atol=1e-6)
    assert store.entities("main", Filter(ids=(ENTITIES[3].id,))) == [ENTITIES[3]]
