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

#: The server's program and libraries, unpacked once: 250 MB, and 6 s of a core.
_UNPACKED = CACHE.parent / "milvus"

_END_S = 120.0
#: How far apart the ports of two servers are that run at the same time.
_PORT_STEP = 200
_MOST_SERVERS = 8

_ETCD_SETTINGS = """\
etcd:
  # its peers' port: {{ etcd_peer_port(int): 2380 }}
  config:
    path: {{ etcd_config }}
"""
_ETCD = """\
name: default
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""


class ServerConfig(milvus.MilvusServerConfig):  # type: ignore[misc]
    """The package's configuration, without what stands in the way of several servers."""

    template_text: str

    def load_template(self) -> None:
        """Add etcd's own configuration, which alone says where etcd listens."""
        super().load_template()
        self.template_text = self.template_text.replace("etcd:\n", _ETCD_SETTINGS, 1)

    def resolve_storage(self) -> None:
        """Keep data below the server's folder, by a path that is relative to it."""
        super().resolve_storage()
        # With an absolute path, what it keeps of vectors read from a quantised index goes to the
        # very files they were read from, which are gone when the index is released.
        self.set("local_storage_dir", "data")
        self.set("etcd_config", str(Path(self.base_data_dir, "configs", "etcd.yaml")))

    def write_config(self) -> None:
        """Write etcd's configuration beside the server's."""
        client, peer = (self.get(name) for name in ("etcd_port", "etcd_peer_port"))
        Path(self.get("etcd_config")).write_text(_ETCD.format(client=client, peer=peer))
        super().write_config()

    def move_ports(self, offset: int) -> None:
        """Look for ports from so much higher on, before the first start.

        A later start looks from those found on: in a range of its own a server finds them free.
        """
        for name, item in self.configurable_items.items():
            if name.endswith("_port"):
                item[1] = int(item[1] or self.RANDOM_PORT_START) + offset

    def try_bind_port(self, port: int) -> socket.socket | None:
        """Return a socket that listens on the port, None where it is used."""
        # A plain bind takes ports that a server just ended has left in TIME_WAIT for used ones.
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

    Several run at the same time, each on ports of its own range.
    """
    config = config or ServerConfig()
    with _own_range() as number:
        config.move_ports(number * _PORT_STEP)
        server = milvus.MilvusServer(config)
        server.webservice_port += number * _PORT_STEP
        server.set_base_dir(str(folder))
        programs = folder / "bin"
        if not programs.exists():
            programs.symlink_to(unpacked())
        try:
            server.start()
            yield server
        finally:
            process = server.server_proc
            try:
                server.stop()
            except subprocess.TimeoutExpired:  # it has been killed, and has much memory to free
                process.wait(_END_S)


def unpacked() -> Path:
    """Return the folder of the server's program and libraries, unpacked where they are not yet."""
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    with (_UNPACKED / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        milvus._initialize_data_files(str(_UNPACKED))  # unpacks what another version left there
    return _UNPACKED / "bin"


@contextmanager
def _own_range() -> Iterator[int]:
    """Yield the number of a range of ports that no other server of this machine has."""
    for number in range(_MOST_SERVERS):
        path = Path(tempfile.gettempdir()) / f"sightline-test-milvus-{number}.lock"
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    raise RuntimeError(f"{_MOST_SERVERS} Milvus servers of the package milvus run already")


@contextmanager
def milvus_server(folder: Path | None = None) -> Iterator[str]:
    """Yield the address of a server with its data in ``folder`` (kept), else in a temporary one."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        standalone(folder or Path(scratch)) as server,
    ):
        yield f"http://127.0.0.1:{server.listen_port}"
