"""What this machine lets this process have: cores and memory, also where a cgroup limits them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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
