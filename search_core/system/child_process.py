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
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from search_core.errors import MediaError, SightlineError, in_words

_DYING_S = 10.0
_LOOK_EVERY_S = 0.1
_STDERR = 2
#: Run in the process: no main module is imported again, and sys.path is the parent's.
_BOOT = (
    "import sys, json, importlib; sys.path[:] = json.loads(sys.argv[1]);"
    "module, _, name = sys.argv[2].partition(':');"
    "getattr(importlib.import_module(module), name)(int(sys.argv[3]))"
)


class ChildProcess:
    """A decoding process that is given one task after the other; started when it is needed.

    ``entry`` is what it runs, ``module:function``: that function is given the file descriptor of a
    Connection, and first sends something over it. ``hang_s`` is how long it may say nothing of a
    task. One that was lost is replaced by a fresh one for the next task.
    """

    def __init__(self, entry: str, hang_s: float) -> None:
        self._entry = entry
        self._hang_s = hang_s
        self._running: tuple[subprocess.Popen[bytes], Connection] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is no process."""
        running = self._running
        return None if running is None else running[0].pid

    def told(
        self, task: object, is_last: Callable[[Any], bool]
    ) -> Generator[Any | None, None, None]:
        """Yield what it says of a task, up to the last message; None while nothing comes.

        Closing it before that ends the process. Raises SightlineError when no process can start,
        and MediaError, with a predicate about what was decoded, when it hangs or crashes.
        """
        _, connection = self._running or self._start()
        over = False
        try:
            connection.send(task)
            heard_s = time.monotonic()
            while not over:
                if connection.poll(_LOOK_EVERY_S):
                    message = connection.recv()
                    over = is_last(message)
                    yield message
                    # Only from here: while the message was dealt with, nobody was listening.
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s <= self._hang_s:
                    yield None
                else:
                    raise MediaError(
                        "made the decoder hang: it gave nothing for {seconds:g} s",
                        seconds=self._hang_s,
                    )
        except (EOFError, OSError):
            raise MediaError("made the decoder crash ({status})", status=self._bury()) from None
        finally:
            if not over:
                self.close()

    def close(self) -> None:
        """End the process at once, where there is one, and close the connection."""
        if self._running is not None:
            (process, connection), self._running = self._running, None
            process.kill()
            process.wait()
            connection.close()

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = Pipe(duplex=True)
        with theirs, TemporaryFile() as complaints:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _BOOT, json.dumps(sys.path)),
                    *(self._entry, str(theirs.fileno())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                process_group=0,  # Ctrl-C in the terminal is for this process alone
            )
            self._running = process, ours
            theirs.close()  # so that the connection breaks when the process ends
            try:
                ours.recv()
            except EOFError:
                cause = self._bury()
                complaints.seek(0)
                last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
                raise SightlineError(
                    "The decoding process cannot start ({cause}): {reason}.",
                    cause=cause,
                    reason=in_words(RuntimeError(*last)),
                ) from None
        return self._running

    def _bury(self) -> str:
        """Return what the process died of, after its connection broke."""
        assert self._running is not None
        (process, connection), self._running = self._running, None
        connection.close()
        try:
            process.wait(timeout=_DYING_S)
        except subprocess.TimeoutExpired:
            process.kill()
        return _cause_of_death(process.wait())


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
