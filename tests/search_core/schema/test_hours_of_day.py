from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.encoders.base import EncoderIdentity
from search_core.errors import FilterError
from search_core.schema.entity import ms_from_datetime
from search_core.schema.filters import Filter, Hours
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import make_entity

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
SPRING = datetime(2026, 3, 29, tzinfo=UTC)  # 02:00 becomes 03:00 in Berlin
AUTUMN = datetime(2026, 10, 25, tzinfo=UTC)  # 03:00 becomes 02:00
MINUTES = st.integers(0, 1439)


@given(
    start=MINUTES,
    end=MINUTES,
    zone=st.sampled_from(ZONES),
    around=st.sampled_from((SPRING, AUTUMN, datetime(2026, 7, 1, tzinfo=UTC))),
    minutes=st.lists(st.integers(-3 * 1440, 3 * 1440), min_size=1, max_size=20),
)
def test_spans_are_when_the_wall_clock_shows_these_hours(
    start: int, end: int, zone: str, around: datetime, minutes: list[int]
) -> None:
    if start == end:
        return
    hours = Hours(start, end, zone)
    first, last = around - timedelta(days=3), around + timedelta(days=3)
    spans = hours.spans(ms_from_datetime(first), ms_from_datetime(last))
    assert spans == sorted(spans)
    for minute in minutes:
        moment = around + timedelta(minutes=minute)
        epoch_ms = ms_from_datetime(moment)
        clock = moment.astimezone(ZoneInfo(zone))
        shown = clock.hour * 60 + clock.minute
        wanted = start <= shown < end if start < end else shown >= start or shown < end
        inside = any(begins <= epoch_ms < ends for begins, ends in spans)
        assert hours.hold(epoch_ms) == wanted
        assert inside == (wanted and first <= moment < last)


def test_an_hour_that_comes_twice_counts_twice_and_one_that_is_skipped_not_at_all() -> None:
    night = Hours(2 * 60, 3 * 60, "Europe/Berlin")

    def length_h(day: datetime) -> float:
        start = ms_from_datetime(day - timedelta(hours=12))
        spans = night.spans(start, start + 86_400_000)
        return sum(ends - begins for begins, ends in spans) / 3_600_000

    assert length_h(SPRING) == 0
    assert length_h(AUTUMN) == 2
    assert length_h(SPRING + timedelta(days=7)) == 1


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    store = MilvusStore(Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db")))
    store.ensure_library("main", EncoderIdentity("e", "", "0" * 32, 4, "fp32"))
    yield store
    store.close()


def test_milvus_filters_by_hours_of_the_day(store: MilvusStore) -> None:
    first = datetime(2026, 3, 20, tzinfo=UTC)
    entities = [
        make_entity(number, captured_at=ms_from_datetime(first) + number * 47 * 60_000)
        for number in range(400)
    ]
    store.upsert("main", entities, np.tile(np.eye(4, dtype=np.float32), (100, 1)))
    for hours in (Hours(480, 600, "Europe/Berlin"), Hours(1320, 300, "Europe/Berlin")):
        where = Filter(after=first, before=first + timedelta(days=12), hours=hours)
        found = {entity.id for entity in store.entities("main", where, limit=1000)}
        assert found == {entity.id for entity in entities if where.matches(entity)}
        assert 0 < len(found) < 300


def test_hours_without_a_time_around_them_are_refused() -> None:
    with pytest.raises(FilterError, match="within a time"):
        Filter(hours=Hours(0, 60)).expression()
    with pytest.raises(FilterError, match="days at most"):
        Filter(after=datetime(1990, 1, 1), before=SPRING, hours=Hours(0, 60)).expression()


@pytest.mark.parametrize("bad", [(-1, 5, "UTC"), (0, 1441, "UTC"), (5, 5, "UTC"), (1, 2, "Mars/A")])
def test_hours_that_are_none_are_refused(bad: tuple[int, int, str]) -> None:
    with pytest.raises(FilterError):
        Hours(*bad)
