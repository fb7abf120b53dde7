from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from search_core.encoders.base import EncoderIdentity
from search_core.errors import FilterError
from search_core.schema.entity import MINUTE_FIELD, ms_from_datetime
from search_core.schema.filters import Filter, Hours
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import find
from search_core.store.endpoint import Endpoint
from search_core.store.milvus import schema
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


def captured(number: int) -> int:
    """When row ``number`` was captured: every 37 minutes around a change of clocks of some year."""
    changes = [
        datetime(year, month, day, tzinfo=UTC)
        for year in (1905, 1971, 1996, 2011, 2025, 2026, 2038)
        for month, day in ((3, 28), (4, 3), (10, 24), (11, 1))
    ]
    around = changes[number % len(changes)]
    minutes = number // len(changes) * 37
    return ms_from_datetime(around - timedelta(days=1) + timedelta(minutes=minutes))


ENTITIES = [make_entity(number, captured_at=captured(number)) for number in range(2800)]
OLD_FIELDS = tuple(name for name in schema._INT64_FIELDS if name != MINUTE_FIELD)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    """A store of two libraries of the same rows; those of "old" hold no minute of the day."""
    store = MilvusStore(Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db")))
    encoder = EncoderIdentity("e", "", "0" * 32, 4, "fp32")
    with pytest.MonkeyPatch.context() as before:
        before.setattr(schema, "_INT64_FIELDS", OLD_FIELDS)
        store.ensure_library("old", encoder)
    for library in ("main", "old"):
        store.ensure_library(library, encoder)
        store.upsert(library, ENTITIES, np.tile(np.eye(4, dtype=np.float32), (700, 1)))
        store.settle(library)
    assert MINUTE_FIELD in store.library("main").fields
    assert MINUTE_FIELD not in store.library("old").fields
    yield store
    store.close()


def shown(epoch_ms: int, zone: str) -> int:
    """The minute of the day that a clock on the wall shows."""
    clock = datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return clock.hour * 60 + clock.minute


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=MINUTES,
    end=st.integers(1, 1440),
    zone=st.sampled_from((*ZONES, "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia")),
    bounds=st.none() | st.tuples(st.integers(0, 2799), st.integers(0, 1000 * 1440)),
)
def test_hours_find_what_the_wall_clock_shows_with_minutes_stored_and_without(
    store: MilvusStore, start: int, end: int, zone: str, bounds: tuple[int, int] | None
) -> None:
    assume(start != end % 1440)
    hours = Hours(start, end, zone)
    where = Filter(hours=hours)
    if bounds is not None:
        after = datetime.fromtimestamp(captured(bounds[0]) / 1000, UTC)
        where = replace(where, after=after, before=after + timedelta(minutes=bounds[1]))
    expected = set()
    for entity in ENTITIES:
        moment = datetime.fromtimestamp(entity.captured_at / 1000, UTC)
        inside = bounds is None or after <= moment < after + timedelta(minutes=bounds[1])
        minute = shown(entity.captured_at, zone)
        in_hours = start <= minute < end if start < end else minute >= start or minute < end
        if inside and in_hours and entity.captured_at > 0:  # before 1970 clocks had odd seconds
            expected.add(entity.id)
    for library in ("main", "old") if bounds is not None else ("main",):
        found = {entity.id: entity for entity in store.entities(library, where, limit=5000)}
        assert found.keys() == {entity.id for entity in ENTITIES if where.matches(entity)}
        assert {key for key, entity in found.items() if entity.captured_at > 0} == expected


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=MINUTES,
    length=st.integers(1, 1439),
    zone=st.sampled_from((*ZONES, "Africa/Casablanca", "Atlantic/Azores", "Pacific/Apia")),
    k=st.integers(1, 800),
    since=st.none() | st.integers(1990, 2020),
)
def test_a_search_under_hours_finds_the_nearest_of_all_that_pass(
    store: MilvusStore, start: int, length: int, zone: str, k: int, since: int | None
) -> None:
    after = None if since is None else datetime(since, 1, 1, tzinfo=UTC)
    where = Filter(after=after, hours=Hours(start, (start + length) % 1440, zone))
    info = store.library("main")
    vector = np.array([1, 0, 0, 0], np.float32)

    found = find(store, info, vector, Selectivities(store), k=k, where=where).matches

    passing = [number for number, entity in enumerate(ENTITIES) if where.matches(entity)]
    nearest = sorted((number % 4 == 0 for number in passing), reverse=True)[:k]
    assert all(where.matches(match.entity) for match in found)
    assert len({match.entity.id for match in found}) == len(found)
    assert [match.score > 0.5 for match in found] == nearest


@given(
    start=MINUTES,
    length=st.integers(1, 1439),
    zone=st.sampled_from((*ZONES, "Africa/Casablanca", "Atlantic/Azores", "Pacific/Apia")),
)
def test_loosened_hours_let_everything_through_that_passes(
    start: int, length: int, zone: str
) -> None:
    where = Filter(hours=Hours(start, (start + length) % 1440, zone))
    loose = where.loosened()
    assert all(loose.matches(entity) for entity in ENTITIES if where.matches(entity))
    assert (
        loose.expression().count("captured_at")
        < 20
        < 1 + Filter(hours=Hours(0, 60, "Europe/Berlin")).expression().count("captured_at")
    )
    assert where.loosened(OLD_FIELDS) == where


def test_building_the_same_index_again_gives_an_old_library_its_minutes(
    store: MilvusStore,
) -> None:
    info = store.library("old")
    where = Filter(hours=Hours(1320, 300, "Europe/Berlin"))
    with pytest.raises(FilterError, match="within a time"):
        store.count("old", where)

    store.rebuild("old", info.index, info.search)

    assert MINUTE_FIELD in store.library("old").fields
    assert store.count("old", where) == store.count("main", where) > 0
    assert store.count("old") == len(ENTITIES)


def test_a_corrected_time_is_found_at_its_new_hour(store: MilvusStore) -> None:
    morning = Filter(ids=(ENTITIES[0].id,), hours=Hours(8 * 60, 9 * 60))
    for hour, count in ((8, 1), (9, 0)):
        moment = datetime(2026, 7, 1, hour, 30, tzinfo=UTC)
        corrected = replace(ENTITIES[0], captured_at=ms_from_datetime(moment))
        store.upsert("main", [corrected], np.eye(4, dtype=np.float32)[:1])
        assert store.count("main", morning) == count
    store.upsert("main", ENTITIES[:1], np.eye(4, dtype=np.float32)[:1])


def test_where_no_minutes_are_stored_hours_need_a_time_of_three_years_at_most() -> None:
    with pytest.raises(FilterError, match="within a time"):
        Filter(hours=Hours(0, 60)).expression(OLD_FIELDS)
    with pytest.raises(FilterError, match="days at most"):
        Filter(after=datetime(1990, 1, 1), before=SPRING, hours=Hours(0, 60)).expression(OLD_FIELDS)


def test_times_are_compared_only_where_clocks_change() -> None:
    def compared(zone: str) -> int:
        decade = Filter(after=datetime(2016, 1, 1), before=datetime(2026, 1, 1))
        return replace(decade, hours=Hours(0, 60, zone)).expression().count("captured_at")

    assert compared("UTC") == compared("Asia/Kolkata") == 2
    assert compared("Europe/Berlin") <= 2 + 2 * (2 * 10 + 1)


@pytest.mark.parametrize("bad", [(-1, 5, "UTC"), (0, 1441, "UTC"), (5, 5, "UTC"), (1, 2, "Mars/A")])
def test_hours_that_are_none_are_refused(bad: tuple[int, int, str]) -> None:
    with pytest.raises(FilterError):
        Hours(*bad)
