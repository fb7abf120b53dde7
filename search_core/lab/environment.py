"""Where a comparison was measured: versions and machine, as its records keep them."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from search_core.servers import ServerInfo


def versions(server: ServerInfo) -> dict[str, str]:
    """Return the versions that decide what is measured, by name; ``?`` where there is none."""
    return {
        "sightline": _version("sightline"),
        "milvus": str(server),
        "pymilvus": _version("pymilvus"),
        "numpy": _version("numpy"),
        "torch": _version("torch"),
        "open_clip": _version("open_clip_torch"),
        "python": platform.python_version(),
    }


def machine() -> dict[str, str | int]:
    """Return this machine: its processor, the cores this process may use, memory, system."""
    return {
        "cpu": _processor(),
        "cores": _cores(),
        "memory_bytes": _memory_bytes(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
