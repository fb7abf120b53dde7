"""Files between processes: advisory locks, which a process holds until it lets go or ends, however
that comes; and files that hold secrets, which only their owner can read, from the first byte on.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
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


def write_privately(path: Path, content: str | bytes) -> None:
    """Put a new file with this content in a file's place, whole or not at all; raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # its owner alone reads it
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
