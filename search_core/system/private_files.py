"""Files that hold secrets: only their owner can read them, from the first byte on."""

from __future__ import annotations

import os
from pathlib import Path


def write_privately(path: Path, text: str) -> None:
    """Put a new file with this text in a file's place, whole or not at all; raises OSError.

    One writer at a time: whoever calls this holds a lock of its own.
    """
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123  # it is open already
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
