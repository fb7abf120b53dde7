"""A live camera, as the settings or the command line name it, watched by one process at a time.

Those that were added while Sightline runs are in one file, which only its owner can read: their
addresses hold passwords and are nowhere else. Watched folders that were added have one as well.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar, cast

from pydantic import ConfigDict, SecretStr, ValidationError, create_model

from ingest.cameras.stills import folder_of
from ingest.media.regions.registry import OFF, spelled
from search_core.errors import ServeError, SettingsError, UsageError, in_words
from search_core.messages import Message
from search_core.schema.camera import CameraSettings, Transport, check_address, public_address
from search_core.schema.clocks import format_duration
from search_core.schema.entity import CAMERA_MAX_LENGTH
from search_core.settings import FolderSettings, Settings
from search_core.store.library import check_library_name
from search_core.system.locks import file_lock, is_held, write_privately

_LOCKS_DIR = "cameras"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera to watch; its address is secret, ``retain`` None means for ever.

    ``regions`` are the parts of its keyframes that are embedded as well, as for an ingest. One that
    was ``added`` while Sightline runs can be changed so; ``paused`` ones are not watched.
    """

    name: str
    url: SecretStr
    library: str
    retain: timedelta | None = None
    transport: Transport = "tcp"
    added: bool = False
    paused: bool = False
    regions: str = OFF

    @property
    def address(self) -> str:
        """Where it is, without secrets."""
        return public_address(self.url.get_secret_value())

    def is_watched_as(self, other: Camera) -> bool:
        """Whether both are the same stream, and are watched in the same way."""
        mine = (self.name, self.url, self.transport, self.library, self.regions)
        return mine == (other.name, other.url, other.transport, other.library, other.regions)


def make_camera(name: str, given: CameraSettings, settings: Settings) -> Camera:
    """Return a camera of the settings; raises UsageError for a name or library that cannot be."""
    check_camera_name(name)
    check_address(given.url.get_secret_value())
    library = check_library_name(given.library or settings.library)
    regions = spelled(given.regions)
    return Camera(name, given.url, library, given.retain, given.transport, regions=regions)


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


def was_any_watched(settings: Settings) -> bool:
    """Whether any camera was ever watched: cheaper to ask than of each."""
    return (settings.data_dir / _LOCKS_DIR).is_dir()


def _lock_path(settings: Settings, camera: str) -> Path:
    return settings.data_dir / _LOCKS_DIR / f"{folder_of(camera)}.lock"


Given = TypeVar("Given", bound=CameraSettings | FolderSettings)


class AddedTables(Generic[Given]):
    """The ``[kinds.NAME]`` tables of the file at ``path``, each checked by ``model``.

    ``kind`` is what one is called, such as "camera"; ``head`` is the file's first line, ``lines``
    gives the keys of a table with their TOML values, "" for one that is left out. ``configured``
    are the names in sightline.toml, which cannot be added or changed here. Every method raises
    SettingsError when the file cannot be read or written; no error repeats what is in it.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        model: type[Given],
        *,
        head: str,
        lines: Callable[[Given], Mapping[str, str]],
        configured: Collection[str] = (),
    ) -> None:
        self.path = path
        self._kind = kind
        self._kinds = f"{kind}s"
        self._file = create_model(
            f"{kind.title()}s",
            __config__=ConfigDict(extra="forbid", hide_input_in_errors=True),
            # pydantic has no types for a field whose name and type are values.
            **{self._kinds: (dict[str, model], {})},  # type: ignore[valid-type,call-overload]
        )
        self._head = head
        self._lines = lines
        self._configured = configured
        self._known: tuple[tuple[int, ...], dict[str, Given]] = ((), {})

    def all(self) -> dict[str, Given]:
        """Return all of them by name."""
        found = self._read()
        return {name: found[name] for name in sorted(found)}

    def get(self, name: str) -> Given:
        """Return one; raises UsageError when none of that name was added, or it is configured."""
        if name in self._configured:
            raise UsageError(
                "The {kind} {name} is in sightline.toml.",
                "Change it there; `sightline serve` reads that file when it starts.",
                kind=self._kind,
                name=name,
            )
        return self._added(name)

    def _added(self, name: str) -> Given:
        found = self._read().get(name)
        if found is None:
            raise UsageError(
                "No {kind} {name} was added here.",
                "`sightline {kinds}` names those there are.",
                kind=self._kind,
                name=name,
                kinds=self._kinds,
            )
        return found

    def add(self, name: str, given: Given) -> None:
        """Add one; raises UsageError when there is one of that name."""
        with self._changing() as tables:
            self.require_free(name)
            tables[name] = given

    def require_free(self, name: str) -> None:
        """Raise UsageError when there is one of that name, here or in sightline.toml."""
        if name in self._configured or name in self._read():
            raise UsageError(
                "There is a {kind} {name} already.",
                "Choose another name.",
                kind=self._kind,
                name=name,
            )

    def pause(self, name: str, *, paused: bool = True) -> None:
        """Pause one until it is resumed, or resume it; raises UsageError when it is not there."""
        self.change(name, lambda given: cast(Given, given.model_copy(update={"paused": paused})))

    def change(self, name: str, change: Callable[[Given], Given]) -> None:
        """Put what ``change`` makes of one in its place; raises UsageError when it is not there."""
        with self._changing() as tables:
            tables[name] = change(self.get(name))

    def remove(self, name: str) -> Given:
        """Remove one and return it, also one that is configured by now; raises UsageError."""
        with self._changing() as tables:
            removed = self._added(name)
            del tables[name]
        return removed

    def rename_library(self, library: str, name: str) -> None:
        """Let what goes into a library go on into it under its new name."""
        if any(given.library == library for given in self._read().values()):
            with self._changing() as tables:
                for key, given in tables.items():
                    if given.library == library:
                        tables[key] = cast(Given, given.model_copy(update={"library": name}))

    def _read(self) -> dict[str, Given]:
        try:
            found = self.path.stat()
            # Writers put a new file in its place, which has another inode.
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            known_state, tables = self._known
            if state != known_state:
                text = self.path.read_text(encoding="utf-8")
                tables = getattr(self._file.model_validate(tomllib.loads(text)), self._kinds)
                self._known = (state, tables)
            return tables
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(
                "The {kind}s in {path} cannot be read: {reason}.",
                "Mend the file, or put it back from a backup; without it, add them again.",
                kind=self._kind,
                path=self.path,
                reason=_reason(error),
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Given]]:
        """Hold the file for one change, written whole or not at all."""
        try:
            with file_lock(self.path.with_suffix(".lock"), private=True):
                tables = dict(self._read())
                yield tables
                write_privately(self.path, self._written(tables))
        except OSError as error:
            raise self._unwritable(error) from None

    def _written(self, tables: dict[str, Given]) -> str:
        parts = [self._head]
        for name, given in sorted(tables.items()):
            parts.append(f"\n[{self._kinds}.{quoted(name)}]\n")
            parts += [f"{key} = {value}\n" for key, value in self._lines(given).items() if value]
        return "".join(parts)

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(
            "The {kind}s in {path} cannot be changed: {reason}.",
            "Look at the disk's space and at who owns the data directory.",
            kind=self._kind,
            path=self.path,
            reason=in_words(error),
        )


def _reason(error: OSError | ValueError | RecursionError) -> str:
    """Return why a file cannot be read, without what is in it."""
    if isinstance(error, OSError):
        return in_words(error)
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is not TOML"


def quoted(text: str) -> str:
    """Return a TOML string, which JSON's are but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_HEAD = "# Cameras added by the dashboard or `sightline cameras add`. It holds their passwords.\n"


class AddedCamera(CameraSettings):
    """A camera as it is kept; ``paused`` ones are not watched."""

    paused: bool = False


class AddedCameras(AddedTables[AddedCamera]):
    """The cameras in the file at ``path``; no error repeats an address."""

    def __init__(self, path: Path, configured: Collection[str] = ()) -> None:
        super().__init__(
            path, Message("camera"), AddedCamera, head=_HEAD, lines=_lines, configured=configured
        )


def _lines(given: AddedCamera) -> dict[str, str]:
    return {
        "url": quoted(given.url.get_secret_value()),
        "library": quoted(given.library) if given.library else "",
        "retain": quoted(format_duration(given.retain)) if given.retain else "",
        "transport": quoted(given.transport) if given.transport != "tcp" else "",
        "regions": quoted(given.regions) if given.regions != OFF else "",
        "paused": "true" if given.paused else "",
    }
