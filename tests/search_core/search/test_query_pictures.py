from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from search_core.search.query_pictures import KEPT, QueryPictures, digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "query-pictures"


def grow_old(path: Path, age: timedelta) -> None:
    seconds = path.stat().st_mtime - age.total_seconds()
    os.utime(path, (seconds, seconds))


def test_a_kept_picture_is_read_by_its_hash_and_by_its_owner_alone(folder: Path) -> None:
    pictures = QueryPictures(folder)

    assert pictures.keep(b"a picture")
    assert pictures.keep(b"a picture")

    assert pictures.read(digest_of(b"a picture")) == b"a picture"
    assert pictures.read(digest_of(b"another")) is None
    [path] = folder.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "..", "../secret", "a" * 31, "A" * 32, "a" * 32 + "\n"])
def test_what_is_no_hash_leads_nowhere(folder: Path, name: str) -> None:
    QueryPictures(folder).keep(b"a picture")
    (folder.parent / "secret").write_bytes(b"secret")
    for odd in ("a" * 31, "A" * 32):
        (folder / odd).write_bytes(b"placed there")

    assert QueryPictures(folder).read(name) is None


def test_a_file_that_is_not_what_its_name_says_is_not_read(folder: Path) -> None:
    pictures = QueryPictures(folder)
    pictures.keep(b"a picture")
    (folder / digest_of(b"a picture")).write_bytes(b"changed")

    assert pictures.read(digest_of(b"a picture")) is None


def test_a_picture_goes_some_time_after_it_was_last_searched_by(folder: Path) -> None:
    pictures = QueryPictures(folder)
    for data in (b"old", b"searched by again", b"new"):
        pictures.keep(data)
    for data in (b"old", b"searched by again"):
        grow_old(folder / digest_of(data), KEPT - timedelta(hours=1))
    assert pictures.read(digest_of(b"searched by again"))
    for path in folder.iterdir():
        grow_old(path, timedelta(hours=2))

    assert pictures.read(digest_of(b"old")) is None  # even before it is removed
    assert pictures.forget_old(dry_run=True) == 1
    assert pictures.forget_old() == 1
    assert pictures.read(digest_of(b"new"))
    assert pictures.read(digest_of(b"searched by again"))
    assert pictures.forget_old() == 0


def test_where_they_are_much_the_oldest_go_when_another_comes(folder: Path) -> None:
    pictures = QueryPictures(folder, most_bytes=250)
    first, second, third = b"1" * 100, b"2" * 100, b"3" * 100
    pictures.keep(first)
    grow_old(folder / digest_of(first), timedelta(minutes=2))
    pictures.keep(second)
    grow_old(folder / digest_of(second), timedelta(minutes=1))

    assert pictures.keep(third)

    assert pictures.read(digest_of(first)) is None
    assert pictures.read(digest_of(second)) and pictures.read(digest_of(third))


def test_what_cannot_be_written_is_not_kept_and_nothing_fails(folder: Path) -> None:
    folder.write_text("no folder")

    assert not QueryPictures(folder).keep(b"a picture")
    assert QueryPictures(folder).read(digest_of(b"a picture")) is None
