"""Which folders are to be watched: those of the settings and those added meanwhile.

A name in the settings (sightline.toml) wins, and what is said there is changed there alone. The
others are in folders.toml in the data directory; `sightline serve` follows what changes there. Of
cameras the same is in :mod:`ingest.cameras.roster`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ingest.cameras.camera import check_camera_name
from ingest.cameras.folders.folder import (
    AddedFolder,
    AddedFolders,
    WatchedFolder,
    configured_folders,
    make_folder,
)
from ingest.cameras.folders.log import FolderLog, FolderState
from ingest.media.keyframes.registry import parse_selector
from search_core.errors import UsageError
from search_core.messages import Message
from search_core.settings import Settings
from search_core.system.machine import now_ms

#: One that is not on the roster is listed this long after it was last looked through.
_LISTED_MS = 7 * 86_400_000


class FolderRoster:
    """The folders that are to be watched, as the files say now.

    Every method raises SettingsError when folders.toml cannot be used, and UsageError for a folder
    of the settings that cannot be.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._added = AddedFolders(settings.folders_path, settings.folders)

    def folders(self) -> list[WatchedFolder]:
        """Return all by name, paused ones as well.

        An added one at the path of one of the settings is left out: that is the same folder.
        """
        found = {folder.name: folder for folder in configured_folders(self._settings)}
        taken = {folder.path for folder in found.values()}
        for name, given in self._added.all().items():
            folder = self._folder(name, given)
            if name not in found and folder.path not in taken:
                found[name] = folder
        return [found[name] for name in sorted(found)]

    def watched(self) -> list[WatchedFolder]:
        """Return those that are to be watched now, by name."""
        return [folder for folder in self.folders() if not folder.paused]

    def states(self) -> list[FolderState]:
        """Return the status of each folder by name: of these, and of others watched lately.

        Removed ones are left out.
        """
        logged: dict[str, FolderState] = {}
        if self._settings.ledger_path.exists():
            with FolderLog(self._settings.ledger_path) as log:
                logged = {state.name: state for state in log.states()}
        since_ms = now_ms() - _LISTED_MS
        found = {
            name: state
            for name, state in logged.items()
            if (state.looked_ms or 0) > since_ms and state.state != "removed"
        }
        for folder in self.folders():
            found[folder.name] = _state_now(folder, logged.get(folder.name))
        return [found[name] for name in sorted(found)]

    def make(self, name: str, given: AddedFolder) -> WatchedFolder:
        """Return a folder that can be added; raises UsageError for one that cannot."""
        name = name.strip()
        if not name:
            raise UsageError("The folder has no name.", "Give it one, such as nvr.")
        folder = self._checked(name, given)
        self._require_free(folder)
        return folder

    def add(self, folder: WatchedFolder) -> None:
        """Add a folder that :meth:`make` made; raises UsageError when it is taken by now."""
        self._require_free(folder)
        self._added.add(folder.name, _given(folder))

    def get(self, name: str) -> WatchedFolder:
        """Return one that was added; raises UsageError for another, which is not changed here."""
        return self._folder(name, self._added.get(name))

    def remake(self, name: str, given: AddedFolder) -> WatchedFolder:
        """Return what an added folder is to be, paused if it is; raises UsageError."""
        paused = self.get(name).paused
        folder = replace(self._checked(name, given), paused=paused)
        self._require_path_free(folder)
        return folder

    def change(self, folder: WatchedFolder) -> None:
        """Watch an added folder as :meth:`remake` made it; raises UsageError.

        Into another library, or with other keyframes or regions, its files are taken in again.
        """
        self._added.change(folder.name, lambda _: _given(folder))

    def pause(self, name: str, *, paused: bool = True) -> None:
        """Pause an added folder, or resume it; raises UsageError."""
        self._added.pause(name, paused=paused)

    def remove(self, name: str) -> None:
        """Remove an added folder; what was taken in of it stays. Raises UsageError."""
        self._added.remove(name)
        if name not in self._settings.folders and self._settings.ledger_path.exists():
            with FolderLog(self._settings.ledger_path) as log:
                log.remove(name, now_ms())

    def _checked(self, name: str, given: AddedFolder) -> WatchedFolder:
        """Return a folder that can be read now."""
        parse_selector(given.keyframes)
        if given.camera is not None:
            check_camera_name(given.camera)
        folder = self._folder(name, given)
        _require_readable(folder.path)
        return folder

    def _folder(self, name: str, given: AddedFolder) -> WatchedFolder:
        made = make_folder(name, given, self._settings)
        return replace(made, added=True, paused=given.paused)

    def _require_free(self, folder: WatchedFolder) -> None:
        self._added.require_free(folder.name)
        self._require_path_free(folder)

    def _require_path_free(self, folder: WatchedFolder) -> None:
        for other in self.folders():
            if other.path == folder.path and other.name != folder.name:
                raise UsageError(
                    "The folder {path} is watched as {name} already.",
                    "Change that one, or choose another folder.",
                    path=folder.path,
                    name=other.name,
                )


def _given(folder: WatchedFolder) -> AddedFolder:
    return AddedFolder(
        path=folder.path,
        library=folder.library,
        camera=folder.camera,
        keyframes=folder.keyframes,
        regions=folder.regions,
        tags=folder.tags,
        paused=folder.paused,
    )


def _require_readable(path: Path) -> None:
    """Raise UsageError unless this is a folder that can be listed here."""
    look = Message("Look at how it is spelled, and whether its volume is mounted.")
    if not path.exists():
        raise UsageError("The folder {path} does not exist.", look, path=path)
    if not path.is_dir():
        raise UsageError(
            "{path} is not a folder.", "Give the folder that the recorder writes to.", path=path
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(
            "The folder {path} cannot be read.",
            "Let the user that runs Sightline read it, and what is in it.",
            path=path,
        )


def _state_now(folder: WatchedFolder, logged: FolderState | None) -> FolderState:
    """Return the state of a folder of the roster; ``logged`` is what the log says of it."""
    state = logged or FolderState(folder.name, "", "")
    if state.state == "removed":
        state = replace(state, state="stopped")
    state = replace(state, path=str(folder.path), library=folder.library)
    return replace(state, state="paused", reason="") if folder.paused else state
