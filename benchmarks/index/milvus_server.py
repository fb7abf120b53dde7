"""The standalone Milvus server of the PyPI package ``milvus``, for benchmarks and tests."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import milvus

#: Where benchmarks keep made vectors and peers' environments; git ignores it.
CACHE = Path(__file__).parents[2] / ".cache" / "benchmarks"

_END_S = 120.0
#: Where its etcd listens, whatever its configuration says.
_ETCD_PORTS = (2379, 2380)


class PortsTaken(RuntimeError):
    """Another Milvus or etcd listens where this server's would."""


class ServerConfig(milvus.MilvusServerConfig):  # type: ignore[misc]
    """The package's configuration, without what stands in the way of a server after another."""

    def resolve_storage(self) -> None:
        """Keep data below the server's folder, by a path that is relative to it."""
        super().resolve_storage()
        # With an absolute path, what it keeps of vectors read from a quantised index goes to the
        # very files they were read from, which are gone when the index is released.
        self.set("local_storage_dir", "data")

    def try_bind_port(self, port: int) -> socket.socket | None:
        """Return a socket that listens on the port, None where it is used."""
        # Its etcd always listens on 2379 and 2380. A plain bind takes ports that a server just
        # ended has left in TIME_WAIT for used ones, and then looks for etcd elsewhere.
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            probe.close()
            return None
        return probe


@contextmanager
def standalone(folder: Path, config: ServerConfig | None = None) -> Iterator[milvus.MilvusServer]:
    """Yield a server that runs, with its data in ``folder``.

    One machine runs one such server at a time, its etcd's ports being fixed: waits for another's.
    Raises PortsTaken where it is not one of ours.
    """
    with (Path(tempfile.gettempdir()) / "sightline-test-milvus.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = config or ServerConfig()
        for port in _ETCD_PORTS:
            probe = config.try_bind_port(port)
            if probe is None:
                raise PortsTaken(f"port {port} is taken, by another Milvus or etcd")
            probe.close()
        server = milvus.MilvusServer(config)
        server.set_base_dir(str(folder))
        try:
            server.start()
            yield server
        finally:
            process = server.server_proc
            try:
                server.stop()
            except subprocess.TimeoutExpired:  # it has been killed, and has much memory to free
                process.wait(_END_S)


@contextmanager
def milvus_server(folder: Path | None = None) -> Iterator[str]:
    """Yield the address of a server with its data in ``folder`` (kept), else in a temporary one."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        standalone(folder or Path(scratch)) as server,
    ):
        yield f"http://127.0.0.1:{server.listen_port}"
