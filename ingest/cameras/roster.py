"""The roster: which cameras are to be watched, those of the settings and those added meanwhile.

A name in the settings (sightline.toml) wins, and what is said there is changed there alone. The
others are in cameras.toml in the data directory; `sightline serve` follows what changes there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pydantic import SecretStr

from ingest.cameras.camera import (
    AddedCamera,
    AddedCameras,
    Camera,
    check_camera_name,
    configured_cameras,
    is_watched,
    make_camera,
    was_any_watched,
)
from ingest.cameras.status_log import CameraState, Diary
from ingest.media.regions.registry import OFF, spelled
from search_core.errors import UsageError
from search_core.schema.camera import Transport, check_address
from search_core.schema.filters import quoted
from search_core.settings import Settings
from search_core.system.machine import now_ms


class Roster:
    """The cameras that are to be watched, as the files say now.

    Every method raises SettingsError when cameras.toml cannot be used, and UsageError for a camera
    of the settings that cannot be.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._added = AddedCameras(settings.cameras_path, settings.cameras)

    def cameras(self) -> list[Camera]:
        """Return all by name, paused ones as well."""
        found = {name: self._camera(name, given) for name, given in self._added.all().items()}
        found |= {camera.name: camera for camera in configured_cameras(self._settings)}
        return [found[name] for name in sorted(found)]

    def watched(self) -> list[Camera]:
        """Return those that are to be watched now, by name."""
        return [camera for camera in self.cameras() if not camera.paused]

    def states(self) -> list[CameraState]:
        """Return the status of each camera by name: of these, and of others that were watched.

        How long its keyframes are kept is what it is now. Removed ones are left out.
        """
        cameras = {camera.name: camera for camera in self.cameras()}
        noted: dict[str, CameraState] = {}
        changed: dict[str, timedelta | None] = {}
        if self._settings.ledger_path.exists():
            with Diary(self._settings.ledger_path) as diary:
                noted = {state.name: state for state in diary.cameras()}
                changed = diary.retentions()
        found = {name: _state_now(camera, noted.get(name)) for name, camera in cameras.items()} | {
            name: state
            for name, state in noted.items()
            if name not in cameras and state.state != "removed"
        }
        for name in found.keys() & changed.keys():
            found[name] = replace(found[name], retain_s=_seconds(changed[name]))
        return [found[name] for name in sorted(found)]

    def lost(self) -> list[str]:
        """Return the names of those that are watched and send nothing."""
        if not was_any_watched(self._settings):
            return []
        return [
            state.name
            for state in self.states()
            if state.state == "lost" and is_watched(self._settings, state.name)
        ]

    def make(
        self,
        name: str,
        address: str,
        *,
        library: str | None = None,
        retain: timedelta | None = None,
        transport: Transport = "tcp",
        regions: str = OFF,
    ) -> Camera:
        """Return a camera that can be added; raises UsageError for one that cannot."""
        name = name.strip()
        if not name:
            raise UsageError("The camera has no name.", "Give it one, such as gate-3.")
        quoted(check_camera_name(name))  # what it sees must be found by its name
        self._added.require_free(name)
        given = AddedCamera(
            url=SecretStr(check_address(address)),
            library=library or self._settings.library,
            retain=retain,
            transport=transport,
            regions=regions,
        )
        return self._camera(name, given)

    def add(self, camera: Camera) -> None:
        """Add a camera that :meth:`make` made; raises UsageError when the name is taken by now."""
        self._added.add(
            camera.name,
            AddedCamera(
                url=camera.url,
                library=camera.library,
                retain=camera.retain,
                transport=camera.transport,
                regions=camera.regions,
            ),
        )
        self._forget_changed_retention(camera.name)

    def get(self, name: str) -> Camera:
        """Return one that was added; raises UsageError for another, which is not changed here."""
        return self._camera(name, self._added.get(name))

    def change(
        self,
        name: str,
        *,
        address: str | None = None,
        transport: Transport | None = None,
        regions: str | None = None,
    ) -> None:
        """Give an added camera another address, transport or regions; raises UsageError."""
        new: dict[str, object] = {}
        if address is not None:
            new["url"] = SecretStr(check_address(address))
        if transport is not None:
            new["transport"] = transport
        if regions is not None:
            new["regions"] = spelled(regions)
        self._added.change(name, lambda given: given.model_copy(update=new))

    def pause(self, name: str, *, paused: bool = True) -> None:
        """Pause an added camera, or resume it; raises UsageError."""
        self._added.pause(name, paused=paused)

    def keep_for(self, name: str, retain: timedelta | None) -> None:
        """Keep a camera's keyframes this long, None for ever, wherever it is from."""
        if name in self._settings.cameras or name not in self._added.all():
            with Diary(self._settings.ledger_path) as diary:
                diary.set_retention(name, retain)
            return
        self._added.change(name, lambda given: given.model_copy(update={"retain": retain}))
        self._forget_changed_retention(name)

    def remove(self, name: str) -> None:
        """Remove an added camera, its address with it; raises UsageError.

        What it took stays, for as long as it was to be kept.
        """
        given = self._added.remove(name)
        if name not in self._settings.cameras and self._settings.ledger_path.exists():
            with Diary(self._settings.ledger_path) as diary:
                retain = diary.retentions().get(name, given.retain)
                diary.remove(name, retain, now_ms())

    def _camera(self, name: str, given: AddedCamera) -> Camera:
        made = make_camera(name, given, self._settings)
        return replace(made, added=True, paused=given.paused)

    def _forget_changed_retention(self, name: str) -> None:
        """What is said with the camera counts from now on."""
        if self._settings.ledger_path.exists():
            with Diary(self._settings.ledger_path) as diary:
                diary.forget_retention(name)


def _state_now(camera: Camera, noted: CameraState | None) -> CameraState:
    """Return the state of a camera of the roster; ``noted`` is its state in the status log."""
    if noted is None or noted.state == "removed":
        began = noted or CameraState.before(camera)
        noted = replace(began, state="stopped", reason="")
    return replace(
        noted,
        address=camera.address,
        library=camera.library,
        retain_s=_seconds(camera.retain),
        state="paused" if camera.paused else noted.state,
        reason="" if camera.paused else noted.reason,
    )


def _seconds(lasting: timedelta | None) -> float | None:
    return None if lasting is None else lasting.total_seconds()
