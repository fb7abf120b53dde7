"""Lines as rows hold them, and words that match them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.schema.filters import wording_expression
from search_core.schema.lettering import (
    LETTERING_MAX_LENGTH,
    Line,
    Wording,
    lines_of,
    searched_text,
    stored_lines,
)
from tests.conftest import make_entity
from tests.support.hostile import TEXT
from tests.support.milvus_replay.rows import passing

BOX = (0.1, 0.2, 0.5, 0.3)


def stored(*texts: str) -> str:
    return stored_lines([Line(text, 0.9, BOX) for text in texts])


@pytest.mark.parametrize(
    ("words", "tier"),
    [
        ("FERN", 0),
        ("fern", 1),
        ("Fresh Flowers", 0),
        ("fresh flowers", 1),
        ("freshflowers", 1),
        ("flower", 2),
        ("FL0WERS", 3),
        ("FEBN", 4),
        ("FERNS", 4),
        ("FERM Flowers", 4),
        ("停车场", 0),
        ("车场", 2),
        ("OAK", None),
        ("场车", None),
    ],
)
def test_readings_are_ranked_exact_then_folded_then_alike_then_fuzzy(
    words: str, tier: int | None
) -> None:
    reading = Wording((words,)).reading(stored("FERN", "Fresh Flowers", "停车场"))
    assert (reading.tier if reading else None) == tier


def test_a_reading_has_the_lines_that_match_and_no_overlay() -> None:
    clock = Line("GATE 2026-03-02 10:40:06", 0.99, (0, 0, 1, 0.1), is_overlay=True)
    gate = Line("GATE 4", 0.8, BOX)
    reading = Wording(("gate",)).reading(stored_lines([clock, gate, Line("EXIT", 1.0, BOX)]))
    assert reading is not None
    assert reading.lines == (gate,)
    assert Wording(("10:40:06",)).reading(stored_lines([clock])) is None


@given(st.lists(st.text(max_size=60), max_size=30), st.booleans())
def test_lines_are_kept_as_they_are_up_to_the_length_of_the_field(
    texts: list[str], is_overlay: bool
) -> None:
    lines = [Line(text, 0.5, BOX, is_overlay) for text in texts]
    kept = stored_lines(lines)
    assert len(kept.encode()) <= LETTERING_MAX_LENGTH
    assert len(searched_text(kept).encode()) <= LETTERING_MAX_LENGTH
    assert lines_of(kept) == tuple(
        Line(line.text.encode("utf-8", "replace").decode(), 0.5, BOX, is_overlay) for line in lines
    )


def test_what_does_not_fit_is_left_out() -> None:
    kept = stored(*(f"{number} {'ß' * 400}" for number in range(60)))
    assert len(kept.encode()) <= LETTERING_MAX_LENGTH
    assert 10 < len(lines_of(kept)) < 60
    assert len(searched_text(kept).encode()) <= LETTERING_MAX_LENGTH


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=50), st.sampled_from(TEXT)),
    st.lists(st.text(max_size=30), max_size=5),
    st.booleans(),
)
def test_whatever_is_typed_is_escaped_and_means_the_same_in_milvus_and_here(
    words: str, texts: list[str], fuzzy: bool
) -> None:
    wording = Wording((words,))
    expression = wording_expression(wording, fuzzy=fuzzy)
    literals = re.findall(r'like "([^"]*)"', expression)
    assert "\\" not in expression
    for pattern in literals:
        word = pattern.strip("% ")
        assert all(c.isalnum() or c in "_ " for c in word)
    rest = re.sub(r'lettering_text like "[^"]*"', "x", expression)
    assert rest == 'id == ""' or set(rest) <= set("(x) andor")
    entities = [make_entity(0, lettering=stored(*texts)), make_entity(1, lettering=stored(words))]
    rows = [{"id": e.id, "lettering_text": e.lettering_text} for e in entities]
    by_milvus = {row["id"] for row in passing(rows, expression)}
    here = {e.id for e in entities if wording.matches(e.lettering_text, fuzzy=fuzzy)}
    assert by_milvus == here
    read = {e.id for e in entities if wording.reading(e.lettering) is not None}
    assert here <= read or fuzzy is False
    if not wording.is_empty and stored(words) != "[]":  # what is too long is not stored
        assert make_entity(1).id in here
