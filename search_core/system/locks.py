"""Advisory locks on files: a process holds one until it lets go or ends, however that comes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(
    path: Path, *, busy: Exception | None = None, private: bool = False
) -> Iterator[None]:
    """Hold a lock file, which is made where it is missing.

    While another process or thread holds it, wait for it, or raise ``busy``. A
    ``private`` one can be opened, and so be held, by its owner alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600 if private else 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            if busy is None:
                raise
            raise busy from None
        yield
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether a process, this one too, holds a lock file."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
