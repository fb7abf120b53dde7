"""The processes `sightline serve` starts, watches and ends.

``python -m sightline.cli.serve.children PID SIGNAL COMMAND`` is started by process PID in place of
COMMAND: it asks the kernel (Linux) for ``SIGNAL`` when its parent dies, however that dies, and then
becomes the command. A launcher does this rather than code between fork and exec, which is not safe
in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 12
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """One running child: its name, its process, its log, and how it is asked to end."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    end_signal: signal.Signals
    grace_s: float

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def last_words(self) -> str:
        """Return the last lines of its log."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-TAIL_LINES:])


class Children:
    """Starts children in sessions of their own and ends them, last started first."""

    def __init__(self, logs_dir: Path, environment: Mapping[str, str]) -> None:
        self._logs_dir = logs_dir
        self._environment = dict(environment)
        self._running: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        return iter(self._running)

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        end_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 10.0,
    ) -> Child:
        """Start ``python ARGUMENTS`` with its output in ``logs/NAME.log``."""
        self._logs_dir.mkdir(parents=True, exist_ok=True)
        log = self._logs_dir / f"{name}.log"
        # -P: what lies in the working folder is not imported in place of a module.
        python = [sys.executable, "-P"]
        launcher = [
            *python,
            "-m",
            "sightline.cli.serve.children",
            str(os.getpid()),
            str(int(end_signal)),
        ]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*launcher, *python, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        child = Child(name, process, log, end_signal, grace_s)
        self._running.append(child)
        return child

    def set_environment(self, **values: str) -> None:
        """Give children started from now on these variables as well."""
        self._environment.update(values)

    def first_ended(self) -> Child | None:
        """Return a child that ended by itself."""
        return next((child for child in self._running if child.has_ended), None)

    def end_all(self) -> None:
        """End every child, last started first, and wait; one that does not go is killed."""
        for child in reversed(self._running):
            if not child.has_ended:
                child.process.send_signal(child.end_signal)
            try:
                child.process.wait(child.grace_s)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            # What the child itself had started is in its session: it goes with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
        self._running.clear()


def main() -> None:
    """Tie this process to its parent's life and become the command."""
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    # A shell starts background commands deaf to Ctrl-C; the children end by these signals.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before it could be watched
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
