"""The ledger's promises: done stays done, several processes may write, old files are migrated."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.ledger import MIGRATIONS, Ledger, Status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


def test_what_became_of_files_lately_and_below_a_place(path: Path) -> None:
    with Ledger(path) as ledger:
        for number, uri in enumerate(["/in/a.jpg", "/in/b.zip/c.jpg", "/in.jpg", "/in_/d.jpg"]):
            ledger.record("main", str(number), "r", uri, "done")
        ledger._database.write("UPDATE sources SET updated_ms = 10 * CAST(source_id AS INTEGER)")

        def found(
            since_ms: int, below: str = "", limit: int = -1, status: Status = "done"
        ) -> list[str]:
            rows = ledger.lately("main", status, since_ms, below, limit)
            return [row.uri for row in rows]

        assert found(10) == ["/in_/d.jpg", "/in.jpg", "/in/b.zip/c.jpg"]
        assert found(0, "/in") == ["/in/b.zip/c.jpg", "/in/a.jpg"]
        assert found(0, "/in/b.zip") == ["/in/b.zip/c.jpg"]
        assert found(0, "/in/a.jpg") == ["/in/a.jpg"]
        assert found(0, limit=1) == ["/in_/d.jpg"]
        assert found(0, limit=0) == found(0, status="failed") == []


def test_newest_first_and_only_what_was_asked_for(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record("main", "1", "r", "/a.jpg", "done", keyframes=1)
        ledger.record("main", "2", "r", "/b.jpg", "failed", stage="decode", reason="is empty")
        ledger.record("other", "1", "r", "/a.jpg", "done", keyframes=1)
        assert {row.uri for row in ledger.outcomes("main")} == {"/a.jpg", "/b.jpg"}
        assert len(ledger.outcomes()) == 3
        (failed,) = ledger.outcomes(status="failed")
        assert (failed.stage, failed.reason, failed.library) == ("decode", "is empty", "main")
        assert ledger.counts("main") == {"done": 1, "skipped": 0, "failed": 1}
        newest = [row.updated_ms for row in ledger.outcomes()]
        assert newest == sorted(newest, reverse=True)


def test_done_stays_done(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record("main", "1", "r", "/a.jpg", "done", keyframes=1)
        ledger.record("main", "1", "r", "/a.jpg", "failed", reason="is empty")
        assert ledger.is_done("main", "1", "r")


def test_failed_becomes_done(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record("main", "1", "r", "/a.jpg", "failed", reason="hang")
        assert not ledger.is_done("main", "1", "r")
        ledger.record("main", "1", "r", "/a.jpg", "done", keyframes=1)
        assert ledger.is_done("main", "1", "r")
        assert not ledger.is_done("main", "1", "another recipe")


def test_forgetting_makes_sources_pending(path: Path) -> None:
    with Ledger(path) as ledger:
        for source in "123":
            ledger.record("main", source, "r", f"/{source}.jpg", "done")
        ledger.forget_sources("main", ["1", "2"])
        assert [ledger.is_done("main", source, "r") for source in "123"] == [False, False, True]
        ledger.forget("main")
        assert ledger.outcomes("main") == []


def test_contents_are_known_until_the_file_changes(path: Path) -> None:
    long_ago = time.time_ns() - 10**12
    with Ledger(path) as ledger:
        ledger.remember_content("/a.jpg", 10, long_ago, "hash")
        assert ledger.known_content("/a.jpg", 10, long_ago) == "hash"
        assert ledger.known_content("/a.jpg", 11, long_ago) is None
        assert ledger.known_content("/a.jpg", 10, long_ago + 1) is None
        assert ledger.paths_of("hash") == ["/a.jpg"]


def test_a_file_changed_just_now_is_not_believed(path: Path) -> None:
    now = time.time_ns()
    with Ledger(path) as ledger:
        ledger.remember_content("/a.jpg", 10, now, "hash")
        assert ledger.known_content("/a.jpg", 10, now) is None


def test_names_that_are_no_unicode_are_kept_legible(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record("main", "1", "r", "/caf\udce9.jpg", "failed", reason="x")
        assert ledger.outcomes()[0].uri == "/caf\\udce9.jpg"


def test_a_new_ledger_has_every_migration(path: Path) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_was_left_out_is_counted(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record("main", "1", "r", "/a", "done", keyframes=3)
        assert [(row.keyframes, row.left_out) for row in ledger.outcomes()] == [(3, 0)]
        ledger.record("main", "2", "r", "/b", "done", keyframes=4, left_out=5)
        ledger.record("main", "3", "r", "/c", "done", keyframes=1, left_out=2)
        assert ledger.left_out("main") == 7 and ledger.left_out("other") == 0
        assert ledger.is_elsewhere("other", "2", "r") and not ledger.is_elsewhere("main", "2", "r")


def test_several_processes_write_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ingest.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])) as ledger:\n"
        "    for n in range(50):\n"
        "        source = f'{sys.argv[2]}-{n}'\n"
        "        ledger.record('main', source, 'r', f'/{source}', 'done')\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(number)])
        for number in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with Ledger(path) as ledger:
        assert ledger.counts("main")["done"] == 150
