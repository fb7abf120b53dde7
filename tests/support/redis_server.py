"""A Redis server of the tests' own, which can be killed and started again at the same address."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import free_port

#: It is in every address, and nowhere else.
PASSWORD = "never-shown"


class RedisServer:
    """Keeps what it holds in ``folder`` as ``options`` say; skips the test where there is none."""

    def __init__(self, folder: Path, *options: str) -> None:
        # One program under two names; Debian's redis-tools has only the second.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        if program is None:
            pytest.skip("redis-server is not installed (Debian: apt-get install redis-tools)")
        port = free_port()
        self.options = options
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        self._program = program
        self._command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        self._command += ["--requirepass", PASSWORD, "--dir", str(folder), *options]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self._process = subprocess.Popen(
            self._command, executable=self._program, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert any("eady to accept connections" in line for line in self._process.stdout)

    def kill(self) -> None:
        """Kill it, as a machine that loses its power would."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
