"""What every table of jobs does: SQLite's and Redis's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.jobs.table import Job, JobTable, RedisJobTable, SqliteJobTable
from search_core.errors import QueueUnavailable
from tests.support.waiting import free_port

A = Job("a", "ingest", "night", "queued", 0.0, {"done": 1}, "", 5, request={"paths": ["/x"]})


@pytest.fixture(params=["sqlite", "redis"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobTable]:
    made: JobTable
    if request.param == "sqlite":
        made = SqliteJobTable(tmp_path / "jobs.sqlite")
    else:
        made = RedisJobTable(request.getfixturevalue("redis_url"))
    yield made
    made.close()


def test_what_was_put_in_comes_out(table: JobTable) -> None:
    odd = replace(A, title="naïve *☂*\udcff", report={"failures": [{"uri": "\udcff"}]}, beat_ms=7)
    table.insert(odd)
    found = table.get("a")
    assert found is not None
    assert found == odd
    assert table.get("b") is None


def test_listed_newest_first_and_open_ones_oldest_first(table: JobTable) -> None:
    for number in range(12):
        table.insert(replace(A, id=str(number)))  # all of one moment
    assert [job.id for job in table.newest(3)] == ["11", "10", "9"]
    assert [job.id for job in table.newest(50)] == [str(number) for number in range(11, -1, -1)]
    for number in range(2, 12):
        assert table.update(str(number), {}, {"state": "done"})
    assert table.update("0", {}, {"state": "running"})
    assert [job.id for job in table.open()] == ["0", "1"]
    assert table.update("5", {}, {"state": "queued"})
    assert [job.id for job in table.open()] == ["0", "1", "5"]


def test_changed_only_under_its_conditions(table: JobTable) -> None:
    table.insert(A)
    assert not table.update("a", {"state": "running"}, {"message": "no"})
    assert not table.update("a", {"state": "queued", "worker": "w"}, {"message": "no"})
    assert not table.update("b", {}, {"message": "no"})
    assert table.update("a", {"state": "queued", "beat_ms": None}, {"beat_ms": 9, "cancel": True})
    assert table.update("a", {"beat_ms": 9, "cancel": True}, {"counts": {}, "report": {"x": 1}})
    assert table.get("a") == replace(A, beat_ms=9, cancel=True, counts={}, report={"x": 1})
    assert table.get("b") is None


def test_a_job_that_is_there_is_not_put_in_again(table: JobTable) -> None:
    table.insert(A)
    table.insert(replace(A, id="b"))
    assert table.update("a", {}, {"state": "running"})
    table.insert(A)
    assert table.get("a") == replace(A, state="running")
    assert [job.id for job in table.newest(9)] == ["b", "a"]


def test_finished_jobs_go_when_they_are_old(table: JobTable) -> None:
    for name, finished_ms in (("old", 10), ("young", 30), ("queued", None), ("again", 10)):
        table.insert(replace(A, id=name))
        if finished_ms is not None:
            assert table.update(name, {}, {"state": "done", "finished_ms": finished_ms})
    assert table.update("again", {}, {"state": "queued", "finished_ms": None})
    assert table.count_finished(10) == table.remove_finished(10) == 0
    assert table.count_finished(30) == table.remove_finished(30) == 1
    assert table.get("old") is None and table.remove_finished(30) == 0
    assert [job.id for job in table.newest(9)] == ["again", "queued", "young"]
    assert [job.id for job in table.open()] == ["queued", "again"]


def test_of_several_who_try_one_succeeds(table: JobTable) -> None:
    table.insert(A)
    ready = threading.Barrier(8)
    won: list[int] = []

    def claim(number: int) -> None:
        ready.wait()
        if table.update("a", {"state": "queued"}, {"state": "running", "worker": str(number)}):
            won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = table.get("a")
    assert job is not None
    assert won == [int(job.worker)]


def test_a_file_of_an_earlier_version_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL)")
        connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, data BLOB)")
        connection.execute("INSERT INTO jobs VALUES ('a', 'ingest')")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with closing(SqliteJobTable(path)) as table:
        assert table.newest(5) == []
        table.insert(A)
        assert table.get("a") == A


def test_a_redis_that_is_not_there_is_told_in_words() -> None:
    table = RedisJobTable(f"redis://:never-shown@127.0.0.1:{free_port()}/0")
    with pytest.raises(QueueUnavailable, match="does not answer") as raised:
        table.newest(5)
    assert "SIGHTLINE_QUEUE" in raised.value.hint
    assert "never-shown" not in str(raised.value)


def test_a_wrong_password_is_told_in_words(redis_url: str) -> None:
    table = RedisJobTable(redis_url.replace("never-shown", "guessed"))
    with pytest.raises(QueueUnavailable, match="refuses this login") as raised:
        table.newest(5)
    assert "guessed" not in str(raised.value)
