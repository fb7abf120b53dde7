"""The Ray cluster an ingest runs on: one that is there already, or one of its own on this machine.

Ray is imported here when it is first asked for, and kept quiet: what it logs goes to its files.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from search_core.errors import EngineError, in_words
from search_core.system.machine import cores

#: Read by Ray as it is imported: no usage reports, nothing on the terminal, and no new cluster when
#: something asks for one after this one was left.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
#: Read then as well: on every system what is started here listens on the loopback address alone.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_CONNECT_S = 5.0
_STDERR = 2
#: Ray waits 30 s for a node it starts (``ray._private.node``); a busy machine may need longer.
_STARTS, _TOO_SLOW = 3, "timed out during startup"
_OBJECT_STORE_BYTES = 256 * 1024**2


def require_ray(alone: bool = False) -> Any:
    """Return the module ``ray``; raises EngineError when it is not installed.

    ``alone`` is whether it is for a cluster of this machine's own; the first call decides.
    """
    for name, value in (_ENVIRONMENT | (_LOOPBACK if alone else {})).items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise EngineError(
            "The engine ray needs Ray, which cannot be imported: {reason}.",
            "`pip install 'sightline[ray]'` installs it; --engine local needs nothing.",
            reason=in_words(error),
        ) from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # What befalls the cluster is printed to stdout, where --json goes; Ray has no switch for it.
    ray._private.worker.print_to_stdstream = lambda *said, **how: None
    return ray


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Connect to the cluster at an address, or start one here; a cluster started here is ended.

    A connection that this process has already is used and left as it is. Raises EngineError.
    """
    ray = require_ray(alone=address is None)
    if ray.is_initialized():
        yield
        return
    if address is not None:
        _check_reachable(address)
    with TemporaryDirectory(prefix="sightline-ray-", ignore_cleanup_errors=True) as folder:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL + 1}
        if address is None:
            options |= {
                "num_cpus": cores(),
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "_temp_dir": folder,
            }
        try:
            with _own_signals(), _quiet_start():
                _start(ray, address or "local", options)
        except Exception as error:  # it raises anything, from ValueError to its own
            raise EngineError(
                "A Ray cluster cannot be started: {reason}."
                if address is None
                else "A Ray cluster cannot be reached at {address}: {reason}.",
                "--engine local needs no cluster.",
                address=address or "",
                reason=in_words(error),
            ) from error
        try:
            yield
        finally:
            with _own_signals():
                ray.shutdown()


def _start(ray: Any, address: str, options: dict[str, Any]) -> None:
    """Initialize Ray; a cluster that started too slowly is started again."""
    for attempt in range(1, _STARTS + 1):
        try:
            ray.init(address, **options)
            return
        except Exception as error:
            if _TOO_SLOW not in str(error) or attempt == _STARTS:
                raise
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise EngineError when nobody answers at an address: Ray itself would try for minutes."""
    if "://" in address:
        raise EngineError(
            "{address} is the address of a Ray client server; an ingest has to be a part of the "
            "cluster.",
            "Run it on a machine of the cluster, with --ray-address auto or HOST:6379.",
            address=address,
        )
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # "auto": Ray finds it
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            "No Ray cluster can be reached at {address}: {reason}.",
            "`ray start --head` starts one; --engine ray without an address uses this machine.",
            address=address,
            reason=in_words(error),
        ) from None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put the handler of SIGTERM back that Ray replaces."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Drop what C++ code, Ray's and gRPC's, writes to stderr while Ray starts its processes."""
    kept, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


def encoder_share(use_gpus: bool) -> EncoderShare:
    """Return what of a cluster its encoders get.

    A GPU each, where there are some. On CPUs one for every two cores, which it does not claim: if
    it did, and its machine were lost, decoding would hold the cores that it waits for.
    """
    ray = require_ray()
    total = ray.cluster_resources()
    gpus, cpus = int(total.get("GPU", 0)), int(total.get("CPU", 0))
    if use_gpus and gpus:
        return EncoderShare(gpus=1.0, most=gpus, elsewhere={})
    here = ray.get_runtime_context().get_node_id()
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    only_head = not nodes.get(here, {}).get("CPU") and len(nodes) > 1
    elsewhere = {"ray.io/node-id": f"!{here}"} if only_head else {}
    return EncoderShare(gpus=0.0, most=max(1, cpus // 2), elsewhere=elsewhere)


@dataclass(frozen=True, slots=True)
class EncoderShare:
    """How many GPUs each encoder has, how many encoders there may be at most, and where.

    ``elsewhere`` is a label selector that leaves a machine without cores alone.
    """

    gpus: float
    most: int
    elsewhere: dict[str, str]
