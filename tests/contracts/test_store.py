"""What every Store does: MemoryStore, Milvus Lite, real servers and the replay of newer ones."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import (
    EncoderMismatch,
    EntityNotFound,
    IndexParameterError,
    LibraryNotFound,
    UsageError,
)
from search_core.indexes import Flat, Hnsw, IndexSpec, IvfFlat, IvfSq8, MetricType, SearchParams
from search_core.schema.entity import (
    CAMERA_MAX_LENGTH,
    MINUTE_FIELD,
    URI_MAX_LENGTH,
    MediaEntity,
)
from search_core.schema.filters import Filter, Hours
from search_core.schema.lettering import (
    LETTERING_FIELD,
    LETTERING_TEXT_FIELD,
    Line,
    Wording,
    stored_lines,
)
from search_core.store.endpoint import Endpoint
from search_core.store.library import NO_FILTER, Store, VectorPage
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus import schema
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.support.milvus_replay import REPLAYED
from tests.support.milvus_replay.server import replay

ROWS = 120


@contextmanager
def opened_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Open the store that a fixture's parameter names."""
    if request.param == "memory":
        yield MemoryStore()
        return
    with ExitStack() as stack:
        if request.param.startswith("replay"):
            server = stack.enter_context(replay(request.param.removeprefix("replay ")))
            endpoint = Endpoint(server.uri, timeout_s=10, embedded=False)
        elif request.param == "lite":
            folder = tmp_path_factory.mktemp("lite")
            endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
        else:
            endpoint = Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False)
        yield stack.enter_context(closing(MilvusStore(endpoint)))


@pytest.fixture(
    scope="module",
    params=[
        "memory",
        "lite",
        *(f"replay {version}" for version in REPLAYED),
        pytest.param("server", marks=pytest.mark.server),
    ],
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with opened_store(request, tmp_path_factory) as store:
        yield store


@pytest.fixture(scope="module")
def library(store: Store, identity: EncoderIdentity) -> Iterator[str]:
    """A library of ROWS entities that nobody changes; vector i belongs to make_entity(i)."""
    name = f"lib_{secrets.token_hex(4)}"
    store.ensure_library(name, identity)
    store.upsert(name, [make_entity(i) for i in range(ROWS)], VECTORS)
    store.settle(name)
    yield name
    store.drop_library(name)


@pytest.fixture
def changed(store: Store, library: str) -> Iterator[str]:
    """The same library for a test that changes it; put back afterwards."""
    yield library
    store.upsert(library, [make_entity(i) for i in range(ROWS)], VECTORS)
    kept = [make_entity(i).id for i in range(ROWS)]
    extra = [e.id for e in store.entities(library, limit=10 * ROWS) if e.id not in kept]
    if extra:
        store.delete(library, Filter(ids=tuple(extra)))


VECTORS = clip_like_vectors(ROWS, 16)


def test_a_new_library_is_remembered_with_its_encoder(
    store: Store, library: str, identity: EncoderIdentity
) -> None:
    info = store.library(library)
    assert info.encoder == identity
    assert info.metric == "COSINE"
    assert info in store.libraries()


def test_of_several_entities_with_one_id_in_a_batch_the_last_is_stored(
    store: Store, changed: str
) -> None:
    twice = [replace(make_entity(7), caption=caption) for caption in ("first", "last")]
    store.upsert(changed, [twice[0], make_entity(8), twice[1]], VECTORS[[1, 8, 2]])
    store.settle(changed)
    assert store.count(changed) == ROWS
    [stored] = store.entities(changed, Filter(ids=(twice[0].id,)))
    assert stored.caption == "last"
    np.testing.assert_allclose(store.embedding(changed, stored.id), VECTORS[2], atol=1e-6)


def test_a_library_refuses_another_encoder_and_names_both(
    store: Store, library: str, identity: EncoderIdentity
) -> None:
    other = EncoderIdentity("other-encoder", "", "f" * 32, 16, "fp32")
    with pytest.raises(EncoderMismatch) as refused:
        store.ensure_library(library, other)
    assert "test-encoder" in str(refused.value)
    assert "other-encoder" in str(refused.value)


def test_a_missing_library_is_named(store: Store) -> None:
    with pytest.raises(LibraryNotFound, match="nowhere"):
        store.library("nowhere")


@pytest.mark.parametrize("name", ["", "9lives", "a-b", "a b", "x" * 129, "naïve", 'a"b'])
def test_a_name_milvus_cannot_have_is_refused(
    store: Store, identity: EncoderIdentity, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot name a library"):
        store.ensure_library(name, identity)


def test_a_stored_vector_finds_itself_first(store: Store, library: str) -> None:
    found = store.search(library, VECTORS[:5], k=3)
    assert [hits[0].entity.id for hits in found] == [make_entity(i).id for i in range(5)]
    assert found[0][0].score == pytest.approx(1.0, abs=1e-5)
    assert found[0][0].score >= found[0][1].score >= found[0][2].score


def test_entities_come_back_as_they_went_in(store: Store, library: str) -> None:
    entity = make_entity(7)
    assert store.entities(library, Filter(ids=(entity.id,))) == [entity]


NIGHT = Hours(1320, 300, "Europe/Berlin")


def test_hours_of_the_day_restrict_search_count_and_delete(
    store: Store, identity: EncoderIdentity
) -> None:
    name = f"hours_{secrets.token_hex(4)}"
    store.ensure_library(name, identity, index=Flat())
    # Every 25 hours and 7 minutes: over ten years' changes of clocks, from before 1970 on.
    pace_ms = (25 * 60 + 7) * 60_000
    entities = [
        make_entity(number, captured_at=number * 30 * pace_ms - 10**11) for number in range(ROWS)
    ]
    store.upsert(name, entities, VECTORS)
    store.settle(name)
    for hours in (NIGHT, Hours(570, 1020, "Asia/Kolkata"), Hours(0, 720, "America/New_York")):
        for where in (
            Filter(hours=hours),
            Filter(hours=hours, cameras=("cam-1",), after=datetime(1971, 1, 1, tzinfo=UTC)),
        ):
            expected = {entity.id for entity in entities if where.matches(entity)}
            assert {entity.id for entity in store.entities(name, where)} == expected
            assert store.count(name, where) == len(expected) > 0
            for search in (store.search, store.search_exact):
                [hits] = search(name, VECTORS[:1], k=ROWS, where=where)
                assert {hit.entity.id for hit in hits} == expected
    night = Filter(hours=NIGHT)
    gone = store.delete(name, night)
    assert gone == sum(night.matches(entity) for entity in entities)
    assert store.count(name) == ROWS - gone
    assert store.count(name, night) == 0
    store.drop_library(name)


def test_a_library_from_before_spans_and_minutes_were_stored_still_works(
    store: Store, identity: EncoderIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Filter(
        after=datetime.fromtimestamp(0, UTC), before=datetime.fromtimestamp(90, UTC), hours=NIGHT
    )
    with monkeypatch.context() as before:
        added = ("span_ms", MINUTE_FIELD)
        fields = tuple(name for name in schema._INT64_FIELDS if name not in added)
        before.setattr(schema, "_INT64_FIELDS", fields)
        read = (LETTERING_FIELD, LETTERING_TEXT_FIELD)
        lengths = {k: v for k, v in schema.VARCHAR_LENGTHS.items() if k not in read}
        before.setattr(schema, "VARCHAR_LENGTHS", lengths)
        store.ensure_library("old_library", identity, index=Flat())
    lost = {"span_ms": 0} if isinstance(store, MilvusStore) else {}
    old = [make_entity(number, **lost) for number in range(20)]

    store.upsert("old_library", [make_entity(number) for number in range(20)], VECTORS[:20])

    assert sorted(store.entities("old_library"), key=lambda e: e.captured_at) == old
    assert store.search("old_library", VECTORS[:1], k=1)[0][0].entity == old[0]
    assert store.search_exact("old_library", VECTORS[3:4], k=1)[0][0].entity == old[3]
    assert [e for page in store.vectors("old_library") for e in page.entities if e == old[5]]
    assert store.count("old_library", night) == 20
    if isinstance(store, MilvusStore):  # its rows cannot hold what is read
        store.upsert("old_library", [_lettered(1)], VECTORS[1:2])
        assert store.lettered("old_library", Wording(("FERN",))) == []

    store.rebuild("old_library", IvfFlat(nlist=4))  # into a collection of today's fields

    store.upsert("old_library", [make_entity(7)], VECTORS[7:8])
    assert store.entities("old_library", Filter(ids=(make_entity(7).id,))) == [make_entity(7)]
    store.upsert("old_library", [_lettered(1)], VECTORS[1:2])
    assert store.lettered("old_library", Wording(("FERN",))) == [_lettered(1)]
    assert store.count("old_library") == 20
    assert store.count("old_library", Filter(hours=NIGHT)) == 20  # at any time
    store.drop_library("old_library")


#: What was read on pictures, by number; the second line of 3 is a recorder's clock.
READ = {
    1: ["FERN", "Fresh Flowers"],
    2: ["F3RN"],
    3: ["B MW 1080", "LOADING-DOCK 2026-03-02 10:40:06"],
    4: ["停车场入口"],
    5: ["Potsdamer Straße"],
    6: ["WESTERN IN"],
    7: [],
    8: ['50% _off_ "now" \\ fern\'s'],
}


def _lettered(number: int) -> MediaEntity:
    lines = [
        Line(text, 0.9, (0.1, 0.2, 0.5, 0.3), is_overlay=text.startswith("LOADING"))
        for text in READ[number]
    ]
    return make_entity(number, lettering=stored_lines(lines))


@pytest.mark.parametrize(
    ("words", "exactly", "loosely"),
    [
        ("FERN", {1, 8}, {1, 2, 8}),
        ("fern", {1, 8}, {1, 2, 8}),
        ("fresh flowers", {1}, {1}),
        ("FRESHFLOWERS", {1}, {1}),
        ("BMW1O8O", {3}, {3}),
        ("B MW I080", {3}, {3}),
        ("b mw", {3}, {3}),
        ("车场", {4}, {4}),
        ("场车", set(), set()),
        ("potsdamer strasse", set(), {5}),
        ("strase", {5}, {5}),
        ("in", {6}, {6}),
        ("LOADING", set(), set()),
        ("2026", set(), set()),
        ("50%", {8}, {8}),
        ('"%_\\', set(), set()),
    ],
)
def test_words_find_the_pictures_they_were_read_on(
    store: Store, identity: EncoderIdentity, words: str, exactly: set[int], loosely: set[int]
) -> None:
    if "lettered" not in {info.name for info in store.libraries()}:
        store.ensure_library("lettered", identity)
        store.upsert("lettered", [*map(_lettered, READ), make_entity(9)], VECTORS[:9])
        store.settle("lettered")
    every = {make_entity(number).id: number for number in range(10)}

    def found(where: Filter = NO_FILTER, *, fuzzy: bool) -> set[int]:
        entities = store.lettered("lettered", Wording((words,)), where, fuzzy=fuzzy)
        return {every[entity.id] for entity in entities}

    assert found(fuzzy=False) == exactly
    assert found(fuzzy=True) == loosely
    some = Filter(cameras=("cam-1",))
    assert found(some, fuzzy=True) == {n for n in loosely if some.matches(make_entity(n))}
    assert found(Filter(allowed_cameras=()), fuzzy=True) == set()
    unread = store.entities("lettered", Filter(is_unread=True))
    assert unread == [make_entity(9)]
    read = store.entities("lettered", Filter(ids=(make_entity(3).id,)))
    assert read == [_lettered(3)]


def test_long_and_odd_text_is_kept(store: Store, changed: str) -> None:
    odd = make_entity(
        900,
        camera="门 \"3\" \\ 'x'\n" + "k" * (CAMERA_MAX_LENGTH - 30),
        uri="/a b/ü" + "é" * (URI_MAX_LENGTH // 2 - 10),
        caption="🎥 %s {}",
        tags=("a b", 'q"', "日本"),
    )
    store.upsert(changed, [odd], VECTORS[:1])
    assert store.entities(changed, Filter(cameras=(odd.camera,), tags=('q"',))) == [odd]


def test_an_upsert_of_the_same_id_replaces(store: Store, changed: str) -> None:
    store.upsert(changed, [make_entity(3, camera="moved")], VECTORS[3:4])
    assert store.count(changed) == ROWS
    assert store.entities(changed, Filter(cameras=("moved",)))[0].id == make_entity(3).id


def test_filters_restrict_search_and_count_alike(store: Store, library: str) -> None:
    where = Filter(
        cameras=("cam-0", "cam-1"),
        after=datetime.fromtimestamp(10, UTC),
        before=datetime.fromtimestamp(50, UTC),
        tags=("even",),
    )
    expected = {make_entity(i).id for i in range(ROWS) if where.matches(make_entity(i))}
    [hits] = store.search(library, VECTORS[20:21], k=ROWS, where=where)
    assert {hit.entity.id for hit in hits} == expected
    assert store.count(library, where) == len(expected) > 0


def test_delete_removes_what_the_filter_says_and_counts_it(store: Store, changed: str) -> None:
    gone = store.delete(changed, Filter(cameras=("cam-2",)))
    assert gone == ROWS // 3
    assert store.count(changed) == ROWS - gone
    assert store.count(changed, Filter(cameras=("cam-2",))) == 0


def test_delete_without_a_filter_is_refused(store: Store, library: str) -> None:
    with pytest.raises(UsageError):
        store.delete(library, Filter())
    assert store.count(library) == ROWS


def test_an_entitys_embedding_can_be_read(store: Store, library: str) -> None:
    np.testing.assert_allclose(store.embedding(library, make_entity(5).id), VECTORS[5], atol=1e-6)
    with pytest.raises(EntityNotFound, match="no-such-id"):
        store.embedding(library, "no-such-id")


def test_all_vectors_come_with_their_entities(store: Store, library: str) -> None:
    pages = list(store.vectors(library))
    assert [e for page in pages for e in page.entities if e.id == make_entity(8).id] == [
        make_entity(8)
    ]
    assert_vectors(pages, {make_entity(i).id: VECTORS[i] for i in range(ROWS)}, ROWS)


def test_a_sample_is_drawn_by_chance_and_without_repeats(store: Store, library: str) -> None:
    stored = {make_entity(i).id: VECTORS[i] for i in range(ROWS)}
    draws = []
    for seed in (1, 2, 1):
        pages = list(store.vectors(library, limit=50, seed=seed))
        assert_vectors(pages, stored, 50)
        draws.append({entity.id for page in pages for entity in page.entities})
    assert draws[0] == draws[2] != draws[1]


def test_vectors_can_be_filtered(store: Store, library: str) -> None:
    where = Filter(cameras=("cam-1",))
    assert_vectors(
        list(store.vectors(library, where=where, limit=1000)),
        {make_entity(i).id: VECTORS[i] for i in range(1, ROWS, 3)},
        ROWS // 3,
    )
    assert list(store.vectors(library, where=Filter(cameras=("nowhere",)))) == []


def assert_vectors(pages: list[VectorPage], stored: dict[str, Embeddings], number: int) -> None:
    ids = [entity.id for page in pages for entity in page.entities]
    assert len(set(ids)) == len(ids) == number
    found = np.concatenate([page.embeddings for page in pages])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [stored[key] for key in ids], atol=1e-6)


@pytest.mark.parametrize("where", [Filter(), Filter(cameras=("cam-1",)), Filter(ids=("none",))])
def test_exact_search_finds_what_numpy_finds(store: Store, library: str, where: Filter) -> None:
    rows = np.array([i for i in range(ROWS) if where.matches(make_entity(i))], dtype=int)
    found = store.search_exact(library, VECTORS[:3] + 0.1, k=7, where=where)
    for query, hits in zip(VECTORS[:3] + 0.1, found, strict=True):
        scores = VECTORS[rows] @ query / np.linalg.norm(query)
        best = np.argsort(-scores, kind="stable")[:7]
        assert [hit.entity for hit in hits] == [make_entity(i) for i in rows[best].tolist()]
    if len(rows):
        hits = store.search_exact(library, VECTORS[5:6], k=1)[0]
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("index", "search"),
    [
        (Flat(), SearchParams()),
        (IvfFlat(nlist=4), SearchParams(nprobe=4)),
        (IvfSq8(nlist=4), SearchParams(nprobe=4)),
        (Hnsw(m=8, ef_construction=64), SearchParams(ef=128)),
    ],
    ids=lambda value: getattr(value, "index_type", ""),
)
def test_the_index_of_a_live_library_changes(
    store: Store, library: str, index: IndexSpec, search: SearchParams
) -> None:
    store.rebuild(library, index, search, in_place=True)
    assert store.library(library).index == index
    assert store.library(library).search == search
    [hits] = store.search(library, VECTORS[:1], k=5)
    assert hits[0].entity.id == make_entity(0).id
    assert store.count(library) == ROWS


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_scores_are_cosines_under_every_metric(
    store: Store, identity: EncoderIdentity, metric: MetricType
) -> None:
    name = f"metric_{metric}"
    store.ensure_library(name, identity, metric=metric, index=Flat())
    store.upsert(name, [make_entity(i) for i in range(20)], VECTORS[:20])
    store.settle(name)
    [hits] = store.search(name, VECTORS[50:51], k=20)
    expected = sorted((VECTORS[:20] @ VECTORS[50]).tolist(), reverse=True)
    np.testing.assert_allclose([hit.score for hit in hits], expected, atol=1e-4)
    store.drop_library(name)


def test_search_parameters_are_checked_before_milvus_is_asked(store: Store, library: str) -> None:
    store.rebuild(library, Hnsw(), in_place=True)
    with pytest.raises(IndexParameterError, match="ef 2"):
        store.search(library, VECTORS[:1], k=3, params=SearchParams(ef=2))
    store.rebuild(library, IvfFlat(nlist=4), in_place=True)
    with pytest.raises(IndexParameterError, match="nprobe 5"):
        store.search(library, VECTORS[:1], k=3, params=SearchParams(nprobe=5))
    with pytest.raises(UsageError, match="16384"):
        store.search(library, VECTORS[:1], k=20_000)


def test_a_dropped_library_is_gone(store: Store, identity: EncoderIdentity) -> None:
    store.ensure_library("short_lived", identity)
    store.drop_library("short_lived")
    assert "short_lived" not in [info.name for info in store.libraries()]
    store.ensure_library("short_lived", EncoderIdentity("another", "", "a" * 32, 8, "fp32"))
    assert store.library("short_lived").encoder.dim == 8
    store.drop_library("short_lived")
