from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_core.encoders.base import EncoderIdentity
from search_core.errors import EncoderMismatch, EntityNotFound, IndexParameterError, UsageError
from search_core.indexes import Hnsw, SearchParams
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.search.query_log import QueryLog
from search_core.store.memory.store import MemoryStore
from tests.conftest import make_entity
from tests.support.colour_encoder import COLOURS, ColourEncoder

NAMES = list(COLOURS)


def picture(*names: str) -> Image.Image:
    """Return a picture of vertical stripes of these colours."""
    canvas = Image.new("RGB", (20 * len(names), 20))
    for place, name in enumerate(names):
        canvas.paste(COLOURS[name], (20 * place, 0, 20 * place + 20, 20))
    return canvas


@pytest.fixture
def store() -> MemoryStore:
    """A library with one picture of each colour, and one red and blue."""
    store, encoder = MemoryStore(), ColourEncoder()
    store.ensure_library("main", encoder.identity)
    pictures = [picture(name) for name in NAMES] + [picture("red", "blue")]
    entities = [make_entity(i) for i in range(len(pictures))]
    store.upsert("main", entities, encoder.encode_images(pictures))
    return store


@pytest.fixture
def engine(store: MemoryStore) -> SearchEngine:
    return SearchEngine(ColourEncoder(), store, "main")


def number(name: str) -> str:
    return make_entity(NAMES.index(name)).id


def test_a_sentence_finds_its_picture(engine: SearchEngine) -> None:
    hits = engine.answer(Query(text="something green"), k=3).hits
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].entity.id == number("green")
    assert hits[0].score > hits[1].score


def test_a_picture_finds_itself(engine: SearchEngine) -> None:
    assert engine.answer(Query(image=picture("yellow")), k=1).hits[0].entity.id == number("yellow")


def test_text_and_picture_mix_by_weight(engine: SearchEngine) -> None:
    mixed = Query(text="red", image=picture("blue"))
    assert engine.answer(mixed, k=1).hits[0].entity.id == make_entity(len(NAMES)).id
    for weight, name in ((1.0, "red"), (0.0, "blue")):
        query = Query(text="red", image=picture("blue"), text_weight=weight)
        assert engine.answer(query, k=1).hits[0].entity.id == number(name)


def test_more_like_this_leaves_out_the_entity_itself(engine: SearchEngine) -> None:
    hits = engine.answer(Query(like=(number("red"),)), k=3).hits
    assert number("red") not in [hit.entity.id for hit in hits]
    assert hits[0].entity.id == make_entity(len(NAMES)).id
    assert len(hits) == 3
    assert (
        len(engine.answer(Query(like=(number("red"),)), k=3, params=SearchParams(ef=3)).hits) == 3
    )


def test_filters_and_the_least_score_hold(engine: SearchEngine) -> None:
    where = Filter(cameras=("cam-1",))
    assert {h.entity.camera for h in engine.answer(Query(text="red"), where=where).hits} == {
        "cam-1"
    }
    hits = engine.answer(Query(text="red"), min_score=0.5).hits
    assert {hit.entity.id for hit in hits} == {number("red"), make_entity(len(NAMES)).id}


def test_a_query_needs_something(engine: SearchEngine) -> None:
    with pytest.raises(UsageError, match="nothing to search for"):
        Query(text="  ")
    with pytest.raises(UsageError, match="from 0 to 1"):
        Query(text="red", text_weight=1.5)


def test_an_unknown_id_is_named(engine: SearchEngine) -> None:
    with pytest.raises(EntityNotFound, match="nobody"):
        engine.answer(Query(like=("nobody",)))


def test_another_encoders_library_is_refused(store: MemoryStore) -> None:
    store.ensure_library("other", EncoderIdentity("ViT-B-32", "x", "f" * 32, 512, "fp32"))
    with pytest.raises(EncoderMismatch) as refused:
        SearchEngine(ColourEncoder(), store, "other")
    assert "ViT-B-32" in str(refused.value)
    assert "colours" in str(refused.value)


def test_a_hit_as_json_has_the_promised_fields(engine: SearchEngine) -> None:
    record = engine.answer(Query(text="red"), k=1).hits[0].to_dict()
    promised = {"rank", "id", "score", "camera", "captured_at", "uri", "pts_ms", "thumbnail"}
    assert promised <= set(record)
    assert record["captured_at"] == "1970-01-01T00:00:03.000Z"


def test_an_answer_says_what_was_done_about_the_filter(store: MemoryStore) -> None:
    store.rebuild("main", Hnsw(), in_place=True)
    engine = SearchEngine(ColourEncoder(), store, "main")
    one = Filter(ids=(number("red"),))
    answer = engine.answer(Query(text="red"), where=one)
    assert [hit.entity.id for hit in answer.hits] == [number("red")]
    assert answer.effort.strategy == "exact"
    assert answer.effort.reason.startswith("1 picture passes the filter")
    assert engine.answer(Query(text="red")).effort.reason == ""
    asked = engine.answer(Query(text="red"), k=5, where=one, params=SearchParams(ef=7))
    assert asked.effort.reason == "Searched with ef 7, as asked for."


def test_parameters_that_cannot_be_are_refused_under_a_filter_too(store: MemoryStore) -> None:
    store.rebuild("main", Hnsw(), in_place=True)
    engine = SearchEngine(ColourEncoder(), store, "main")
    one = Filter(ids=(number("red"),))
    with pytest.raises(IndexParameterError, match="ef 2"):
        engine.answer(Query(text="red"), k=5, where=one, params=SearchParams(ef=2))
    with pytest.raises(UsageError, match="k must be"):
        engine.answer(Query(text="red"), k=0, where=one)


def test_searches_are_recorded_as_they_were_asked(store: MemoryStore, tmp_path: Path) -> None:
    log, encoder = QueryLog(tmp_path / "searches.sqlite"), ColourEncoder()
    engine = SearchEngine(encoder, store, "main", log=log)
    where = Filter(cameras=("cam-1",))
    engine.answer(Query(text="red"), k=3, where=where)
    engine.answer(Query(like=(number("green"),)), k=4)
    engine.answer(Query(text="red", image=picture("blue")), k=5)
    with pytest.raises(EntityNotFound):
        engine.answer(Query(like=("nobody",)))
    mixed, like, text = log.recent("main", encoder.identity, 10)
    assert [(q.kind, q.text, q.k) for q in (text, like, mixed)] == [
        ("text", "red", 3),
        ("image", "", 4),
        ("image", "red", 5),
    ]
    assert (text.where, like.where) == (where, Filter())
    np.testing.assert_allclose(
        like.embedding, engine.embed(Query(like=(number("green"),))), atol=1e-3
    )


def test_what_is_to_be_left_out_ranks_behind(engine: SearchEngine) -> None:
    mixed = make_entity(len(NAMES)).id  # red and blue
    query = Query(image=picture("red", "blue"))
    assert engine.answer(query, k=1).hits[0].entity.id == mixed
    without = Query(image=picture("red", "blue"), without=("blue", " "), without_weight=1.0)
    hits = engine.answer(without, k=len(NAMES) + 1).hits
    assert hits[0].entity.id == number("red")
    assert number("blue") not in {hit.entity.id for hit in hits[:2]}
    none = Query(image=picture("red", "blue"), without=("blue",), without_weight=0.0)
    assert engine.answer(none, k=1).hits[0].entity.id == mixed


def test_more_like_several_averages_them_and_returns_none_of_them(engine: SearchEngine) -> None:
    found = [
        hit.entity.id for hit in engine.answer(Query(like=(number("red"), number("blue")))).hits
    ]
    assert found[0] == make_entity(len(NAMES)).id  # red and blue
    assert not {number("red"), number("blue")} & set(found)
    with pytest.raises(EntityNotFound, match="nobody"):
        engine.answer(Query(like=(number("red"), "nobody")))


def test_less_like_a_picture_ranks_what_is_like_it_lower(engine: SearchEngine) -> None:
    both = picture("red", "blue")
    less = Query(image=both, less_like=(number("blue"),), without_weight=1.0)
    found = [hit.entity.id for hit in engine.answer(less, k=len(NAMES) + 1).hits]
    assert number("red") in found[:2]
    assert number("blue") in found[2:]
    none = Query(image=both, less_like=(number("blue"),), without_weight=0.0)
    assert number("blue") in [hit.entity.id for hit in engine.answer(none, k=3).hits]
    assert engine.answer(none, k=1).hits[0].entity.id == make_entity(len(NAMES)).id


def test_what_looks_like_a_picture_is_left_out(engine: SearchEngine) -> None:
    query = Query(text="red", not_like=(number("blue"),))
    found = [hit.entity.id for hit in engine.answer(query, k=len(NAMES) + 1).hits]
    assert found[0] == number("red")
    assert number("blue") not in found
    with pytest.raises(UsageError, match="nothing to search for"):
        Query(not_like=(number("blue"),))
    with pytest.raises(EntityNotFound):
        engine.answer(Query(text="red", not_like=("nobody",)))


def test_leaving_out_what_is_looked_for_changes_nothing(engine: SearchEngine) -> None:
    embedding = engine.embed(Query(text="red", without=("red",), without_weight=1.0))
    assert np.allclose(embedding, engine.embed(Query(text="red")), atol=1e-6)


def test_a_weight_beyond_one_is_refused() -> None:
    with pytest.raises(UsageError, match="left out"):
        Query(text="red", without=("blue",), without_weight=1.5)
