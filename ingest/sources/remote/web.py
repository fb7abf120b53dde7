"""Fetching from the web without being led into the network this machine is in.

Anybody may write an address, and a harmless name may lead anywhere: by its DNS, or by redirects. So
every single connection is looked at as it is made, and made only to public addresses, or to hosts
that the settings name.
"""

from __future__ import annotations

import errno
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
import fsspec
from fsspec.spec import AbstractFileSystem

from search_core.errors import UnsupportedMedia
from search_core.settings import RemoteSettings

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
