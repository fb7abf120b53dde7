"""What holds of every sentence that is read, and days on which clocks change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_core.schema.filters import Filter, Hours
from search_core.search.query_text.reader import Reading, read_sentence
from tests.search_core.search.query_text.test_phrases import CAMERAS, NOW, PHRASES, ZONE

#: Words of all phrases, so that sentences are made which nearly say something.
WORDS = sorted(
    {word for phrase in PHRASES for word in phrase[0].split()} | {"and", "not", ",", "“"}
)
SENTENCES = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from([phrase[0] for phrase in PHRASES]), max_size=3).map(" ".join),
    st.lists(st.sampled_from([phrase[0] for phrase in PHRASES]), max_size=3).map("".join),
)


def read(sentence: str, *, literal: Sequence[str] = ()) -> Reading:
    return read_sentence(sentence, NOW, ZONE, CAMERAS, literal=literal)


def letters(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w", text))


@given(SENTENCES)
def test_what_is_left_and_what_is_taken_are_the_whole_sentence(sentence: str) -> None:
    reading = read(sentence)
    taken = letters("".join(part.words for part in reading.parts))
    assert letters(reading.rest) + taken == letters(sentence)


@given(SENTENCES)
@example("上周%1 OCTOBER 上午 0")  # words that clash, and others between them that do not
def test_nothing_more_is_read_in_what_is_left(sentence: str) -> None:
    reading = read(sentence)
    again = read(reading.rest)
    assert (again.rest, again.parts) == (reading.rest, ())


@given(SENTENCES)
def test_every_part_says_something_and_all_can_hold(sentence: str) -> None:
    reading = read(sentence)
    assert all(part.words and part.meaning and not part.where.is_empty for part in reading.parts)
    where = reading.where
    assert where.after is None or where.before is None or where.after < where.before
    where.expression()


@given(SENTENCES)
def test_words_put_back_are_left_as_they_are(sentence: str) -> None:
    reading = read(sentence)
    for part in reading.parts:
        words = [other.words for other in read(sentence, literal=[part.words]).parts]
        assert part.words not in words
    assert not read(sentence, literal=[sentence]).parts


def test_cameras_are_asked_for_only_where_a_sentence_can_name_one() -> None:
    asked = []

    def cameras() -> Sequence[str]:
        asked.append(1)
        return CAMERAS

    read_sentence("a white car yesterday afternoon", NOW, ZONE, cameras)
    assert not asked
    assert read_sentence("a white car at the gate", NOW, ZONE, cameras).where.cameras == ("gate",)
    assert asked


def test_a_camera_that_is_not_named_to_the_reader_is_no_camera() -> None:
    assert read_sentence("a car at the gate", NOW, ZONE, ["yard"]).rest == "a car at the gate"


def test_two_cameras_are_any_of_them_and_times_are_all_of_them() -> None:
    where = read("in the morning a car at the gate, at the car park, yesterday").where
    assert where == Filter(
        cameras=("gate", "car-park"),
        after=datetime(2026, 11, 29, tzinfo=ZONE),
        before=datetime(2026, 11, 30, tzinfo=ZONE),
        hours=Hours(300, 720, "Europe/Berlin"),
    )


@pytest.mark.parametrize("sentence", ["a car yesterday, a dog today", "at 3 pm a car, at 5 pm"])
def test_times_that_cannot_all_be_meant_stay_words(sentence: str) -> None:
    assert read(sentence) == Reading(sentence, sentence)


def test_hours_stay_words_beside_a_filter_that_has_some() -> None:
    beside = Filter(hours=Hours(0, 60))
    sentence = "a car in the morning, yesterday"
    reading = read_sentence(sentence, NOW, ZONE, CAMERAS, beside=beside)
    assert reading.rest == "a car in the morning"
    assert beside.narrowed(reading.where).hours == Hours(0, 60)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 30, 12, tzinfo=ZONE), 23),  # the day before, clocks went forward
        (datetime(2026, 10, 26, 12, tzinfo=ZONE), 25),
        (datetime(2026, 11, 30, 12, tzinfo=ZONE), 24),
    ],
)
def test_a_day_is_as_long_as_its_clock_makes_it(now: datetime, hours: int) -> None:
    where = read_sentence("a car yesterday", now, ZONE).where
    assert where.after is not None and where.before is not None
    assert where.before.astimezone(UTC) - where.after.astimezone(UTC) == timedelta(hours=hours)


def test_a_length_of_time_is_as_long_whatever_clocks_do() -> None:
    now = datetime(2026, 10, 25, 4, tzinfo=ZONE)
    where = read_sentence("a car in the last 4 hours", now, ZONE).where
    assert where.after == now.astimezone(UTC) - timedelta(hours=4)
    assert where.after is not None and where.after.hour == 1  # 4 hours ago it was summer, at 1


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        (ZoneInfo("Asia/Shanghai"), Hours(870, 930, "Asia/Shanghai")),
        (timezone(timedelta(hours=5, minutes=30)), Hours(540, 600, "UTC")),
        (UTC, Hours(870, 930, "UTC")),
    ],
)
def test_hours_are_those_of_who_asks(zone: tzinfo, hours: Hours) -> None:
    assert read_sentence("a car around 3 pm", NOW, zone).where == Filter(hours=hours)


def test_today_is_the_day_of_who_asks() -> None:
    late = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
    where = read_sentence("今天的车", late, ZoneInfo("Asia/Shanghai")).where
    assert where.after == datetime(2026, 12, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
