"""A decoding process for tests that dies or hangs on files of certain names."""

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from ingest.engines.base import Alive, Decoded, DecodeTask, Event
from ingest.engines.decode_process import decode_source, serve


def main(handle: int) -> None:
    with Connection(handle) as connection:
        connection.send(Alive())
        serve(connection, _decode)


def fails_to_start(handle: int) -> None:
    raise RuntimeError("no decoder here")


def _decode(task: DecodeTask, pulse: Callable[[], None]) -> Iterator[Event]:
    name = task.path.stem
    for event in decode_source(task, pulse):
        yield event
        if name.startswith("late") and isinstance(event, Decoded):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("hang"):
            signal.pause()
        if name.startswith("exit"):
            os._exit(3)
