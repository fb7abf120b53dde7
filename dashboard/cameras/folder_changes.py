"""What an administrator of all cameras changes of watched folders: allowed, written down, and done.

It is asked when it is done, not only when its button is drawn; camera_changes.py says the same of
cameras. A folder must be one that the settings let the dashboard take files in from.
"""

from __future__ import annotations

from pathlib import Path

from dashboard import resources
from dashboard.auth import identity
from dashboard.auth.server_files import allowed_path
from dashboard.cameras.changes import require_cameras
from dashboard.i18n.gettext import _
from ingest.cameras.folders.folder import WatchedFolder
from ingest.cameras.folders.folder_file import AddedFolder
from ingest.cameras.folders.roster import FolderRoster
from search_core.settings import load_settings
from search_core.store.endpoint import running_serve


def folder_roster() -> FolderRoster:
    """Return the roster, sightline.toml read anew: it may have been changed since the start."""
    return FolderRoster(load_settings())


def may_see_folders() -> bool:
    """Whether the one who looks may see the folders: all cameras, for a folder may hold any."""
    return identity.current().cameras is None


def add_folder(name: str, given: AddedFolder) -> WatchedFolder:
    """Add a folder; raises NotAllowed, UsageError, EncoderMismatch."""
    require_cameras("adding a folder")
    known = folder_roster()
    folder = known.make(name, _allowed(given))
    resources.store().ensure_library(folder.library, resources.encoder().identity)
    resources.forget_what_was_read()  # it may be the first library
    detail = {"added": folder.name, "path": str(folder.path)}
    identity.record("folders", folder.library, detail)
    known.add(folder)
    return folder


def change_folder(name: str, given: AddedFolder) -> None:
    """Watch an added folder as this says; raises NotAllowed, UsageError, EncoderMismatch."""
    require_cameras("changing a folder")
    known = folder_roster()
    if given.path != known.get(name).path:
        given = _allowed(given)
    folder = known.remake(name, given)
    resources.store().ensure_library(folder.library, resources.encoder().identity)
    resources.forget_what_was_read()
    identity.record("folders", folder.library, {"changed": name, "path": str(folder.path)})
    known.change(folder)


def pause_folder(folder: WatchedFolder, *, paused: bool) -> None:
    """Watch a folder no more until it is resumed, or again; raises NotAllowed, UsageError."""
    require_cameras("changing a folder")
    known = folder_roster()
    known.get(folder.name)
    identity.record("folders", folder.library, {"paused" if paused else "resumed": folder.name})
    known.pause(folder.name, paused=paused)


def remove_folder(folder: WatchedFolder) -> None:
    """Remove a folder, what was taken in stays; raises NotAllowed, UsageError."""
    require_cameras("removing a folder")
    known = folder_roster()
    known.get(folder.name)
    detail = {"removed": folder.name, "path": str(folder.path)}
    identity.record("folders", folder.library, detail)
    known.remove(folder.name)


def watched_when() -> str:
    """Return when a folder is watched that was added, changed or resumed just now."""
    if running_serve(resources.settings()) is None:
        return _("It is watched when `sightline serve` runs.")
    return _("It is watched in some seconds.")


def _allowed(given: AddedFolder) -> AddedFolder:
    path = allowed_path(str(given.path), resources.settings())
    return given.model_copy(update={"path": Path(path)})
