"""The spool: where remote files lie while they are decoded, never many of them, never for long."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from search_core.errors import MediaError
from search_core.messages import Message
from search_core.system.locks import file_lock

#: How many files of one run may lie there at once, those that are just coming in included.
MOST_FILES = 12
#: What stays free on the disk for vectors and thumbnails.
KEPT_FREE_BYTES = 512 * 1024**2
_LOOK_EVERY_S = 0.05
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_LOCK = "lock"


class Spool:
    """One run's own folder below ``spool_dir``; a context manager that leaves nothing behind.

    What a run that was killed left there is removed when the next one begins.
    """

    def __init__(self, spool_dir: Path) -> None:
        self._spool_dir = spool_dir
        self._folder = spool_dir / secrets.token_hex(6)
        self._held = ExitStack()
        self._expected: dict[Path, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Spool:
        if self._spool_dir.is_dir():
            with file_lock(self._spool_dir / _LOCK):
                _sweep(self._spool_dir)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._held:
            shutil.rmtree(self._folder, ignore_errors=True)

    def make_room(self, size: int | None, name: str, go_on: Callable[[], None]) -> Path:
        """Return a new empty file for ``size`` bytes, with the suffix of ``name``.

        Waits until there are not too many files and there is room, calling ``go_on`` again and
        again, which may raise. Raises MediaError when there is no room although nothing else lies
        there.
        """
        suffix = Path(name).suffix
        while True:
            go_on()
            with self._lock:
                self._open()
                lying = self._lying()
                free = self.free_bytes()
                if (size or 0) <= free and len(lying) < MOST_FILES:
                    path = self._folder / (
                        secrets.token_hex(6) + (suffix if _SUFFIX.fullmatch(suffix) else "")
                    )
                    path.touch()
                    self._expected = {**lying, path: size or 0}
                    return path
            if not lying:
                raise MediaError(no_room(size or 0, free))
            time.sleep(_LOOK_EVERY_S)

    def free_bytes(self) -> int:
        """Return how much more may be put here than what is expected already."""
        coming = 0
        for path, expected in self._expected.items():
            with suppress(OSError):
                coming += max(0, expected - path.stat().st_size)
        free = shutil.disk_usage(self._spool_dir).free
        return free - KEPT_FREE_BYTES - coming

    def _lying(self) -> dict[Path, int]:
        return {path: size for path, size in self._expected.items() if path.exists()}

    def _open(self) -> None:
        if not self._folder.exists():
            with file_lock(self._spool_dir / _LOCK):
                self._held.enter_context(file_lock(self._folder / _LOCK))


def no_room(size: int, free: int) -> str:
    """Return the message for a file that does not fit on the disk."""
    return Message(
        "needs {size:,.0f} MB in the data directory to be read, and {free:,.0f} MB are free there",
        size=size / 1e6,
        free=max(0, free) / 1e6,
    )


def _sweep(spool_dir: Path) -> None:
    """Remove the folders of runs that ended: their locks are free."""
    for folder in spool_dir.iterdir():
        if not folder.is_dir():
            continue
        try:
            with file_lock(folder / _LOCK, busy=BlockingIOError()):
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        except OSError:  # it is another's, or going just now
            continue
