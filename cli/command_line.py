"""This process's own command line, which everybody on the machine can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_ARG_START, _ARG_END = 47, 48  # fields of /proc/PID/stat, counted from 0


def hide_in_command_line(secret: str) -> None:
    """Overwrite an argument of this process where other processes see it (Linux); best effort.

    Programs that list processes show dots from then on. It was to be read until now: what must not
    be read at all belongs on stdin or in a file.
    """
    hidden = secret.encode()
    if not hidden:
        return
    with suppress(OSError, ValueError, IndexError):
        stat = Path("/proc/self/stat").read_text()
        # The second field, the program's name in brackets, may hold anything.
        fields = ["", "", *stat.rpartition(")")[2].split()]
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            arguments = memory.read(end - start)
            position = arguments.find(hidden)
            while position >= 0:
                os.pwrite(memory.fileno(), b"." * len(hidden), start + position)
                position = arguments.find(hidden, position + len(hidden))
