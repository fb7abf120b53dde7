"""Folders that a recorder writes to, watched in a thread: real files, real decoding, rows."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.cameras.camera import is_watched
from ingest.cameras.folders.folder import AddedFolder, WatchedFolder, lock_name
from ingest.cameras.folders.log import FolderFailure, FolderLog, FolderState
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.folders.watching import Timing, Wanted, watch_folders
from ingest.ledger import Ledger
from ingest.report import SourceOutcome
from search_core.errors import LibraryNotFound, StoreUnavailable
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.sources.test_completeness import recording
from tests.support.made_media import HistogramEncoder, make_clip, make_photo
from tests.support.waiting import wait_until

EAGER = Timing(scan_every_s=0.05, hang_s=5.0, store_patience_s=0.1)


class Told:
    """What was told of watched folders."""

    def __init__(self, settings: Settings) -> None:
        self.outcomes: list[SourceOutcome] = []
        self.said: list[str] = []
        self._settings = settings

    def observe(self, folder: WatchedFolder, told: SourceOutcome | str) -> None:
        if isinstance(told, str):
            self.said.append(told)
        else:
            self.outcomes.append(told)

    def names(self, status: str = "done") -> list[str]:
        return sorted(Path(one.uri).name for one in self.outcomes if one.status == status)

    @property
    def state(self) -> FolderState:
        with FolderLog(self._settings.ledger_path) as log:
            return log.states()[0]

    def wait_for_scans(self) -> None:
        before_ms = self.state.looked_ms or 0
        wait_until(lambda: (self.state.looked_ms or 0) > before_ms + 100, "some scans")

    @property
    def failures(self) -> list[FolderFailure]:
        with FolderLog(self._settings.ledger_path) as log:
            return log.failures()


@contextmanager
def watching(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    *folders: WatchedFolder,
    wanted: Wanted | None = None,
) -> Iterator[Told]:
    told, stop = Told(settings), threading.Event()
    thread = threading.Thread(
        target=watch_folders,
        args=(wanted or (lambda: folders), settings, store, encoder, stop),
        kwargs={"observe": told.observe, "timing": EAGER},
    )
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def nvr(media: Path) -> WatchedFolder:
    return WatchedFolder("nvr", media, "main", camera="gate", tags=("nvr",))


@pytest.mark.skipif(sys.platform != "linux", reason="who has a file open is known on Linux")
def test_a_recording_is_taken_in_when_it_is_whole_and_never_before(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_clip(nvr.path / "before.mp4", seconds=2.0)
    (nvr.path / "notes.txt").write_text("no media")
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["before.mp4"], "what is there already")
        folder = nvr.path / "2026-03-01" / "08"
        folder.mkdir(parents=True)
        with recording(folder / "15.00.mp4") as pieces:
            for _ in pieces:
                told.wait_for_scans()
                assert told.names() == ["before.mp4"] and told.state.waiting == 1
        wait_until(lambda: told.names() == ["15.00.mp4", "before.mp4"], "the recording")
        wait_until(lambda: told.state.waiting == 0, "the count")
        assert is_watched(settings, nvr.lock_name)
    rows = store.count("main", Filter(cameras=("gate",), tags=("nvr",)))
    assert rows == store.count("main") > 1
    state = told.state
    assert (state.state, state.taken, state.keyframes) == ("stopped", 2, rows)
    assert told.failures == [] and told.said == [""]
    with Ledger(settings.ledger_path) as ledger:
        assert ledger.counts("main") == {"done": 2, "skipped": 0, "failed": 0}


def test_what_was_taken_in_is_known_across_restarts_and_stays_deleted(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_clip(nvr.path / "1.mp4", seconds=2.0)
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["1.mp4"], "the first")
    store.delete("main", Filter(cameras=("gate",)))
    with Ledger(settings.ledger_path) as ledger:
        ledger.forget("main")  # as deletion and retention do
    make_clip(nvr.path / "2.mp4", seconds=3.0)
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["2.mp4"], "what was recorded meanwhile")
        wait_until(lambda: told.state.waiting == 0, "all")
    assert told.names() == ["2.mp4"]

    store.drop_library("main")
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["1.mp4", "2.mp4"], "the library to be filled anew")


def test_what_disappears_from_the_folder_stays_in_the_library(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_clip(nvr.path / "1.mp4", seconds=2.0)
    (nvr.path / "keep.txt").write_text("so that it is not empty")
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["1.mp4"], "the first")
        rows = store.count("main")
        (nvr.path / "1.mp4").unlink()
        make_clip(nvr.path / "2.mp4", seconds=3.0)
        wait_until(lambda: told.names() == ["1.mp4", "2.mp4"], "the second")
    assert store.count("main", Filter(cameras=("gate",))) > rows


def test_a_volume_that_goes_away_is_a_gap_and_costs_nothing(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    make_clip(nvr.path / "1.mp4", seconds=2.0)
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.names() == ["1.mp4"], "the first")
        elsewhere = nvr.path.with_name("elsewhere")
        nvr.path.rename(elsewhere)
        wait_until(lambda: told.state.state == "lost", "the loss")
        assert told.state.reason == "does not exist"
        nvr.path.mkdir()  # the empty place where it is mounted
        wait_until(lambda: "is empty" in told.state.reason, "the loss")
        nvr.path.rmdir()
        make_clip(elsewhere / "2.mp4", seconds=3.0)
        elsewhere.rename(nvr.path)
        wait_until(lambda: told.names() == ["1.mp4", "2.mp4"], "what was recorded meanwhile")
        wait_until(lambda: told.state.state == "watching", "the return")
    assert told.names() == ["1.mp4", "2.mp4"] and told.said[0] == told.said[-1] == ""
    with FolderLog(settings.ledger_path) as log:
        [gap] = log.gaps()
    assert gap.reason == "does not exist" and gap.ended_ms is not None


def test_a_folder_may_come_later_than_its_watcher(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    nvr.path.rmdir()
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.said == ["does not exist"], "the loss")
        nvr.path.mkdir()
        make_clip(nvr.path / "1.mp4", seconds=2.0)
        wait_until(lambda: told.names() == ["1.mp4"], "the first")


def test_a_damaged_file_is_listed_until_it_is_replaced(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    broken = nvr.path / "gate.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 this is no photograph \xff\xd9")
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.failures, "the failure")
        [failure] = told.failures
        assert (failure.folder, failure.path) == ("nvr", "gate.jpg") and failure.reason
        make_clip(nvr.path / "1.mp4", seconds=2.0)
        wait_until(lambda: told.names() == ["1.mp4"], "the others to be taken in all the same")
        shutil.move(make_clip(nvr.path.parent / "whole.mp4", seconds=3.0), broken)
        wait_until(lambda: not told.failures, "the failure to be gone")
    assert told.names() == ["1.mp4", "gate.jpg"] and told.names("failed") == ["gate.jpg"]


class AwayStore(MemoryStore):
    """A store that cannot be reached while ``away``."""

    away = True

    def upsert(self, *given: object, **more: object) -> None:
        if self.away:
            raise StoreUnavailable("Milvus cannot be reached.")
        super().upsert(*given, **more)  # type: ignore[arg-type]


def test_recordings_wait_while_milvus_is_away(
    nvr: WatchedFolder, settings: Settings, encoder: HistogramEncoder
) -> None:
    store = AwayStore()
    make_clip(nvr.path / "1.mp4", seconds=2.0)
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: told.said and told.said[-1], "the trouble")
        assert told.state.reason.startswith("cannot be taken in: Milvus")
        store.away = False
        wait_until(lambda: told.names() == ["1.mp4"], "the recording")
        wait_until(lambda: told.state.state == "watching", "the end of the trouble")


def test_a_folder_is_watched_by_one_process_only(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    with watching(settings, store, encoder, nvr) as first:
        wait_until(lambda: first.said == [""], "the first")
        with watching(settings, store, encoder, nvr) as second:
            wait_until(lambda: second.said, "the refusal")
        assert first.state.state == "watching"
    assert second.said == ["is watched by another process already"]
    assert not is_watched(settings, nvr.lock_name)


def test_a_library_of_another_encoder_is_refused_in_words(
    nvr: WatchedFolder, settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    store.ensure_library("main", HistogramEncoder("b" * 32).identity)
    make_clip(nvr.path / "1.mp4", seconds=2.0)
    with watching(settings, store, encoder, nvr) as told:
        wait_until(lambda: len(told.said) > 1, "the refusal")
    assert any("cannot be taken in: The library main holds vectors" in said for said in told.said)


def test_the_roster_is_followed_while_folders_are_watched(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roster, first, second = FolderRoster(settings), tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        make_photo(folder / "red.png")
    with watching(settings, store, encoder, wanted=roster.watched) as told:
        roster.add(roster.make("one", AddedFolder(path=first)))
        wait_until(lambda: told.names() == ["red.png"], "the folder that was added")
        settings.folders_path.write_text("[folders")
        wait_until(lambda: "Nothing changes until then" in caplog.text, "the warning")
        assert is_watched(settings, lock_name(str(first)))
        settings.folders_path.unlink()
        wait_until(lambda: not is_watched(settings, lock_name(str(first))), "the end")

        roster.add(roster.make("two", AddedFolder(path=first)))
        wait_until(lambda: is_watched(settings, lock_name(str(first))), "the second")
        roster.change(roster.remake("two", AddedFolder(path=second, library="yard")))
        wait_until(lambda: is_watched(settings, lock_name(str(second))), "the other path")
        wait_until(lambda: not is_watched(settings, lock_name(str(first))), "the former path")
        wait_until(lambda: _count(store, "yard") == 1, "the other library")
        roster.pause("two")
        wait_until(lambda: not is_watched(settings, lock_name(str(second))), "the pause")
        assert [state.state for state in roster.states() if state.name == "two"] == ["paused"]
        roster.remove("two")
        assert "two" not in [state.name for state in roster.states()]


def _count(store: MemoryStore, library: str) -> int:
    try:
        return store.count(library)
    except LibraryNotFound:
        return 0
