"""Files elsewhere: s3:// and gs:// addresses and, where settings allow it, those of the web.

All of it goes through fsspec; credentials are found as each store's own tools find them. An address
as it was given may hold secrets: ``uri`` is what is shown and kept, ``url`` what is opened. What
reading raises is put into words about the file, and nothing of an address is quoted.

The web is fetched from without being led into the network this machine is in. Anybody may write an
address, and a harmless name may lead anywhere: by its DNS, or by redirects. So every single
connection is looked at as it is made, and made only to public addresses, or to hosts that the
settings name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.spec import AbstractFileSystem

from ingest.media.files import CHANGED_WHILE_READ
from ingest.sources.remote.addresses import WEB, without_secrets
from search_core.errors import CorruptMedia, MediaError, UnsupportedMedia, in_words
from search_core.messages import Message
from search_core.settings import RemoteSettings

if TYPE_CHECKING:
    import aiohttp


class NotThere(MediaError):
    """Nothing is at the address."""


class Unreachable(MediaError):
    """Nothing at all can be read from there now."""


#: Errors by the names of their classes: they are those of libraries that need not be there.
_UNREACHABLE = {
    "NoCredentialsError": Message(
        "cannot be read without credentials; they are taken from the "
        "environment (AWS_ACCESS_KEY_ID …) or ~/.aws"
    ),
    "PartialCredentialsError": Message("cannot be read: its credentials are incomplete"),
    "ProfileNotFound": Message("cannot be read: AWS_PROFILE names a profile that is not in ~/.aws"),
    "TokenRetrievalError": Message("cannot be read: the login to AWS has run out"),
    "DefaultCredentialsError": Message(
        "cannot be read without credentials; they are taken from "
        "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default login`"
    ),
    "RefreshError": Message("cannot be read: the login to Google has run out"),
    "EndpointConnectionError": Message("cannot be read: its server cannot be reached"),
    "ClientConnectorDNSError": Message("cannot be read: its server's name is not known"),
    "ClientConnectorCertificateError": Message(
        "cannot be read: its server's certificate is not valid"
    ),
    "ClientConnectorError": Message("cannot be read: its server cannot be reached"),
    "ReadTimeoutError": Message("cannot be read: its server did not answer in time"),
    "ConnectTimeoutError": Message("cannot be read: its server did not answer in time"),
    "TimeoutError": Message("cannot be read: its server did not answer in time"),
}
_WORDS = {
    "FileExpired": CHANGED_WHILE_READ,
    "TooManyRedirects": Message("cannot be read: it is redirected in circles"),
    "NonHttpUrlRedirectClientError": Message("is redirected to something other than a web address"),
    "InvalidURL": Message("is not an address"),
    "InvalidUrlClientError": Message("is not an address"),
    "ServerDisconnectedError": Message("cannot be read: its server closed the connection"),
}
_CUT_OFF = ("ClientPayloadError", "IncompleteReadError", "ResponseStreamingError")


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever is raised inside into a MediaError whose message is a predicate."""
    try:
        yield
    except Exception as error:
        raise _media_error(error) from None


def _media_error(error: BaseException) -> MediaError:
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    for raised in reversed(chain):
        if isinstance(raised, MediaError):
            return raised
        if (known := _known(raised)) is not None:
            return known
    if isinstance(error, FileNotFoundError):
        return NotThere(Message("does not exist"))
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):  # gcsfs says so
        return MediaError("may not be read with these credentials")
    if isinstance(error, ValueError) and "range requests" in str(error):
        return MediaError("is an archive on a server that gives no parts of files; download it")
    return MediaError("cannot be read: {error}", error=in_words(error))


def _known(error: BaseException) -> MediaError | None:
    names = [kind.__name__ for kind in type(error).__mro__]
    for name in names:
        if name in _UNREACHABLE:
            return Unreachable(_UNREACHABLE[name])
        if name in _WORDS:
            return MediaError(_WORDS[name])
        if name in _CUT_OFF:
            return CorruptMedia("ended before all of it had come; run again to fetch it anew")
    # gcsfs calls a status code; what aiohttp calls so is its own verdict on a torn answer.
    status = getattr(error, "code" if "HttpError" in names else "status", None)
    return _answered(status) if isinstance(status, int) else None


def _answered(status: int) -> MediaError:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotThere(Message("does not exist"))
    known = status in {item.value for item in HTTPStatus}
    phrase = f" {HTTPStatus(status).phrase}" if known else ""
    return MediaError(
        "cannot be read: its server answered {status}{phrase}", status=status, phrase=phrase
    )


_CONNECT_S = 30.0
_SILENCE_S = 60.0
#: Addresses that stand for an IPv4 address behind a translator: its last four bytes.
_TRANSLATED = IPv6Network("64:ff9b::/96")


@dataclass(slots=True)
class _Request:
    """One request under way, as the connections made for it see it."""

    any_address: bool
    refused: str = ""


_request: ContextVar[_Request] = ContextVar("request")


def web_filesystem(settings: RemoteSettings) -> AbstractFileSystem:
    """Return what opens http(s) addresses; raises UnsupportedMedia for one that is private."""
    import aiohttp  # which takes a tenth of a second, and most commands open no address

    listed = {host.strip("[]").lower() for host in settings.private_hosts}

    async def looked_at(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # Called for each redirect too; aiohttp itself follows none but to http and https.
        current = _Request(any_address=(request.url.host or "").lower() in listed)
        token = _request.set(current)
        try:
            return await handler(request)
        except aiohttp.ClientConnectionError:
            if current.refused:
                raise _refusal(request.url.host, current.refused) from None
            raise
        finally:
            _request.reset(token)

    async def client(**given: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=_socket_to),
            middlewares=(looked_at,),
            timeout=aiohttp.ClientTimeout(
                total=settings.max_seconds, sock_connect=_CONNECT_S, sock_read=_SILENCE_S
            ),
            # What is hashed and kept is the file itself; no cookie goes from one host to another.
            headers={"Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            **given,
        )

    return fsspec.filesystem("https", get_client=client, skip_instance_cache=True)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whatever it is wrapped in."""
    plain = _unwrapped(ip_address(address.partition("%")[0]))
    return plain.is_global and not plain.is_multicast


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return IPv4Address(address.packed[-4:])
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _socket_to(info: tuple[Any, ...]) -> socket.socket:
    """Return a socket for one address, the very one that is connected to; refuse private ones."""
    family, kind, protocol, _, address = info
    request = _request.get()
    if not request.any_address and not is_public(address[0]):
        request.refused = address[0]
        raise PermissionError(errno.EACCES, "is a private address")
    return socket.socket(family, kind, protocol)


def _refusal(host: str | None, address: str) -> UnsupportedMedia:
    where = address if host in (None, address) else f"{host} ({address})"
    return UnsupportedMedia(
        "leads to {where}, which is not on the public internet; "
        "SIGHTLINE_REMOTE_PRIVATE_HOSTS lists hosts that are trusted all the same",
        where=where,
    )


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


@dataclass(slots=True)
class RemoteFiles:
    """What addresses lead to, within what the settings allow. Safe for several threads."""

    _settings: RemoteSettings
    _filesystems: dict[str, AbstractFileSystem] = field(default_factory=dict)

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
