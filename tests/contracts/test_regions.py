"""Regions in every store: rows beside their keyframes', which count only when asked for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.indexes import Flat, IvfFlat
from search_core.schema.entity import BOX_FIELD, MediaEntity, RowKind
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import Folding, Scale, Scales
from search_core.store.library import EVERY_ROW, LibraryInfo, Store, chunks_where
from search_core.store.milvus import schema
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.contracts.test_store import opened_store

FRAMES, REGIONS = 12, 3
KINDS: tuple[RowKind, ...] = ("motion", "tile", "tile")


@pytest.fixture(
    scope="module",
    params=["memory", "lite", pytest.param("server", marks=pytest.mark.server)],
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with opened_store(request, tmp_path_factory) as store:
        yield store


def regions_of(frame: MediaEntity) -> list[MediaEntity]:
    boxes = ((0.1, 0.25, 0.4, 1 / 3), (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0))
    return [
        frame.region(kind, number, box)
        for number, (kind, box) in enumerate(zip(KINDS, boxes, strict=True))
    ]


ROWS = [
    row
    for number in range(FRAMES)
    for row in (make_entity(number), *regions_of(make_entity(number)))
]
VECTORS = clip_like_vectors(len(ROWS), 16)


@pytest.fixture
def library(store: Store, identity: EncoderIdentity) -> Iterator[str]:
    """A library of FRAMES keyframes with REGIONS regions each."""
    name = f"regions_{secrets.token_hex(4)}"
    store.ensure_library(name, identity, index=Flat())
    store.upsert(name, ROWS, VECTORS)
    store.settle(name)
    yield name
    store.drop_library(name)


def test_rows_are_keyframes_unless_regions_are_asked_for(store: Store, library: str) -> None:
    frames = {make_entity(number).id for number in range(FRAMES)}
    assert store.count(library) == store.facets(library).count == FRAMES
    assert {entity.id for entity in store.entities(library)} == frames
    assert {e.id for page in store.vectors(library) for e in page.entities} == frames
    for search in (store.search, store.search_exact):
        [found] = search(library, VECTORS[:1], k=len(ROWS))
        assert {match.entity.id for match in found} == frames
        [found] = search(library, VECTORS[:1], k=len(ROWS), where=EVERY_ROW)
        assert {match.entity.id for match in found} == {row.id for row in ROWS}
    assert store.count(library, EVERY_ROW) == len(ROWS)
    alone = Filter(cameras=("cam-1",)).regions_alone()
    wanted = {row.id for row in ROWS if row.is_region and row.camera == "cam-1"}
    [found] = store.search(library, VECTORS[:1], k=len(ROWS), where=alone)
    assert {match.entity.id for match in found} == wanted
    assert store.count(library, alone) == len(wanted)


def test_a_region_comes_back_as_it_went_in_and_names_its_keyframe(
    store: Store, library: str
) -> None:
    frame = make_entity(5)
    found = store.entities(library, Filter(ids=(frame.id,), regions=True))
    assert sorted(found, key=lambda row: row.id) == sorted(
        [frame, *regions_of(frame)], key=lambda row: row.id
    )
    assert {row.keyframe for row in found} == {frame}


def test_regions_pass_the_filters_that_their_keyframes_pass(store: Store, library: str) -> None:
    where = Filter(cameras=("cam-1",), tags=("odd",))
    count = store.count(library, where)
    assert count > 0
    assert store.count(library, where.with_regions()) == count * (1 + REGIONS)


def test_a_delete_takes_the_regions_along_and_counts_keyframes(store: Store, library: str) -> None:
    assert store.delete(library, Filter(cameras=("cam-0",))) == FRAMES // 3
    assert store.delete(library, Filter(ids=(make_entity(1).id,))) == 1
    left = FRAMES - FRAMES // 3 - 1
    assert store.count(library, EVERY_ROW) == left * (1 + REGIONS)


def test_regions_alone_can_be_deleted(store: Store, library: str) -> None:
    ids = tuple(row.id for row in regions_of(make_entity(2)))
    assert store.delete(library, Filter(ids=ids, regions=True)) == REGIONS
    assert store.count(library) == FRAMES
    assert store.count(library, EVERY_ROW) == len(ROWS) - REGIONS


def test_chunks_hold_keyframes_with_their_regions(store: Store, library: str) -> None:
    [page] = chunks_where(store, library, Filter(cameras=("cam-2",)))
    wanted = {row.id for row in ROWS if row.camera == "cam-2"}
    assert {row.id for row in page.entities} == wanted
    vectors = dict(zip((row.id for row in ROWS), VECTORS, strict=True))
    expected = np.stack([vectors[row.id] for row in page.entities])
    np.testing.assert_allclose(page.embeddings, expected, atol=1e-6)


def test_a_rebuilt_library_and_another_connection_tell_regions_from_keyframes(
    store: Store, library: str
) -> None:
    store.rebuild(library, IvfFlat(nlist=4))
    assert (store.count(library), store.count(library, EVERY_ROW)) == (FRAMES, len(ROWS))
    if not isinstance(store, MilvusStore):
        return
    with closing(MilvusStore(store.endpoint)) as other:
        assert other.library(library).has_regions
        assert other.count(library, fresh=False) == other.facets(library).count == FRAMES
        assert other.delete(library, Filter(ids=(make_entity(0).id,))) == 1
    assert store.count(library, EVERY_ROW) == len(ROWS) - 1 - REGIONS


def test_a_library_from_before_regions_takes_keyframes_alone_until_it_is_rebuilt(
    store: Store, identity: EncoderIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(store, MilvusStore):
        pytest.skip("has no fields")
    name = f"old_{secrets.token_hex(4)}"
    with monkeypatch.context() as before:
        lengths = {n: most for n, most in schema.VARCHAR_LENGTHS.items() if n not in _ADDED}
        before.setattr(schema, "VARCHAR_LENGTHS", lengths)
        before.setattr(schema, "_ARRAY_FIELDS", ("tags",))
        store.ensure_library(name, identity, index=Flat())
    store.upsert(name, ROWS, VECTORS)
    assert store.count(name) == store.count(name, EVERY_ROW) == FRAMES
    one = Filter(ids=(make_entity(3).id,))
    assert store.entities(name, one.with_regions()) == [make_entity(3)]
    assert store.delete(name, one) == 1

    store.rebuild(name, IvfFlat(nlist=4))  # into a collection of today's fields

    store.upsert(name, ROWS, VECTORS)
    assert (store.count(name), store.count(name, EVERY_ROW)) == (FRAMES, len(ROWS))
    store.drop_library(name)


_ADDED = ("kind", "frame_id", BOX_FIELD)


def made_rows(rng: np.random.Generator) -> list[MediaEntity]:
    """Return keyframes with none to eight regions each, in boxes of any place and size."""
    rows: list[MediaEntity] = []
    for number in range(60):
        rows.append(make_entity(number))
        for region in range(int(rng.integers(0, 9))):
            left, top = rng.uniform(0, 0.9, 2)
            right, bottom = rng.uniform((left, top), 1.0)
            box = (float(left), float(top), float(right), float(bottom))
            kind = KINDS[int(rng.integers(len(KINDS)))]
            rows.append(make_entity(number).region(kind, region, box))
    return rows


def made_scales(rng: np.random.Generator) -> Scales:
    """Return a scale for most kinds and sizes of region, some that change nothing."""
    return Scales(
        {
            (kind, size): Scale(float(rng.uniform(-0.2, 0.05)), float(rng.uniform(0.7, 1.1)))
            for kind in ("motion", "tile")
            for size in range(int(rng.integers(1, 5)))
        }
    )


FILTERS = (
    Filter(),
    Filter(cameras=("cam-1",)),
    Filter(tags=("odd",), after=datetime.fromtimestamp(20, UTC)),
    Filter(ids=tuple(make_entity(number).id for number in range(0, 60, 7))),
    Filter(cameras=("cam-0", "cam-2"), allowed_cameras=("cam-2",)),
    Filter(cameras=("nowhere",)),
)


def test_folded_search_finds_what_comparing_all_rows_finds(
    store: Store, identity: EncoderIdentity
) -> None:
    rng = np.random.default_rng(7)
    name = f"folded_{secrets.token_hex(4)}"
    rows = made_rows(rng)
    vectors = clip_like_vectors(len(rows), 16, seed=3)
    store.ensure_library(name, identity, index=Flat())
    store.upsert(name, rows, vectors)
    store.settle(name)
    library, selectivities = store.library(name), Selectivities(store)
    for _ in range(40):
        scales = made_scales(rng) if rng.random() < 0.7 else Scales()
        folding = Folding(store, lambda library, scales=scales: scales)  # type: ignore[misc]
        query = vectors[rng.integers(len(rows))] + rng.normal(size=16) * 0.2
        query = (query / np.linalg.norm(query)).astype(np.float32)
        where, k = FILTERS[int(rng.integers(len(FILTERS)))], int(rng.integers(1, 75))

        worth: dict[str, tuple[float, str]] = {}
        for row, score in zip(rows, (vectors @ query).tolist(), strict=True):
            if where.matches(row.keyframe):
                found = (scales.score(row, score), row.id)
                worth[row.keyframe_id] = max(found, worth.get(row.keyframe_id, found))
        expected = sorted(worth.values(), reverse=True)[:k]

        for turn in range(2):  # the second knows how many rows a keyframe took
            answer = folding.find(library, query, selectivities, k=k, where=where)
            assert [match.entity.id for match in answer.matches] == [id for _, id in expected], turn
            scores = [match.score for match in answer.matches]
            np.testing.assert_allclose(scores, [score for score, _ in expected], atol=1e-5)
    store.drop_library(name)


class Counting:
    """A store that counts how often it is searched."""

    def __init__(self, store: Store) -> None:
        self.searches: list[int] = []
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def search(self, name: str, vectors: Embeddings, *, k: int, **options: Any) -> Any:
        """Search, and remember for how many rows."""
        self.searches.append(k)
        return self._store.search(name, vectors, k=k, **options)


def test_a_library_without_regions_is_searched_once_and_its_scales_are_not_measured(
    store: Store, identity: EncoderIdentity
) -> None:
    name = f"plain_{secrets.token_hex(4)}"
    store.ensure_library(name, identity, index=Flat())
    store.upsert(name, [make_entity(number) for number in range(FRAMES)], VECTORS[:FRAMES])
    store.settle(name)
    counting = Counting(store)

    def unasked(library: LibraryInfo) -> Scales:
        raise AssertionError("there are no regions to measure")

    folding = Folding(cast(Store, counting), unasked)
    for k in (3, FRAMES, 50):
        found = folding.find(
            store.library(name), VECTORS[0], Selectivities(store), k=k, where=Filter()
        )
        assert len(found.matches) == min(k, FRAMES)
    assert counting.searches == [3, FRAMES, 50]
    store.drop_library(name)


def test_a_second_search_asks_once_for_pictures_and_once_for_regions(
    store: Store, library: str
) -> None:
    counting = Counting(store)
    folding = Folding(cast(Store, counting), lambda library: Scales())
    for _ in range(2):
        asked = len(counting.searches)
        folding.find(store.library(library), VECTORS[0], Selectivities(store), k=5, where=Filter())
    assert len(counting.searches) - asked == 2
