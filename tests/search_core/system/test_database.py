"""A SQLite file that several open, migrate and write at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from search_core.system.database import Database

MIGRATIONS = ("CREATE TABLE counts (number INTEGER)", "INSERT INTO counts VALUES (0)")
TOGETHER = 4


def test_a_new_file_is_opened_by_several_at_once(tmp_path: Path) -> None:
    all_here = threading.Barrier(TOGETHER)

    def add_one(path: Path) -> None:
        all_here.wait(60)
        with closing(Database(path, MIGRATIONS)) as database:
            database.write("UPDATE counts SET number = number + 1")

    with ThreadPoolExecutor(TOGETHER) as threads:
        for round_ in range(100):  # one in a hundred openings collides
            path = tmp_path / f"{round_}.sqlite"
            list(threads.map(add_one, [path] * TOGETHER))
            with closing(Database(path, MIGRATIONS)) as database:
                assert database.read("SELECT number FROM counts") == [(TOGETHER,)]
