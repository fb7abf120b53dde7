"""Pictures that were searched by, kept for a while so that a link to such a search carries them.

Small files in a folder of the data directory that its owner alone reads, each named by the hash of
its content: a link names the hash. They go some time after they were last searched by, and the
oldest sooner where they are many. A search never fails because of them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from search_core.system.locks import write_privately

_log = logging.getLogger(__name__)
#: How long after it was last searched by a picture is kept, and how much all of them may take.
KEPT = timedelta(days=30)
MOST_BYTES = 256 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{32}")


def digest_of(data: bytes) -> str:
    """Return what a picture with this content is called: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class QueryPictures:
    """The kept pictures in ``folder``, which the first of them makes; safe for many processes."""

    def __init__(self, folder: Path, kept: timedelta = KEPT, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._kept = kept
        self._most_bytes = most_bytes

    def keep(self, data: bytes) -> bool:
        """Keep an encoded picture, in place of the oldest; False where it cannot be written."""
        path = self._folder / digest_of(data)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.is_file():
                os.utime(path)
            else:
                write_privately(path, data)
        except OSError as error:
            _log.warning("A picture searched by is not kept: %s", error)
            return False
        self.forget_old()
        return path.is_file()

    def read(self, digest: str) -> bytes | None:
        """Return the picture of this name, None for one that is not kept (any more), or no name."""
        if not _DIGEST.fullmatch(digest):
            return None
        path = self._folder / digest
        try:
            if time.time() - path.stat().st_mtime > self._kept.total_seconds():
                return None
            data = path.read_bytes()
            if digest_of(data) != digest:
                return None
            os.utime(path)
        except OSError:
            return None
        return data

    def forget_old(self, *, dry_run: bool = False) -> int:
        """Remove what is too old or too much; return how many pictures these are."""
        gone, held_bytes = 0, 0
        for path, status in self._newest_first():
            held_bytes += status.st_size
            too_old = time.time() - status.st_mtime > self._kept.total_seconds()
            if too_old or held_bytes > self._most_bytes:
                gone += 1
                if not dry_run:
                    path.unlink(missing_ok=True)
        return gone

    def _newest_first(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield the files, among them those that a process that was killed left half written."""
        found = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    try:
                        found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
                    except FileNotFoundError:  # another process removed it
                        continue
        except FileNotFoundError:
            return
        yield from sorted(found, key=lambda pair: -pair[1].st_mtime)
