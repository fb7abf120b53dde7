"""What this machine lets this process have: cores, memory, room on disks, and the time of day.

Cores and memory also where a cgroup limits them. A full disk is detected before Milvus Lite fails
on it.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from search_core.errors import DiskFull
from search_core.messages import Message

_MEMINFO = Path("/proc/meminfo")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    most = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    for folder in _cgroups():
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            if quota != "max":
                most = min(most, math.ceil(int(quota) / int(period)))
    return max(1, most)


def available_memory_bytes() -> int | None:
    """Return how much memory there is for more processes; None where the system does not tell."""
    found = []
    with suppress(OSError, ValueError, KeyError):
        found.append(1024 * _numbers(_MEMINFO)["MemAvailable:"])
    for folder in _cgroups():
        with suppress(OSError, ValueError, KeyError):  # without a limit the file says "max"
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            # What was read from files is given back when it is needed.
            found.append(limit - used + _numbers(folder / "memory.stat")["inactive_file"])
    return max(0, min(found)) if found else None


def _cgroups() -> Iterator[Path]:
    """Yield the folders of this process's cgroup (version 2) and of those it is in."""
    with suppress(OSError):
        for line in _OWN_CGROUP.read_text().splitlines():
            if line.startswith("0::/"):
                own = _CGROUPS / line.removeprefix("0::/")
                yield from (f for f in (own, *own.parents) if f.is_relative_to(_CGROUPS))


def _numbers(table: Path) -> dict[str, int]:
    """Return the first number of every line by the line's first word."""
    rows = (line.split() for line in table.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}


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


def local_zone() -> tzinfo:
    """Return this machine's time zone by its name, so that it knows when its clocks change.

    Where the system has no name for it, it is the offset from UTC of today.
    """
    names = [os.environ.get("TZ", "").lstrip(":")]
    with suppress(OSError):
        names.append(str(Path("/etc/localtime").resolve()).rpartition("/zoneinfo/")[2])
    for name in filter(None, names):
        with suppress(LookupError, ValueError, OSError):  # ZoneInfoNotFoundError is a LookupError
            return ZoneInfo(name)
    return datetime.now(UTC).astimezone().tzinfo or UTC


def now_ms() -> int:
    """Return the time now: epoch milliseconds in UTC."""
    return time.time_ns() // 1_000_000
