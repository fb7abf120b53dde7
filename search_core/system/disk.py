"""Disks: what folders take, and a full one, detected before Milvus Lite fails on it."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from search_core.errors import DiskFull
from search_core.messages import Message

#: What must be free for Milvus Lite to be written to, besides twice its log: the thumbnails of what
#: is decoded meanwhile, and the pages of the ledger.
_SLACK_BYTES = 32 << 20
#: What to do about a full disk; what was done before stays done.
FULL_HINT = Message("Free some space, then run the same command again: it goes on from there.")
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether an error says that a disk, or somebody's share of it, is full."""
    return error.errno in _FULL


def free_bytes(place: Path) -> int:
    """Return how much space is left on the disk of a file or folder, there or yet to be made."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def bytes_below(folder: Path) -> int:
    """Return what the files below a folder take; those that vanish meanwhile take nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size if path.is_file() else 0
    return total


def disk_full(place: Path | str) -> DiskFull:
    """Return the error for a disk that is full, named by a file or folder on it."""
    return DiskFull("No space is left on the disk of {place}.", FULL_HINT, place=place)


def require_room(lite_dir: Path) -> None:
    """Raise DiskFull unless an embedded Milvus has room to write its rows, and to write them anew.

    When Milvus Lite cannot write out its log, it forgets the log's rows with the next it can write
    out (3.2.2): it must not come to that.
    """
    log_bytes = sum(file.stat().st_size for file in lite_dir.glob("**/wal/*.arrow"))
    needed = _SLACK_BYTES + 2 * log_bytes
    if free_bytes(lite_dir) < needed:
        raise DiskFull(
            "Less than {size} MiB are free on the disk of {place}.",
            FULL_HINT,
            size=needed >> 20,
            place=lite_dir,
        )
