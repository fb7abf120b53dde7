"""Files elsewhere: s3:// and gs:// addresses and, where settings allow it, those of the web.

All of it goes through fsspec; credentials are found as each store's own tools find them. An address
as it was given may hold secrets: ``uri`` is what is shown and kept, ``url`` what is opened.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import fsspec
from fsspec.spec import AbstractFileSystem

from ingest.sources.remote.addresses import WEB, without_secrets
from ingest.sources.remote.errors import NotThere, translated
from ingest.sources.remote.web import web_filesystem
from search_core.errors import MediaError, UnsupportedMedia
from search_core.messages import Message
from search_core.settings import RemoteSettings

_EXTRAS = {"s3": "s3", "gs": "gcs"}
_BLOCK_BYTES = 8 * 1024**2
#: Blocks of an archive, of which only the directory and some members are read.
_PART_BYTES = 1024**2
_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file elsewhere. ``version`` changes when its content does; None where nothing tells.

    ``size`` is in bytes, None where it is not told. ``url`` is not to be shown.
    """

    url: str = field(repr=False)
    uri: str
    size: int | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A remote file, opened: its bytes and their metadata; ``modified_ns`` since the epoch.

    ``stream`` raises MediaError when reading fails.
    """

    stream: io.RawIOBase
    size: int | None
    version: int | None
    modified_ns: int | None


class RemoteFiles:
    """What addresses lead to, within what the settings allow. Safe for several threads."""

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self._filesystems: dict[str, AbstractFileSystem] = {}

    def find(self, address: str) -> Iterator[RemoteFile]:
        """Yield the files an address names, by name: one, a folder's, or those a pattern matches.

        A file that was itself named has the address as its ``url``. Raises MediaError.
        """
        scheme = _scheme(address)
        files = self._filesystem(scheme)
        if scheme in WEB:
            yield self._file(address, without_secrets(address), _info(files, address))
            return
        _check_bucket(address)
        try:
            found = _info(files, address)
        except MediaError:
            if not _MAGIC.search(address):
                raise
            with translated():
                matches = files.glob(address, detail=True)
            if not matches:
                raise MediaError("matches no file") from None
            for name in sorted(matches):
                yield from self._below(scheme, files, matches[name])
            return
        if found["type"] == "directory":
            yield from self._below(scheme, files, found)
        else:
            yield self._file(address, address, found)

    def _below(
        self, scheme: str, files: AbstractFileSystem, found: Mapping[str, Any]
    ) -> Iterator[RemoteFile]:
        """Yield a file that was found, or the files of a folder, hidden ones left out."""
        infos = {found["name"]: found}
        root = ""
        if found["type"] == "directory":
            root = str(found["name"]).rstrip("/") + "/"
            with translated():
                infos = files.find(found["name"], detail=True)
        for name in sorted(infos):
            hidden = any(part.startswith(".") for part in name.removeprefix(root).split("/"))
            if infos[name]["type"] == "file" and not name.endswith("/") and not (root and hidden):
                url = f"{scheme}://{name}"
                yield self._file(url, url, infos[name])

    @contextmanager
    def open(self, file: RemoteFile) -> Iterator[Opened]:
        """Open a file to be read once, from its first byte to its last; raises MediaError."""
        files = self._filesystem(_scheme(file.url))
        with translated():
            if _scheme(file.url) in WEB:
                info = files.info(file.url)
                handle = files.open(file.url, "rb", block_size=0, size=1)
            else:
                handle = files.open(file.url, "rb", block_size=_BLOCK_BYTES)
                info = handle.details
        with closing(handle):
            yield Opened(_Stream(handle), _size(info), version_of(info), _modified_ns(info))

    def open_parts(self, file: RemoteFile) -> io.BufferedReader:
        """Open a file to be read here and there, as archives are; raises MediaError."""
        files = self._filesystem(_scheme(file.url))
        with translated():
            handle = files.open(file.url, "rb", block_size=_PART_BYTES)
        return io.BufferedReader(_Stream(handle), _PART_BYTES)

    def look(self, url: str) -> RemoteFile:
        """Return the file that is at an address now; raises MediaError."""
        scheme = _scheme(url)
        info = _info(self._filesystem(scheme), url)
        if info["type"] == "directory":
            raise NotThere(Message("does not exist"))
        return self._file(url, without_secrets(url), info)

    def _file(self, url: str, uri: str, info: Mapping[str, Any]) -> RemoteFile:
        return RemoteFile(url, uri, _size(info), version_of(info))

    def _filesystem(self, scheme: str) -> AbstractFileSystem:
        if scheme not in self._filesystems:
            self._filesystems[scheme] = self._made(scheme)
        return self._filesystems[scheme]

    def _made(self, scheme: str) -> AbstractFileSystem:
        if scheme in WEB:
            if not self._settings.allow_urls:
                raise UnsupportedMedia(
                    "is an address of the web, and those are fetched only where "
                    "SIGHTLINE_REMOTE_ALLOW_URLS=true allows it"
                )
            return web_filesystem(self._settings)
        if scheme not in _EXTRAS:
            raise UnsupportedMedia(
                "is an address of a kind that is not read ({scheme}://); "
                "s3://, gs:// and https:// are",
                scheme=scheme,
            )
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if scheme == "s3" and self._settings.s3_endpoint is not None:
            options["endpoint_url"] = self._settings.s3_endpoint
        try:
            return fsspec.filesystem(scheme, **options)
        except ImportError:
            extra = _EXTRAS[scheme]
            raise UnsupportedMedia(
                "needs the extra {extra!r} to be read: pip install 'sightline[{extra}]'",
                extra=extra,
            ) from None


def version_of(info: Mapping[str, Any]) -> int | None:
    """Return a number that stands for a file's content, from what its store tells of it."""
    names = ("ETag", "etag", "md5Hash", "Last-Modified", "LastModified", "updated")
    mark = next((str(info[name]) for name in names if info.get(name)), None)
    if mark is None:
        return None
    # 60 bits: the ledger keeps them where the time of a local file stands, and takes them for old.
    digest = hashlib.blake2b(mark.strip('"').encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 4


class _Stream(io.RawIOBase):
    """fsspec's file as the standard library's classes want it, with Sightline's errors."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with translated():
            return int(self._handle.seek(offset, whence))

    def tell(self) -> int:
        return int(self._handle.tell())

    def readinto(self, buffer: Any) -> int:
        with translated():
            data = self._handle.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._handle.close()
        super().close()


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _check_bucket(address: str) -> None:
    bucket = address.partition("://")[2].partition("/")[0]
    if not bucket or _MAGIC.search(bucket):
        raise MediaError("names no bucket")
    if "@" in bucket:
        raise UnsupportedMedia(
            "has credentials in its address; they belong into the environment or ~/.aws"
        )


def _info(files: AbstractFileSystem, url: str) -> dict[str, Any]:
    with translated():
        return dict(files.info(url))


def _size(info: Mapping[str, Any]) -> int | None:
    return None if info.get("size") is None else int(info["size"])


def _modified_ns(info: Mapping[str, Any]) -> int | None:
    """Return when a file was changed last, where its store tells."""
    for name in ("LastModified", "Last-Modified", "updated", "mtime"):
        told = info.get(name)
        try:
            if isinstance(told, str):
                told = (
                    parsedate_to_datetime(told)
                    if name == "Last-Modified"
                    else datetime.fromisoformat(told)
                )
            if isinstance(told, datetime):
                return int(told.timestamp() * 1_000_000_000)
        except (ValueError, OverflowError, OSError):
            continue
    return None
