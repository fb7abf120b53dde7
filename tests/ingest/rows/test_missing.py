"""Files that were deleted, and file systems that are only away."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.curation.verification import verify
from ingest.ledger import Ledger, Location, Mount
from ingest.rows.retention import delete_missing, find_missing, forget_missing
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_photo

MADE = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def recordings(take_in: TakeIn, media: Path) -> Path:
    """Two days of recordings, taken in; each day is a folder."""
    for number, day in enumerate(("2026-03-01", "2026-03-02")):
        (media / day).mkdir()
        for name in ("a", "b"):
            photo = make_photo(media / day / f"{name}.jpg", (50 + 90 * number, ord(name), 9))
            moment = (MADE + timedelta(days=number)).timestamp()
            os.utime(photo, (moment, moment))
    assert take_in(media).done == 4
    return media


def kinds(settings: Settings, store: MemoryStore) -> list[str]:
    return sorted(finding.kind for finding in verify(settings, store, ["main"]))


def lie_on(ledger: Ledger, folder: Path, mount: Mount) -> None:
    """Let the ledger say that what is below a folder lay on a mount."""
    for uri in list(ledger.locations_below(str(folder), Mount.of(folder).point)):
        for place in ledger.locations_at(uri):
            ledger.locate([Location(place.library, place.source_id, uri, mount)])


def test_a_folder_that_a_recorder_deleted_is_missing(
    recordings: Path, settings: Settings, store: MemoryStore
) -> None:
    shutil.rmtree(recordings / "2026-03-01")
    assert kinds(settings, store) == ["media_missing"] * 2
    found = find_missing(settings, store, "main")
    assert (len(found.ids), found.away.total()) == (2, 0)
    assert delete_missing(settings, store, "main", found.ids) == 2
    assert kinds(settings, store) == []
    assert store.count("main") == 2


def test_everything_may_have_been_deleted(
    recordings: Path, settings: Settings, store: MemoryStore
) -> None:
    shutil.rmtree(recordings)
    assert len(find_missing(settings, store, "main").ids) == 4


def test_a_mount_that_is_away_is_not_taken_for_deletions(
    recordings: Path, settings: Settings, store: MemoryStore, ledger: Ledger
) -> None:
    lie_on(ledger, recordings, Mount(str(recordings), "7"))  # nothing is mounted there now
    shutil.rmtree(recordings)
    recordings.mkdir()
    assert kinds(settings, store) == ["media_unreachable"] * 4
    found = find_missing(settings, store, "main")
    [(reason, count)] = found.away.items()
    assert (found.ids, count) == ([], 4)
    assert f"{recordings}, which is not mounted" in reason
    age = timedelta(days=1)
    assert forget_missing(settings, store, "main", age, datetime.now(UTC)) == 0
    assert store.count("main") == 4


def test_another_file_system_at_the_same_place_is_not_taken_for_deletions(
    recordings: Path, settings: Settings, store: MemoryStore, ledger: Ledger
) -> None:
    here = Mount.of(recordings)
    lie_on(ledger, recordings, Mount(here.point, "another id"))
    shutil.rmtree(recordings / "2026-03-01")
    assert len(find_missing(settings, store, "main").ids) == 2  # the rest of the files tell
    shutil.rmtree(recordings / "2026-03-02")
    found = find_missing(settings, store, "main")
    assert (found.ids, found.away.total()) == ([], 4)


def test_of_files_from_before_mounts_were_known_what_is_beside_them_tells(
    recordings: Path, settings: Settings, store: MemoryStore, ledger: Ledger
) -> None:
    with ledger._database.writing() as connection:
        connection.execute("UPDATE locations SET mount = '', filesystem = ''")
    (recordings / "2026-03-01" / "a.jpg").unlink()
    assert len(find_missing(settings, store, "main").ids) == 1
    shutil.rmtree(recordings / "2026-03-01")
    found = find_missing(settings, store, "main")
    assert (found.ids, found.away.total()) == ([], 2)


def test_only_what_passes_the_filter_and_is_old_enough_goes(
    recordings: Path, settings: Settings, store: MemoryStore
) -> None:
    for day in recordings.iterdir():
        (day / "a.jpg").unlink()
    now = MADE + timedelta(days=8)
    week = timedelta(days=7)
    assert forget_missing(settings, store, "main", week, now, dry_run=True) == 1
    assert forget_missing(settings, store, "main", week, now) == 1
    assert forget_missing(settings, store, "other", week, now) == 0
    second_day = Filter(after=MADE + timedelta(days=1))
    assert len(find_missing(settings, store, "main", second_day).ids) == 1
    assert find_missing(settings, store, "main", Filter(before=MADE)).ids == []


def test_a_file_that_was_moved_is_not_missing(
    recordings: Path, settings: Settings, store: MemoryStore, take_in: TakeIn
) -> None:
    (recordings / "2026-03-01").rename(recordings / "archive")
    take_in(recordings / "archive")
    assert find_missing(settings, store, "main").ids == []


def test_a_file_that_may_not_be_looked_for_is_not_missing(
    recordings: Path, settings: Settings, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def stale(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.suffix == ".jpg" and path.is_relative_to(recordings):
            raise OSError(116, "Stale file handle")  # as a network mount says whose server went
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stale)
    found = find_missing(settings, store, "main")
    assert (found.ids, found.away["cannot be read: Stale file handle"]) == ([], 4)
