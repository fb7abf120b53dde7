"""The cameras that were added while Sightline runs: one file, which only its owner can read.

Their addresses hold passwords and are nowhere else. The file is written by Sightline alone, has the
tables of sightline.toml, and may be read by anybody who may read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from search_core.cameras import CameraSettings
from search_core.durations import format_duration
from search_core.errors import SettingsError, UsageError, in_words
from search_core.private_file import write_privately

_HEAD = "# Cameras added by the dashboard or `sightline cameras add`. It holds their passwords.\n"


class AddedCamera(CameraSettings):
    """A camera as it is kept; ``paused`` ones are not watched."""

    paused: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cameras: dict[str, AddedCamera] = {}


class AddedCameras:
    """The cameras in the file at ``path``; safe for several processes and threads.

    Every method raises SettingsError when the file cannot be read or written; no error repeats an
    address.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, ...], dict[str, AddedCamera]] = ((), {})

    def all(self) -> dict[str, AddedCamera]:
        """Return all of them by name."""
        found = self._read()
        return {name: found[name] for name in sorted(found)}

    def get(self, name: str) -> AddedCamera:
        """Return one; raises UsageError when none of that name was added."""
        found = self._read().get(name)
        if found is None:
            raise UsageError(
                f"No camera {name} was added here.", "`sightline cameras` names those there are."
            )
        return found

    def add(self, name: str, given: AddedCamera) -> None:
        """Add one; raises UsageError when there is one of that name."""
        with self._changing() as cameras:
            if name in cameras:
                raise UsageError(f"There is a camera {name} already.", "Choose another name.")
            cameras[name] = given

    def change(self, name: str, change: Callable[[AddedCamera], AddedCamera]) -> None:
        """Put what ``change`` makes of one in its place; raises UsageError when it is not there."""
        with self._changing() as cameras:
            cameras[name] = change(self.get(name))

    def remove(self, name: str) -> None:
        """Remove one, and its address with it; raises UsageError when it is not there."""
        with self._changing() as cameras:
            self.get(name)
            del cameras[name]

    def rename_library(self, library: str, name: str) -> None:
        """Let the cameras of a library go on in it under its new name."""
        if any(given.library == library for given in self._read().values()):
            with self._changing() as cameras:
                for camera, given in cameras.items():
                    if given.library == library:
                        cameras[camera] = given.model_copy(update={"library": name})

    def _read(self) -> dict[str, AddedCamera]:
        try:
            found = self.path.stat()
            # Writers put a new file in its place, which has another inode.
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            known_state, cameras = self._known
            if state != known_state:
                text = self.path.read_text(encoding="utf-8")
                cameras = _File.model_validate(tomllib.loads(text)).cameras
                self._known = (state, cameras)
            return cameras
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(
                f"The cameras in {self.path} cannot be read: {_reason(error)}.",
                "Mend the file, or put it back from a backup; without it, add them again.",
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, AddedCamera]]:
        """Hold the file for one change, written whole or not at all."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            cameras = dict(self._read())
            yield cameras
            write_privately(self.path, _written(cameras))
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            os.close(lock)

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(
            f"The cameras in {self.path} cannot be changed: {in_words(error)}.",
            "Look at the disk's space and at who owns the data directory.",
        )


def _reason(error: OSError | ValueError | RecursionError) -> str:
    """Return why a file cannot be read, without what is in it."""
    if isinstance(error, OSError):
        return in_words(error)
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
    return "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else "it is no TOML"


def _written(cameras: dict[str, AddedCamera]) -> str:
    tables = [_HEAD]
    for name, given in sorted(cameras.items()):
        lines = {
            "url": _quoted(given.url.get_secret_value()),
            "library": _quoted(given.library) if given.library else "",
            "retain": _quoted(format_duration(given.retain)) if given.retain else "",
            "transport": _quoted(given.transport) if given.transport != "tcp" else "",
            "paused": "true" if given.paused else "",
        }
        tables.append(f"\n[cameras.{_quoted(name)}]\n")
        tables += [f"{key} = {value}\n" for key, value in lines.items() if value]
    return "".join(tables)


def _quoted(text: str) -> str:
    """Return a TOML string, which JSON's are but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
