"""Whose a collection is while it is made or removed, so that a dead process's can be told."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

#: Nobody can look at another host's processes: what they own is believed to be in use this long.
BELIEVED_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Owner:
    """A process on a host, and since when (epoch ms) it has worked on what it owns.

    ``started`` is when the process started, in its system's words: numbers of processes return.
    """

    host: str
    pid: int
    started: str
    since: int

    @classmethod
    def current(cls) -> Owner:
        """Return this process, from now on."""
        return cls(_host(), os.getpid(), _started(os.getpid()), _now_ms())

    @classmethod
    def from_dict(cls, record: dict[str, object]) -> Owner:
        """Read what :meth:`to_dict` wrote; raises TypeError for something else."""
        return cls(**record)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return asdict(self)

    def is_gone(self) -> bool:
        """Whether the process is known to have ended, or is another host's and a day old."""
        if self.host != _host():
            return self.is_old()
        return _started(self.pid) != self.started

    def is_old(self) -> bool:
        """Whether it began a day ago or earlier."""
        return _now_ms() - self.since > BELIEVED_MS

    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self == replace(Owner.current(), since=self.since)


@cache
def _host() -> str:
    # Containers that share a host's name do not see each other's processes.
    try:
        seen = f"/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        seen = ""
    return f"{socket.gethostname()}{seen}"


def _started(pid: int) -> str:
    """Return when a process started, "" where it does not run (any more)."""
    if platform.system() == "Linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        # After the name in brackets, which may hold anything: field 3 is the state, 22 the start in
        # ticks since the boot (proc_pid_stat(5)). A zombie no longer works on anything.
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{boot}+{fields[19]}"
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _now_ms() -> int:
    return round(time.time() * 1000)
