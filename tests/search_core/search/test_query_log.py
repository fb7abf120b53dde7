from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.encoders.base import EncoderIdentity
from search_core.schema.filters import Filter
from search_core.search import query_log
from search_core.search.query_log import QueryLog, RecordedQuery
from tests.conftest import clip_like_vectors

VECTORS = clip_like_vectors(30, 16)


def asked(number: int, text: str = "", where: Filter | None = None) -> RecordedQuery:
    return RecordedQuery("text", text or f"no {number}", VECTORS[number], where or Filter(), 10)


@pytest.fixture
def log(tmp_path: Path) -> QueryLog:
    return QueryLog(tmp_path / "data" / "searches.sqlite")


def texts(log: QueryLog, identity: EncoderIdentity, limit: int = 100) -> list[str]:
    return [query.text for query in log.recent("main", identity, limit)]


def test_what_was_recorded_comes_back_newest_first(
    log: QueryLog, identity: EncoderIdentity
) -> None:
    for number in range(5):
        log.record("main", identity, asked(number))
    found = log.recent("main", identity, 3)
    assert [query.text for query in found] == ["no 4", "no 3", "no 2"]
    assert found[0].embedding.dtype == np.float32
    np.testing.assert_allclose(found[0].embedding, VECTORS[4], atol=1e-3)
    assert np.linalg.norm(found[0].embedding) == pytest.approx(1.0)
    assert (found[0].kind, found[0].k, found[0].where) == ("text", 10, Filter())


def test_a_search_until_after_the_last_year_of_calendars_is_left_out(
    log: QueryLog, identity: EncoderIdentity
) -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14)))
    log.record("main", identity, asked(1, where=Filter(before=end)))
    log.record("main", identity, asked(2))
    assert texts(log, identity) == ["no 2"]


def test_libraries_and_encoders_are_kept_apart(log: QueryLog, identity: EncoderIdentity) -> None:
    other = EncoderIdentity("other", "", "f" * 32, 16, "fp32")
    log.record("main", identity, asked(1))
    log.record("second", identity, asked(2))
    log.record("main", other, asked(3))
    assert texts(log, identity) == ["no 1"]
    assert [query.text for query in log.recent("second", identity, 9)] == ["no 2"]


def test_only_the_last_are_kept(
    log: QueryLog, identity: EncoderIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_log, "KEPT", 4)
    for number in range(9):
        log.record("main", identity, asked(number))
    assert texts(log, identity) == ["no 8", "no 7", "no 6", "no 5"]


def test_clear_forgets_all(log: QueryLog, identity: EncoderIdentity) -> None:
    assert log.clear() == 0
    log.record("main", identity, asked(1))
    assert log.clear() == 1
    assert texts(log, identity) == []
    log.record("main", identity, asked(2))
    assert texts(log, identity) == ["no 2"]


def test_several_processes_may_write(log: QueryLog, identity: EncoderIdentity) -> None:
    other = QueryLog(log.path)
    log.record("main", identity, asked(1))
    other.record("main", identity, asked(2))
    log.record("main", identity, asked(3))
    assert texts(other, identity) == ["no 3", "no 2", "no 1"]


def test_a_locked_file_costs_the_record_and_nothing_else(
    log: QueryLog, identity: EncoderIdentity
) -> None:
    log.record("main", identity, asked(1))
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.record("main", identity, asked(2))
        other.execute("ROLLBACK")
    assert texts(log, identity) == ["no 1"]


def test_a_damaged_file_or_no_place_for_one_stops_no_search(
    log: QueryLog, identity: EncoderIdentity, tmp_path: Path
) -> None:
    log.path.parent.mkdir()
    log.path.write_bytes(b"this is no database, however long it is read" * 100)
    log.record("main", identity, asked(1))
    assert log.recent("main", identity, 5) == []
    (tmp_path / "file").touch()
    nowhere = QueryLog(tmp_path / "file" / "searches.sqlite")
    nowhere.record("main", identity, asked(1))
    assert nowhere.recent("main", identity, 5) == []


def test_nobody_else_may_read_it(log: QueryLog, identity: EncoderIdentity) -> None:
    log.record("main", identity, asked(1))
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_reading_makes_no_file(log: QueryLog, identity: EncoderIdentity) -> None:
    assert texts(log, identity) == []
    assert not log.path.exists()


_MOMENTS = st.none() | st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0))
_TEXTS = st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=5), max_size=2).map(
    tuple
)


@given(
    st.builds(
        Filter,
        cameras=_TEXTS,
        after=_MOMENTS,
        before=_MOMENTS,
        tags=_TEXTS,
        media_type=st.sampled_from([None, "image", "frame"]),
        ids=_TEXTS,
        source_ids=_TEXTS,
    ),
    st.text(),
)
def test_any_filter_and_any_text_come_back(
    tmp_path_factory: pytest.TempPathFactory, where: Filter, text: str
) -> None:
    log = QueryLog(tmp_path_factory.getbasetemp() / "any.sqlite")
    identity = EncoderIdentity("test-encoder", "made-up", "0" * 32, 16, "fp32")
    log.record("main", identity, RecordedQuery("image", text, VECTORS[0], where, 7))
    [found] = log.recent("main", identity, 1)
    assert found.where == where
    assert found.text == text
    log.close()
