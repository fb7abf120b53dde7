"""A process of ours for decoding, started from any process with threads, watched over a pipe.

Decoders are C code fed with strangers' files and streams: what crashes or hangs is this process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile

from search_core.errors import SightlineError, in_words

_DYING_S = 10.0
_STDERR = 2
#: Run in the process: no main module is imported again, and sys.path is the parent's.
_BOOT = (
    "import sys, json, importlib; sys.path[:] = json.loads(sys.argv[1]);"
    "module, _, name = sys.argv[2].partition(':');"
    "getattr(importlib.import_module(module), name)(int(sys.argv[3]))"
)


class ChildProcess:
    """A decoding process and the connection to it; ``entry`` is what it runs, ``module:function``.

    That function is given the file descriptor of a Connection, and first sends something over it.
    Raises SightlineError when the process cannot start.
    """

    def __init__(self, entry: str) -> None:
        self.connection, theirs = Pipe(duplex=True)
        with theirs, TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(sys.path), entry, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                process_group=0,  # Ctrl-C in the terminal is for this process alone
            )
            theirs.close()  # so that the connection breaks when the process ends
            try:
                self.connection.recv()
            except EOFError:
                cause = self.bury()
                complaints.seek(0)
                last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
                raise SightlineError(
                    "The decoding process cannot start ({cause}): {reason}.",
                    cause=cause,
                    reason=in_words(RuntimeError(*last)),
                ) from None
        self.alive = True

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the process at once and close the connection."""
        self.alive = False
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def bury(self) -> str:
        """Return what the process died of, after its connection broke."""
        self.alive = False
        self.connection.close()
        try:
            self._process.wait(timeout=_DYING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return _cause_of_death(self._process.wait())


@contextmanager
def parent_process(
    handle: int, ready: object, *, most_memory_bytes: int | None = None
) -> Iterator[Connection]:
    """In the child: give the connection to the parent, which has been sent ``ready``.

    It may take ``most_memory_bytes`` on top of what it starts with, where the system can limit
    that: a file that needs more fails, rather than the machine. What decoders print is dropped.
    """
    if most_memory_bytes is not None:
        with suppress(ValueError, OSError):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + most_memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    with Connection(handle) as connection:
        connection.send(ready)
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
        yield connection


def _cause_of_death(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status}, {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
