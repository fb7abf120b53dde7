"""A live camera, as the settings or the command line name it, watched by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from ingest.cameras.stills import folder_of
from search_core.errors import ServeError, UsageError
from search_core.schema.camera import CameraSettings, Transport, check_address, public_address
from search_core.schema.entity import CAMERA_MAX_LENGTH
from search_core.settings import Settings
from search_core.store.library import check_library_name
from search_core.system.locks import file_lock, is_held

_LOCKS_DIR = "cameras"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera to watch; its address is secret, ``retain`` None means for ever.

    One that was ``added`` while Sightline runs can be changed so; ``paused`` ones are not watched.
    """

    name: str
    url: SecretStr
    library: str
    retain: timedelta | None = None
    transport: Transport = "tcp"
    added: bool = False
    paused: bool = False

    @property
    def address(self) -> str:
        """Where it is, without secrets."""
        return public_address(self.url.get_secret_value())

    def is_watched_as(self, other: Camera) -> bool:
        """Whether both are the same stream."""
        mine = (self.name, self.url, self.transport, self.library)
        return mine == (other.name, other.url, other.transport, other.library)


def make_camera(name: str, given: CameraSettings, settings: Settings) -> Camera:
    """Return a camera of the settings; raises UsageError for a name or library that cannot be."""
    check_camera_name(name)
    check_address(given.url.get_secret_value())
    library = check_library_name(given.library or settings.library)
    return Camera(name, given.url, library, given.retain, given.transport)


def configured_cameras(settings: Settings) -> list[Camera]:
    """Return the cameras of the settings by name."""
    return [make_camera(name, given, settings) for name, given in sorted(settings.cameras.items())]


def check_camera_name(name: str) -> str:
    """Return a camera's name; raises UsageError when it cannot be one."""
    # A surrogate, of a byte that is not UTF-8, is not printable, and cannot be encoded.
    if not name.strip() or not name.isprintable() or len(name.encode()) > CAMERA_MAX_LENGTH:
        raise UsageError(
            "{name!r} cannot name a camera.",
            "Use printable characters, at most {most} bytes.",
            name=name,
            most=CAMERA_MAX_LENGTH,
        )
    return name


@contextmanager
def only_watcher(settings: Settings, camera: str) -> Iterator[None]:
    """Hold a camera, so that it is watched once; raises ServeError when it is watched already."""
    busy = ServeError(
        "The camera {name} is being watched already.",
        "By `sightline serve` or another `sightline watch` on this data directory.",
        name=camera,
    )
    with file_lock(_lock_path(settings, camera), busy=busy):
        yield


def is_watched(settings: Settings, camera: str) -> bool:
    """Whether a process watches this camera now."""
    return is_held(_lock_path(settings, camera))


def _lock_path(settings: Settings, camera: str) -> Path:
    return settings.data_dir / _LOCKS_DIR / f"{folder_of(camera)}.lock"
