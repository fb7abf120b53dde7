"""Mounts: on which file system a file lay, so that one that is away is not taken for a deletion."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its mount point, and its id as the operating system states it.

    The id is not stable for every kind of file system: equal ids mean the same one, different ids
    may mean the same one after a restart.
    """

    point: str = ""
    filesystem: str = ""


NO_MOUNT = Mount()


def mount_of(path: Path) -> Mount:
    """Return the mount of a file or folder, links resolved; NO_MOUNT when it is not there."""
    try:
        place = os.path.realpath(path, strict=True)
        while not os.path.ismount(place):
            place = os.path.dirname(place)  # noqa: PTH120 - strings, for it is done for every file
        return Mount(place, str(os.statvfs(place).f_fsid))
    except OSError:
        return NO_MOUNT


def nearest_folder(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    return next((parent for parent in path.parents if parent.is_dir()), Path(path.anchor or "/"))
