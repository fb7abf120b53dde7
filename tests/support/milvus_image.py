"""Makes an image of Milvus where none can be pulled: ``python -m tests.support.milvus_image TAG``.

It holds the server of the PyPI package ``milvus`` and the libraries of this machine that the server
is linked with, nothing else. The published image answers the same, so far as the tests ask it.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from benchmarks.index.milvus_server import ServerConfig, unpacked

_HOME = "/opt/milvus"
_DATA = "/var/lib/milvus"
_ENVIRONMENT = {
    "PATH": f"{_HOME}/bin",
    "LD_LIBRARY_PATH": f"{_HOME}/bin",
    "MILVUSCONF": f"{_HOME}/configs",
    "DEPLOY_MODE": "STANDALONE",
}
_LINKED = re.compile(r"(/\S+) \(0x")


class ImageConfig(ServerConfig):
    """The configuration of the server in the image, its data below /var/lib/milvus."""

    def resolve(self) -> None:
        """Leave the ports as they are; a container has all of them."""

    def text(self) -> str:
        """Return milvus.yaml."""
        for name, path in {
            "etcd_config": "",
            "etcd_log_path": "stdout",
            "system_log_path": "",
            "etcd_data_dir": f"{_DATA}/etcd",
            "local_storage_dir": f"{_DATA}/data",
            "rocksmq_data_dir": f"{_DATA}/rocksmq",
        }.items():
            self.set(name, path)
        text = str(self.template_text)
        for placeholder, name in self.config_key_maps.items():
            text = text.replace(placeholder, self.get_value_text(self.get(name)))
        return text


def write_root(out: tarfile.TarFile) -> None:
    """Write the file system of the image."""
    programs = unpacked()
    for path in sorted(programs.iterdir()):
        if path.suffix != ".md5":
            out.add(path, f"{_HOME}/bin/{path.name}")
    for library in linked_libraries(programs):
        out.add(library.resolve(), str(library))
    config = ImageConfig()
    _write_text(out, f"{_HOME}/configs/milvus.yaml", config.text())
    out.add(config.glog_conf_file, f"{_HOME}/configs/glog.conf")  # without it, it dies at start
    for folder in ("/tmp", _DATA):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        out.addfile(entry)


def linked_libraries(programs: Path) -> list[Path]:
    """Return this machine's libraries that the server and its own libraries are linked with."""
    listed = subprocess.run(
        ["ldd", *(str(path) for path in programs.iterdir() if path.suffix != ".md5")],
        env={**os.environ, "LD_LIBRARY_PATH": str(programs)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    found = {Path(name) for name in _LINKED.findall(listed)}
    return sorted(path for path in found if path.parent != programs)


def make(tag: str) -> None:
    """Make the image in the engine that the command ``docker`` speaks to."""
    changes = [f"ENV {name}={value}" for name, value in _ENVIRONMENT.items()]
    command = ["docker", "import", *(f"--change={change}" for change in changes), "-", tag]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as docker:
        assert docker.stdin is not None
        with tarfile.open(fileobj=docker.stdin, mode="w|") as out:
            write_root(out)
    if docker.returncode:
        sys.exit(f"docker import ended with {docker.returncode}")


def _write_text(out: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    out.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    make(sys.argv[1])
