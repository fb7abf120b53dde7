"""What sentences are read as: a table of phrases, in phrases.tsv, with what each means."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from search_core.search.query_text.reader import read_sentence

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 30, 14, 0, tzinfo=ZONE)
CAMERAS = ("gate", "car-park", "cam-3", "street", "7", "North Entrance", "大门口", "停车场")
_LINES = Path(__file__).with_name("phrases.tsv").read_text(encoding="utf-8").splitlines()
PHRASES = [
    tuple(part.strip() for part in line.split("|"))
    for line in _LINES
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("sentence", "rest", "meaning"), PHRASES)
def test_a_phrase_means_what_the_table_says(sentence: str, rest: str, meaning: str) -> None:
    reading = read_sentence(sentence, NOW, ZONE, CAMERAS)

    assert (reading.rest, "; ".join(str(part.meaning) for part in reading.parts)) == (rest, meaning)


def test_the_table_is_long_enough_to_tell() -> None:
    assert len(PHRASES) >= 200
    assert sum(not meaning for _, _, meaning in PHRASES) >= 60
