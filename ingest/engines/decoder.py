"""A decoding process that is watched: what it says of one source, whatever the source does to it.

When the process dies, or says nothing for too long, the source it was at failed and a fresh process
takes the next one.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

from ingest.engines.base import Alive, DecodeTask, Event, Failed, Finished, Opened
from search_core.messages import Message
from search_core.system.child_process import ChildProcess

HANG_S = 120.0
ENTRY = "ingest.engines.decode_process:main"
_LOOK_EVERY_S = 0.1


class Decoder:
    """Decodes one source after the other in a process of its own, started when it is needed.

    ``hang_s`` is how long the process may be silent; ``entry`` is what it runs,
    ``module:function``.
    """

    def __init__(self, entry: str = ENTRY, hang_s: float = HANG_S) -> None:
        self._entry = entry
        self._hang_s = hang_s
        self._process: ChildProcess | None = None
        #: What starting a process took, once one has begun a source: seconds of a core.
        self.start_s = 0.0

    def events(self, task: DecodeTask) -> Generator[Event | None, None, None]:
        """Yield a source's events, at the end Finished or Failed; None while nothing comes.

        Closing it before the end ends the process. Raises SightlineError when no process can start.
        """
        if self._process is None or not self._process.alive:
            self._process = ChildProcess(self._entry)
        process, over = self._process, False
        try:
            process.connection.send(task)
            heard_s = time.monotonic()
            while not over:
                if process.connection.poll(_LOOK_EVERY_S):
                    event: Event = process.connection.recv()
                    if isinstance(event, Alive):
                        self.start_s = self.start_s or event.cpu_s
                    over = isinstance(event, Finished | Failed)
                    yield event
                    # Only from here: while the event was dealt with, nobody was listening.
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s <= self._hang_s:
                    yield None
                else:
                    process.kill()
                    over = True
                    reason = Message(
                        "made the decoder hang: it gave nothing for {seconds:.0f} s",
                        seconds=self._hang_s,
                    )
                    yield Failed("decode", reason)
        except (EOFError, OSError):
            over = True
            reason = Message("made the decoder crash ({status})", status=process.bury())
            yield Failed("decode", reason)
        finally:
            if not over:
                process.kill()

    def header(self, task: DecodeTask) -> Opened | Failed:
        """Return what a source is by its header, or why that cannot be told."""
        told = list(self.events(replace(task, header_only=True)))
        return next(event for event in told if isinstance(event, Opened | Failed))

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.alive:
            self._process.kill()
