"""Camera processes that misbehave, for the supervisor's tests."""

from __future__ import annotations

import sys
import threading
from multiprocessing.connection import Connection

from ingest.cameras.events import Ready


def hang(handle: int) -> None:
    """Start, take the task and say nothing any more."""
    with Connection(handle) as connection:
        connection.send(Ready())
        connection.recv()
        threading.Event().wait()


def end(handle: int) -> None:
    """Start, take the task and end."""
    with Connection(handle) as connection:
        connection.send(Ready())
        connection.recv()
        sys.exit(7)


def refuse(handle: int) -> None:
    """Do not even start."""
    del handle
    sys.exit("no library of that kind")
