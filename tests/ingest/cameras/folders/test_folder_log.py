from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.cameras.folders.folder import WatchedFolder, configured_folders
from ingest.cameras.folders.log import LEAST_GAP_MS, NO_VERSION, FolderLog
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.folders.scan import FileVersion
from ingest.ledger import Ledger
from search_core.errors import UsageError
from search_core.settings import FolderSettings, Settings

FOLDER = WatchedFolder("nvr", Path("/srv/nvr"), "main")
CLIP = FileVersion("/srv/nvr/gate/1.mp4", 100, 1_700_000_000_000_000_001)


@pytest.fixture
def log(settings: Settings) -> Iterator[FolderLog]:
    with FolderLog(settings.ledger_path) as log:
        log.begin(FOLDER, "recipe", 0)
        yield log


def test_a_file_is_known_in_the_version_that_was_taken_in(log: FolderLog) -> None:
    odd = FileVersion("/srv/nvr/caf\udce9 '\".mp4", 1, 1)
    for version in (CLIP, odd):
        assert log.unknown(FOLDER, [version]) == [version]
        log.record(FOLDER, version, "done", "", 5, keyframes=3)
    assert log.unknown(FOLDER, [CLIP, odd]) == []
    for changed in (replace(CLIP, size=101), replace(CLIP, mtime_ns=CLIP.mtime_ns + 1)):
        assert log.unknown(FOLDER, [CLIP, changed]) == [changed]
    many = [replace(CLIP, path=f"/srv/nvr/{n}.mp4") for n in range(1200)]
    assert log.unknown(FOLDER, [*many, CLIP]) == many
    [state] = log.states()
    assert (state.taken, state.keyframes, state.taken_ms) == (2, 6, 5)


def test_files_are_taken_in_again_with_another_recipe_or_into_another_library(
    log: FolderLog,
) -> None:
    log.record(FOLDER, CLIP, "done", "", 5)
    log.begin(FOLDER, "recipe", 6)
    log.begin(replace(FOLDER, path=Path("/mnt/nvr")), "recipe", 7)  # mounted elsewhere
    assert log.unknown(FOLDER, [CLIP]) == []
    log.begin(FOLDER, "another", 8)
    assert log.unknown(FOLDER, [CLIP]) == [CLIP]
    log.record(FOLDER, CLIP, "done", "", 9)
    log.begin(replace(FOLDER, library="yard"), "another", 10)
    assert log.unknown(FOLDER, [CLIP]) == [CLIP]


def test_gaps_begin_with_the_last_look_and_end_with_the_next(log: FolderLog) -> None:
    log.looked("nvr", 0, 1_000)
    log.lost("nvr", "does not exist", 6_000)
    log.lost("nvr", "does not answer", 7_000)
    [state] = log.states()
    assert (state.state, state.reason, state.since_ms) == ("lost", "does not answer", 6_000)
    log.looked("nvr", 3, 20_000)
    [state] = log.states()
    assert (state.state, state.reason, state.since_ms, state.waiting) == (
        "watching", "", 20_000, 3,
    )  # fmt: skip
    [gap] = log.gaps()
    assert (gap.began_ms, gap.ended_ms, gap.reason) == (1_000, 20_000, "does not exist")
    assert log.gaps("nvr", since_ms=20_000) == [] and log.gaps("other") == []


@pytest.mark.parametrize(("pause_ms", "gaps"), [(LEAST_GAP_MS // 2, 0), (2 * LEAST_GAP_MS, 1)])
def test_a_restart_that_takes_long_is_a_gap(log: FolderLog, pause_ms: int, gaps: int) -> None:
    log.looked("nvr", 0, 1_000)
    log.end("nvr", 2_000)
    log.begin(FOLDER, "recipe", 1_000 + pause_ms)
    log.looked("nvr", 0, 2_000 + pause_ms)
    found = log.gaps()
    assert len(found) == gaps
    assert {gap.reason for gap in found} <= {"was not watched"}


def test_failures_are_those_that_are_so_now(log: FolderLog, settings: Settings) -> None:
    gone = replace(CLIP, path="/srv/nvr/2.mp4")
    for version in (CLIP, gone):
        log.record(FOLDER, version, "failed", "is empty", 5)
    log.record(FOLDER, replace(CLIP, path="/srv/nvr/3.mp4"), "done", "", 5)
    assert [one.path for one in log.failures("nvr")] == ["2.mp4", "gate/1.mp4"]
    assert log.states()[0].failed == 2
    log.forget("nvr", ["2.mp4"])
    assert [one.path for one in log.failures()] == ["gate/1.mp4"]
    with Ledger(settings.ledger_path) as ledger:  # taken in by hand
        ledger.record("main", "hash", "recipe", CLIP.path, "done")
    assert log.failures() == [] and log.states()[0].failed == 0


def test_what_could_not_be_read_is_no_known_version(log: FolderLog) -> None:
    unread = replace(CLIP, size=NO_VERSION, mtime_ns=NO_VERSION)
    log.record(FOLDER, unread, "failed", "cannot be read: Input/output error", 5)
    assert log.unknown(FOLDER, [CLIP]) == [CLIP] and len(log.failures()) == 1
    log.begin(FOLDER, "recipe", 6)
    assert log.failures() == []


def test_folders_of_the_settings_are_listed_before_they_are_watched(settings: Settings) -> None:
    given = {"nvr": FolderSettings(path=Path("/srv/nvr"), library="yard", tags=("nvr",))}
    settings = settings.model_copy(update={"folders": given})
    [folder] = configured_folders(settings)
    assert (folder.name, folder.library, folder.tags) == ("nvr", "yard", ("nvr",))
    [state] = FolderRoster(settings).states()
    assert (state.name, state.path, state.state) == ("nvr", "/srv/nvr", "stopped")
    assert not state.is_watched(settings)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("a\nb", {"path": "/srv"}, "cannot name a folder"),
        ("a", {"path": "/srv", "library": "not one"}, "cannot name a library"),
        ("a", {"path": "/srv", "keyframes": "some"}, "some"),
        ("a", {"path": "DATA/uploads"}, "inside Sightline's data directory"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(
    settings: Settings, name: str, given: dict[str, str], said: str
) -> None:
    given["path"] = given["path"].replace("DATA", str(settings.data_dir))
    folders = {name: FolderSettings.model_validate(given)}
    with pytest.raises(UsageError, match=said):
        configured_folders(settings.model_copy(update={"folders": folders}))


def test_one_folder_cannot_have_two_names(settings: Settings, tmp_path: Path) -> None:
    given = FolderSettings(path=tmp_path / "nvr")
    twice = settings.model_copy(update={"folders": {"a": given, "b": given}})
    with pytest.raises(UsageError, match="The folders a and b are the same"):
        configured_folders(twice)
