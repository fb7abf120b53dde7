"""Fetching remote files, some at once and a few ahead of decoding.

They lie in the spool while they are decoded: never many of them, never for long.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.media.files import CHANGED_WHILE_READ, HEAD_BYTES, NO_CONTENT, Content, ContentDigest
from ingest.sources.remote.files import Opened, RemoteFile, RemoteFiles
from search_core.errors import MediaError, MediaTooLarge, in_words
from search_core.messages import Message
from search_core.settings import Settings
from search_core.system.locks import file_lock

#: How many files of one run may lie there at once, those that are just coming in included.
MOST_FILES = 12
#: What stays free on the disk for vectors and thumbnails.
KEPT_FREE_BYTES = 512 * 1024**2
_ROOM_EVERY_S = 0.05
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
            time.sleep(_ROOM_EVERY_S)

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


#: How many files are fetched at once, or wait to be decoded in their turn.
AHEAD = 4
_CHUNK_BYTES = 1024**2
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched; ``path`` is None when its ``head`` showed that it is not wanted.

    ``content`` holds its hashes, ``version`` what told its content apart while it was read.
    """

    head: bytes
    size: int
    version: int | None
    path: Path | None = None
    content: Content = NO_CONTENT


class Fetcher:
    """Fetches files in threads of its own; a context manager that leaves no file behind.

    ``go_on`` is called between pieces and may raise to stop.
    """

    def __init__(self, settings: Settings, remote: RemoteFiles, go_on: Callable[[], None]) -> None:
        self._limits = settings.remote
        self._remote = remote
        self._go_on = go_on
        self._spool = Spool(settings.spool_dir)
        self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch")

    def __enter__(self) -> Fetcher:
        self._spool.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._spool.__exit__(*exc_info)

    def start(self, file: RemoteFile, wanted: Callable[[bytes], bool]) -> Future[Fetched]:
        """Begin to fetch a file, unless its first HEAD_BYTES bytes show that it is not wanted."""
        return self._threads.submit(self._fetch, file, wanted)

    def wait(self, fetching: Future[Fetched]) -> Fetched:
        """Return what was fetched; raises MediaError when it could not be."""
        while not wait((fetching,), timeout=_LOOK_EVERY_S).done:
            self._go_on()
        return fetching.result()

    def _fetch(self, file: RemoteFile, wanted: Callable[[bytes], bool]) -> Fetched:
        self._go_on()
        self._check_size(file.size or 0)
        with self._remote.open(file) as opened:
            head = opened.stream.read(HEAD_BYTES) or b""
            size = opened.size if opened.size is not None else len(head)
            self._check_size(size)
            if not head or not wanted(head):
                return Fetched(head, size, opened.version)
            path = self._spool.make_room(size, file.uri.partition("?")[0], self._go_on)
            with _removed_if_failing(path):
                size, content = self._copy(opened, head, path)
                if opened.size is not None and size != opened.size:
                    raise MediaError("ended before all of it had come; run again to fetch it anew")
                if self._remote.look(file.url).version != opened.version:
                    raise MediaError(CHANGED_WHILE_READ)
                if opened.modified_ns is not None:
                    os.utime(path, ns=(opened.modified_ns, opened.modified_ns))
        return Fetched(head, size, opened.version, path, content)

    def _copy(self, opened: Opened, head: bytes, path: Path) -> tuple[int, Content]:
        """Write all there is to a file; return how much it was, and its hashes."""
        until_s = time.monotonic() + self._limits.max_seconds
        digest, size, chunk = ContentDigest(), 0, head
        with path.open("wb") as file:
            while chunk:
                self._go_on()
                digest.update(chunk)
                file.write(chunk)
                size += len(chunk)
                self._check_size(size)
                if time.monotonic() > until_s:
                    raise MediaError(
                        "took longer than {seconds:,.0f} s to come",
                        seconds=self._limits.max_seconds,
                    )
                if opened.size is None and self._spool.free_bytes() < 0:
                    raise MediaError(no_room(size, -KEPT_FREE_BYTES))
                chunk = opened.stream.read(_CHUNK_BYTES) or b""
        return size, digest.content()

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise MediaTooLarge(
                "is larger than the {most:,.0f} MB that are fetched at "
                "most (SIGHTLINE_REMOTE_MAX_BYTES)",
                most=self._limits.max_bytes / 1e6,
            )


@contextmanager
def fetched(settings: Settings, remote: RemoteFiles, uri: str) -> Iterator[tuple[Path, Content]]:
    """Fetch one file to look into it, and remove it afterwards; raises MediaError.

    Yields where it is and its content hashes.
    """
    with Fetcher(settings, remote, lambda: None) as fetcher:
        found = fetcher.wait(fetcher.start(remote.look(uri), lambda head: True))
        if found.path is None:
            raise MediaError("is empty")
        yield found.path, found.content


@contextmanager
def _removed_if_failing(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise MediaError(
                "cannot be kept while it is read: {reason}", reason=in_words(error)
            ) from error
        raise
