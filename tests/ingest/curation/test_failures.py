"""What failed, as it is now: copies of damaged files, deleted files, paths that were wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.engines.base import LocalEngine
from ingest.ledger import Ledger
from ingest.report import IngestReport
from ingest.sources.media_locator import present
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.rows.test_changed_files import ChangingEngine, grow
from tests.support.made_media import make_photo

Listed = Callable[[], dict[str, str]]
DAMAGED = b"\xff\xd8\xff\xe0\x00\x10JFIF"


@pytest.fixture
def listed(settings: Settings, ledger: Ledger) -> Listed:
    """Return what is listed as failed: reasons by the files' names."""

    def read() -> dict[str, str]:
        rows = present(settings, ledger, ledger.outcomes("main", "failed"))
        return {Path(row.uri).name: row.reason for row in rows}

    return read


def by_name(report: IngestReport) -> dict[str, tuple[str, str]]:
    return {Path(item.uri).name: (item.status, item.reason) for item in report.outcomes}


@pytest.mark.parametrize("workers", [1, 2])
def test_copies_of_a_damaged_file_fail_as_it_does(
    take_in: TakeIn, media: Path, listed: Listed, workers: int
) -> None:
    for name in ("a", "b", "c"):
        (media / f"{name}.jpg").write_bytes(DAMAGED)
    report = take_in(media, engine=LocalEngine(workers))
    assert (report.failed, report.skipped) == (3, 0)
    [reason] = set(listed().values())
    assert set(listed()) == {"a.jpg", "b.jpg", "c.jpg"}
    assert "damaged" in reason or "cannot be" in reason
    assert take_in(media).failed == 3


def test_copies_of_a_file_that_is_done_are_skipped(take_in: TakeIn, media: Path) -> None:
    make_photo(media / "a.jpg")
    shutil.copy(media / "a.jpg", media / "b.jpg")
    report = take_in(media)
    assert by_name(report) == {
        "a.jpg": ("done", ""),
        "b.jpg": ("skipped", f"has the content of {media / 'a.jpg'}"),
    }


def test_a_copy_is_taken_in_where_the_first_file_changed_meanwhile(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.jpg")
    shutil.copy(media / "a.jpg", media / "b.jpg")

    def change(path: Path) -> None:
        if path.name == "a.jpg":
            grow(path)

    statuses = {
        name: status
        for name, (status, _) in by_name(take_in(media, engine=ChangingEngine(change))).items()
    }
    assert statuses == {"a.jpg": "failed", "b.jpg": "done"}
    assert [Path(entity.uri).name for entity in store.entities("main")] == ["b.jpg"]


def test_a_path_that_was_wrong_once_is_not_listed(
    take_in: TakeIn, media: Path, listed: Listed
) -> None:
    assert take_in(media / "typo", media / "*.nothing").failed == 2
    assert listed() == {}


def test_a_folder_that_can_be_listed_again_is_not_listed_any_more(
    media: Path, listed: Listed, ledger: Ledger
) -> None:
    reason = "cannot be listed: Permission denied"
    ledger.record("main", "2", "r", str(media), "failed", stage="find", reason=reason)
    assert listed() == {}


def test_a_file_that_was_deleted_is_not_listed_any_more(
    take_in: TakeIn, media: Path, listed: Listed
) -> None:
    (media / "a.jpg").write_bytes(DAMAGED)
    make_photo(media / "b.jpg")
    take_in(media)
    assert set(listed()) == {"a.jpg"}
    (media / "a.jpg").unlink()
    assert listed() == {}


def test_a_failure_ends_when_the_file_has_content_that_is_known(
    take_in: TakeIn, media: Path, listed: Listed
) -> None:
    (media / "a.jpg").write_bytes(DAMAGED)
    make_photo(media / "b.jpg")
    take_in(media)
    shutil.copy(media / "b.jpg", media / "a.jpg")
    report = take_in(media)
    assert (report.failed, report.skipped) == (0, 2)
    assert listed() == {}
