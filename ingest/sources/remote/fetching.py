"""Fetching remote files into the spool, some at once and a few ahead of decoding."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.media.file_types import HEAD_BYTES
from ingest.sources.contents import CHANGED_WHILE_READ, NO_CONTENT, Content, ContentDigest
from ingest.sources.remote.files import Opened, RemoteFile, RemoteFiles
from ingest.sources.remote.spool import KEPT_FREE_BYTES, Spool, no_room
from search_core.errors import MediaError, MediaTooLarge, in_words
from search_core.settings import Settings

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
