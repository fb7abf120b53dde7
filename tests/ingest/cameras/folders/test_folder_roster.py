from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from ingest.cameras.folders.folder import AddedFolder, AddedFolders, WatchedFolder
from ingest.cameras.folders.log import FolderLog
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.folders.scan import FileVersion
from ingest.curation.moving import rename_library
from search_core.errors import SettingsError, UsageError
from search_core.settings import FolderSettings, Settings
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder

NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture
def nvr(tmp_path: Path) -> Path:
    folder = tmp_path / "nvr"
    folder.mkdir()
    return folder


@pytest.fixture
def roster(settings: Settings) -> FolderRoster:
    return FolderRoster(settings)


def add(roster: FolderRoster, name: str, path: Path, **more: object) -> WatchedFolder:
    folder = roster.make(name, AddedFolder.model_validate({"path": path, **more}))
    roster.add(folder)
    return folder


def test_a_folder_is_added_changed_paused_and_removed(
    roster: FolderRoster, settings: Settings, nvr: Path
) -> None:
    added = add(
        roster, " nvr ", nvr,
        camera="gate", tags=('a "b"', "c"), keyframes="interval:2", regions="tiles",
    )  # fmt: skip
    assert added.options.recipe.startswith("interval:2000+regions:tiles")
    assert (added.name, added.library, added.added) == ("nvr", "main", True)
    assert FolderRoster(settings).watched() == [added]
    assert stat.S_IMODE(settings.folders_path.stat().st_mode) == 0o600

    roster.pause("nvr")
    below = nvr / "below"
    below.mkdir()
    roster.change(roster.remake("nvr", AddedFolder(path=below, library="yard")))
    [changed] = FolderRoster(settings).folders()
    assert (changed.path, changed.library, changed.camera, changed.tags) == (
        below,
        "yard",
        None,
        (),
    )
    assert changed.paused and roster.watched() == []
    assert [state.state for state in roster.states()] == ["paused"]
    roster.pause("nvr", paused=False)
    assert [folder.name for folder in roster.watched()] == ["nvr"]

    roster.remove("nvr")
    assert roster.folders() == [] and roster.states() == []
    with pytest.raises(UsageError, match="No folder nvr was added"):
        roster.get("nvr")


@pytest.mark.parametrize(
    ("name", "path", "more", "said"),
    [
        (" ", ".", {}, "no name"),
        ("a\nb", ".", {}, "cannot name a folder"),
        ("a", "nothing", {}, "nothing does not exist"),
        ("a", "file.mp4", {}, "file.mp4 is not a folder"),
        ("a", ".", {"keyframes": "some"}, "Unknown keyframe selector"),
        ("a", ".", {"camera": " "}, "cannot name a camera"),
        ("a", ".", {"library": "a/b"}, "library"),
        ("known", ".", {}, "There is a folder known already"),
        ("a", "known", {}, "known is watched as known already"),
        ("a", "toml", {}, "toml is watched as toml already"),
        ("toml", ".", {}, "There is a folder toml already"),
    ],
)
def test_a_folder_that_cannot_be_is_not_added(
    settings: Settings, nvr: Path, name: str, path: str, more: dict[str, str], said: str
) -> None:
    for folder in ("known", "toml"):
        (nvr / folder).mkdir()
    (nvr / "file.mp4").touch()
    named = {"toml": FolderSettings(path=nvr / "toml")}
    roster = FolderRoster(settings.model_copy(update={"folders": named}))
    add(roster, "known", nvr / "known")
    with pytest.raises(UsageError, match=said):
        add(roster, name, nvr / path, **more)
    assert [folder.name for folder in roster.folders()] == ["known", "toml"]


def test_a_name_or_path_that_comes_into_the_settings_wins(settings: Settings, nvr: Path) -> None:
    add(FolderRoster(settings), "nvr", nvr)
    elsewhere = nvr / "elsewhere"
    elsewhere.mkdir()
    named = {"nvr": FolderSettings(path=elsewhere)}
    roster = FolderRoster(settings.model_copy(update={"folders": named}))
    assert [(folder.path, folder.added) for folder in roster.folders()] == [(elsewhere, False)]
    with pytest.raises(UsageError, match=r"is in sightline\.toml"):
        roster.pause("nvr")

    named = {"other": FolderSettings(path=nvr)}
    roster = FolderRoster(settings.model_copy(update={"folders": named}))
    assert [folder.name for folder in roster.folders()] == ["other"]


def test_a_removed_folder_is_told_of_no_more_and_its_files_stay_known(
    roster: FolderRoster, settings: Settings, nvr: Path
) -> None:
    folder = add(roster, "nvr", nvr)
    taken, broken = (FileVersion(f"{nvr}/{name}.mp4", 1, 1) for name in ("taken", "broken"))
    with FolderLog(settings.ledger_path) as log:
        log.begin(folder, "recipe", NOW_MS - 600_000)
        log.looked("nvr", 2, NOW_MS - 500_000)
        log.lost("nvr", "does not answer", NOW_MS - 400_000)
        log.record(folder, taken, "done", "", NOW_MS, keyframes=3)
        log.record(folder, broken, "failed", "is empty", NOW_MS)

        roster.remove("nvr")
        log.looked("nvr", 2, NOW_MS)  # its watcher has not heard of it yet
        log.end("nvr", NOW_MS)
        assert roster.states() == [] and log.failures() == []
        assert [gap.ended_ms is None for gap in log.gaps()] == [False]

        log.begin(add(roster, "nvr", nvr), "recipe", NOW_MS)
        assert [(state.state, state.taken) for state in roster.states()] == [("starting", 1)]
        assert log.unknown(folder, [taken]) == []  # deleted of it since or not


def test_a_library_that_is_renamed_keeps_its_folders(
    roster: FolderRoster,
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    nvr: Path,
) -> None:
    store.ensure_library("main", encoder.identity)
    folder = add(roster, "nvr", nvr)
    with FolderLog(settings.ledger_path) as log:
        log.begin(folder, "recipe", NOW_MS)
        log.record(folder, FileVersion(f"{nvr}/1.mp4", 1, 1), "done", "", NOW_MS)
        rename_library(settings, store, "main", "yard")
        [renamed] = roster.folders()
        assert renamed.library == "yard"
        log.begin(renamed, "recipe", NOW_MS)
        assert log.unknown(renamed, [FileVersion(f"{nvr}/1.mp4", 1, 1)]) == []


def test_a_file_that_cannot_be_read_is_said_to_be_so(settings: Settings, nvr: Path) -> None:
    settings.folders_path.parent.mkdir(parents=True, exist_ok=True)
    settings.folders_path.write_text("[folders.nvr]\npath = 3\n")
    with pytest.raises(SettingsError, match=r"The folders in .*folders\.toml cannot be read"):
        FolderRoster(settings).watched()
    settings.folders_path.unlink()
    assert AddedFolders(settings.folders_path).all() == {}
