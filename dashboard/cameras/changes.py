"""What an administrator of all cameras changes of cameras and watched folders.

Each change is allowed, written into the audit log, and then done. No address gets into the audit
log but its public part. A folder must be one that the settings let the dashboard read.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from dashboard import resources
from dashboard.auth import identity
from dashboard.auth.server_files import allowed_path
from dashboard.i18n.gettext import N_, _
from ingest.cameras.camera import Camera
from ingest.cameras.folders.folder import AddedFolder, WatchedFolder
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from search_core.access.audit_log import Action
from search_core.schema.camera import public_address
from search_core.schema.clocks import format_duration
from search_core.settings import load_settings
from search_core.store.endpoint import running_serve


def roster() -> Roster:
    """Return the cameras' roster, with sightline.toml as it is now."""
    return Roster(load_settings())


def folder_roster() -> FolderRoster:
    """Return the folders' roster, with sightline.toml as it is now."""
    return FolderRoster(load_settings())


def add_camera(camera: Camera) -> None:
    """Add a camera that the roster made; raises NotAllowed, UsageError, EncoderMismatch."""
    identity.require_removing("adding a camera")
    _ensure_library(camera.library)
    detail = {"added": camera.name, **_place(camera), "kept": lasting(camera.retain)}
    identity.record("cameras", camera.library, detail)
    roster().add(camera)


def add_folder(name: str, given: AddedFolder) -> WatchedFolder:
    """Add a folder; raises NotAllowed, UsageError, EncoderMismatch."""
    identity.require_removing("adding a folder")
    known = folder_roster()
    folder = known.make(name, _allowed(given))
    _ensure_library(folder.library)
    identity.record("folders", folder.library, {"added": folder.name, **_place(folder)})
    known.add(folder)
    return folder


def change_address(camera: Camera, address: str) -> None:
    """Give a camera another address; raises NotAllowed, UsageError."""
    identity.require_removing("changing a camera")
    known = roster()
    known.get(camera.name)
    detail = {"changed": camera.name, "address": public_address(address)}
    identity.record("cameras", camera.library, detail)
    known.change(camera.name, address=address)


def change_regions(camera: Camera, regions: str) -> None:
    """Embed these regions of a camera's keyframes from now on; raises NotAllowed, UsageError."""
    identity.require_removing("changing a camera")
    known = roster()
    known.get(camera.name)
    identity.record("cameras", camera.library, {"changed": camera.name, "regions": regions})
    known.change(camera.name, regions=regions)


def change_folder(name: str, given: AddedFolder) -> None:
    """Watch an added folder as this says; raises NotAllowed, UsageError, EncoderMismatch."""
    identity.require_removing("changing a folder")
    known = folder_roster()
    if given.path != known.get(name).path:
        given = _allowed(given)
    folder = known.remake(name, given)
    _ensure_library(folder.library)
    identity.record("folders", folder.library, {"changed": name, **_place(folder)})
    known.change(folder)


def keep_for(camera: Camera, retain: timedelta | None) -> None:
    """Keep a camera's keyframes this long, None for ever; raises NotAllowed."""
    identity.require_removing("changing how long keyframes are kept")
    identity.record("delete", camera.library, {"camera": camera.name, "kept": lasting(retain)})
    roster().keep_for(camera.name, retain)


def pause(item: Camera | WatchedFolder, *, paused: bool) -> None:
    """Pause a camera or folder, or resume it; raises NotAllowed, UsageError."""
    known, action = _roster_of(item, "changing a camera", "changing a folder")
    identity.record(action, item.library, {"paused" if paused else "resumed": item.name})
    known.pause(item.name, paused=paused)


def remove(item: Camera | WatchedFolder) -> None:
    """Remove a camera or folder, its keyframes stay; raises NotAllowed, UsageError."""
    known, action = _roster_of(item, "removing a camera", "removing a folder")
    identity.record(action, item.library, {"removed": item.name, **_place(item)})
    known.remove(item.name)


def watched_when() -> str:
    """Return when a camera or folder is watched that was added, changed or resumed just now."""
    if running_serve(resources.settings()) is None:
        return _("Watching begins when the server is started.")
    return _("Watching begins within seconds.")


def lasting(retain: timedelta | None) -> str:
    """Return how long that is, to be translated."""
    return format_duration(retain) if retain else N_("indefinitely")


def _roster_of(
    item: Camera | WatchedFolder, doing_camera: str, doing_folder: str
) -> tuple[Roster | FolderRoster, Action]:
    """Return the roster that holds an added camera or folder; raises NotAllowed, UsageError."""
    is_camera = isinstance(item, Camera)
    identity.require_removing(doing_camera if is_camera else doing_folder)
    known = roster() if is_camera else folder_roster()
    known.get(item.name)
    return known, "cameras" if is_camera else "folders"


def _place(item: Camera | WatchedFolder) -> dict[str, str]:
    return {"address": item.address} if isinstance(item, Camera) else {"path": str(item.path)}


def _ensure_library(name: str) -> None:
    resources.store().ensure_library(name, resources.encoder().identity)
    resources.forget_what_was_read()  # it may be the first library


def _allowed(given: AddedFolder) -> AddedFolder:
    path = allowed_path(str(given.path), resources.settings())
    return given.model_copy(update={"path": Path(path)})
