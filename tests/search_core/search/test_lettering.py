"""Searching by what was read: quoted words, words in sentences, and both orders made one."""

from __future__ import annotations

import pytest

from search_core.access.audit_log import AuditLog
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import Access
from search_core.errors import UsageError
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, stored_lines
from search_core.search.engine import Query, SearchEngine
from search_core.search.lettering import fused_order, split_quoted, written_words
from search_core.store.memory.store import MemoryStore
from tests.conftest import make_entity
from tests.search_core.search.test_engine import picture
from tests.support.colour_encoder import ColourEncoder

BOX = (0.1, 0.2, 0.5, 0.3)
#: By number: colour, and what was read; None where nobody has read yet.
PICTURES: list[tuple[str, list[str] | None]] = [
    ("red", ["FERN"]),
    ("green", ["FERN", "LTD"]),
    ("blue", ["F3RN"]),
    ("red", ["CAR PARK"]),
    ("yellow", ["CAR"]),
    ("red", []),
    ("blue", None),
    ("green", ["停车场"]),
    ("yellow", ["Green Bay"]),
]


@pytest.fixture
def store() -> MemoryStore:
    store, encoder = MemoryStore(), ColourEncoder()
    store.ensure_library("main", encoder.identity)
    entities = [
        make_entity(
            number,
            lettering=""
            if texts is None
            else stored_lines([Line(text, 0.9, BOX) for text in texts]),
        )
        for number, (_, texts) in enumerate(PICTURES)
    ]
    store.upsert("main", entities, encoder.encode_images([picture(c) for c, _ in PICTURES]))
    return store


@pytest.fixture
def engine(store: MemoryStore) -> SearchEngine:
    return SearchEngine(ColourEncoder(), store, "main")


def numbers(engine: SearchEngine, query: Query, **options: object) -> list[int]:
    hits = engine.answer(query, **options).hits  # type: ignore[arg-type]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    return [int(hit.entity.source_id.removeprefix("source")) for hit in hits]


@pytest.mark.parametrize("query", [Query(text='"FERN"'), Query(lettering=("FERN",))])
def test_quoted_words_find_what_they_were_read_on_exact_ones_first(
    engine: SearchEngine, query: Query
) -> None:
    answer = engine.answer(query)
    assert numbers(engine, query)[:2] == [0, 1]
    assert numbers(engine, query)[2:] == [2]
    assert {hit.found_by for hit in answer.hits} == {"read"}
    assert [line.text for line in answer.hits[0].lines] == ["FERN"]
    assert answer.hits[0].to_dict()["lettering"] == [
        {"text": "FERN", "confidence": 0.9, "box": list(BOX)}
    ]
    assert answer.unread == 1
    assert not answer.fits_nothing


def test_quoted_words_and_a_sentence_are_ranked_by_both(engine: SearchEngine) -> None:
    query = Query(text="something green “FERN”")
    assert numbers(engine, query)[:2] == [1, 0]
    assert engine.answer(query).hits[0].found_by == "seen and read"
    assert numbers(engine, Query(image=picture("red"), lettering=("fern",)))[:2] == [0, 1]


def test_words_combine_with_filters_and_cameras_that_may_be_seen(
    store: MemoryStore, engine: SearchEngine, tmp_path: object
) -> None:
    query = Query(text='"FERN"')
    assert numbers(engine, query, where=Filter(cameras=("cam-1",))) == [1]
    limited = SearchEngine(ColourEncoder(), store, "main", cameras=("cam-2",))
    assert numbers(limited, query) == [2]
    assert numbers(limited, Query(text="a van with FERN on it"))[0] != 0
    access = Access("viewer", "viewer", ("cam-2",))
    guarded = GuardedStore(store, access, AuditLog(tmp_path / "audit.sqlite"))  # type: ignore[operator]
    assert numbers(SearchEngine(ColourEncoder(), guarded, "main"), query) == [2]


def test_words_that_look_written_lift_what_they_were_read_on(engine: SearchEngine) -> None:
    answer = engine.answer(Query(text="something red with FERN on it"))
    assert [hit.entity.source_id for hit in answer.hits[:2]] == ["source0", "source1"]
    assert [hit.found_by for hit in answer.hits[:2]] == ["seen and read", "seen and read"]
    assert len(answer.hits) == len(PICTURES)
    assert numbers(engine, Query(text="红色 停车场"))[0] != 7  # not the whole of it
    assert numbers(engine, Query(text="停车场"))[0] == 7


def test_what_was_found_by_a_region_and_read_is_one_hit(
    store: MemoryStore, engine: SearchEngine
) -> None:
    lettered = make_entity(1, lettering=stored_lines([Line("FERN", 0.9, BOX)]))
    region = lettered.region("tile", 0, (0.5, 0.5, 1.0, 1.0))
    store.upsert("main", [region], ColourEncoder().encode_images([picture("red")]))
    for text in ("something red with FERN on it", '"FERN" something red'):
        found = numbers(engine, Query(text=text))
        assert 1 in found and len(found) == len(set(found))
    [hit] = [h for h in engine.answer(Query(text="red FERN")).hits if h.entity.id == lettered.id]
    assert hit.box == (0.5, 0.5, 1.0, 1.0) and hit.lines and not hit.entity.is_region


def test_a_sentence_is_read_only_where_nothing_else_stands_there(engine: SearchEngine) -> None:
    assert numbers(engine, Query(text="a car"))[0] == 4
    lines = {h.entity.source_id: h.lines for h in engine.answer(Query(text="a car")).hits}
    assert lines["source3"] == ()
    plain = engine.answer(Query(text="something green")).hits
    assert not any(hit.lines for hit in plain)


def test_what_was_not_read_is_found_by_nothing(engine: SearchEngine) -> None:
    assert numbers(engine, Query(text='"nothing like it"')) == []
    with pytest.raises(UsageError, match="nothing to search for"):
        Query(lettering=())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a lorry "JCN"', ("a lorry", ("JCN",))),
        ("“JCN” „Q 12“ lorry", ("lorry", ("JCN", "Q 12"))),
        ("白色的车「停车场」", ("白色的车", ("停车场",))),
        ('"JCN', ('"JCN', ())),
        ('a 5" pipe', ('a 5" pipe', ())),
        ('""', ('""', ())),
        ('" % "', ('" % "', ())),
    ],
)
def test_what_stands_in_quotation_marks_is_taken_out(
    text: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    assert split_quoted(text) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a lorry lettered JCN", ("JCN",)),
        ("一个印有JCN的卡车", ("JCN",)),
        ("plate PG-34 or 07153", ("PG-34", "07153")),
        ("A red car", ()),
        ("3 people and 12 dogs", ()),
        ("A RED CAR", ()),
        ("FERN", ("FERN",)),
        ("一个印有 JCN 的卡车", ("JCN",)),
    ],
)
def test_capitals_and_digits_look_written(sentence: str, expected: tuple[str, ...]) -> None:
    assert written_words(sentence, ()) == expected


def test_words_unknown_to_the_encoder_may_be_written() -> None:
    assert written_words("a fern van", ("fern",)) == ("fern",)


def test_ranks_are_fused_by_their_reciprocals() -> None:
    assert fused_order(["a", "b", "c", "d"], {}) == [0, 1, 2, 3]
    assert fused_order(["a", "b", "c", "d"], {"d": 1, "c": 2}) == [3, 2, 0, 1]
    assert fused_order(["a", "b"], {"b": 1}) == [1, 0]
