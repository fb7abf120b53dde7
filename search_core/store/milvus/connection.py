"""Connecting to Milvus, embedded or on a server, and taking turns to write to the embedded one."""

from __future__ import annotations

import fcntl
import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.errors import StoreBusy, StoreUnavailable
from search_core.indexes.milvus_version import ServerInfo
from search_core.store.endpoint import Endpoint, is_locked
from search_core.store.lite.read_only import read_only
from search_core.store.milvus.errors import is_access, reason_of, to_error

_LOG = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")


def remove_flushed_logs(lite_dir: Path) -> None:
    """Remove logs of rows that a killed Milvus Lite had put into its files already.

    When it starts it replays each log that it finds. Killed after its manifest named the files and
    before their log was gone, it would have every one of those rows twice. What the manifest still
    needs is left, so this is safe at any time.
    """
    for manifest in lite_dir.glob("collections/*/manifest.json"):
        try:
            active = json.loads(manifest.read_text(encoding="utf-8"))["active_wal_number"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # Milvus Lite has its ways with it
        for log in manifest.parent.glob("wal/*.arrow"):
            named = _LOG.fullmatch(log.name)
            if named and active is not None and int(named.group(1)) < active:
                log.unlink(missing_ok=True)


#: Milvus Lite's server allows a ping every five minutes (gRPC's default); pymilvus sends one every
#: ten seconds, for which the server would close the connection in the middle of long requests.
_LITE_OPTIONS = {"grpc.keepalive_time_ms": 360_000, "grpc.keepalive_permit_without_calls": 0}

_RECONNECT_S = 5.0


def connect(endpoint: Endpoint) -> MilvusClient:
    """Return a client of this Milvus, waiting for a server up to the endpoint's ``timeout_s``.

    Raises StoreUnavailable; StoreBusy where another process holds the embedded Milvus; at once
    StoreAccessDenied where a server refuses the user.
    """
    # Milvus logs a traceback for every refused call; Sightline's errors say it in a sentence.
    for name in ("pymilvus", "milvus_lite", "grpc._server"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    embedded = "://" not in endpoint.uri
    if embedded:
        Path(endpoint.uri).parent.mkdir(parents=True, exist_ok=True)
        remove_flushed_logs(Path(endpoint.uri))
    until_s = time.monotonic() + endpoint.timeout_s
    while True:
        try:
            return _connected(endpoint)
        except (MilvusException, OSError) as error:
            if embedded and is_locked(Path(endpoint.uri)):
                raise StoreBusy(
                    "Another Sightline command is using {uri}.",
                    "Wait for it to end, or run `sightline serve`, which several commands can "
                    "share.",
                    uri=endpoint.uri,
                ) from None
            if is_access(error):
                raise to_error(error, f"connecting to {endpoint.uri}") from error
            if embedded or time.monotonic() >= until_s:
                raise StoreUnavailable(
                    "Milvus at {uri} cannot be reached: {reason}.",
                    "Check SIGHTLINE_MILVUS_URI, or unset it to use the embedded Milvus Lite.",
                    uri=endpoint.uri,
                    reason=reason_of(error)[:200],
                ) from error


def _connected(endpoint: Endpoint) -> MilvusClient:
    return MilvusClient(
        endpoint.uri,
        token=endpoint.token,
        # A call that finds the connection lost waits this long for another, too.
        timeout=min(_RECONNECT_S, endpoint.timeout_s),
        grpc_options=_LITE_OPTIONS if endpoint.embedded else {},
    )


def server_of(client: MilvusClient, endpoint: Endpoint) -> ServerInfo:
    """Return which Milvus answers: its version, and whether it is Milvus Lite behind an address."""
    version = str(client.get_server_version())
    release = version.removeprefix("milvus_lite-")
    return ServerInfo.reported(release, embedded=endpoint.embedded or release != version)


def disconnect(client: MilvusClient, endpoint: Endpoint) -> None:
    """Close a client, and let go of the embedded Milvus's lock."""
    client.close()
    if "://" not in endpoint.uri:
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_server(endpoint.uri)


@contextmanager
def write_lock(endpoint: Endpoint) -> Iterator[None]:
    """Serialise writers: the embedded Milvus is not safe with several at once.

    Raises StoreReadOnly where it cannot be written.
    """
    if endpoint.read_only is not None:
        raise read_only(endpoint.read_only)
    with endpoint.write_lock.open("a") if endpoint.write_lock else nullcontext() as file:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
