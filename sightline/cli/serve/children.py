"""The processes `sightline serve` starts, watches and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 12


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
            "sightline.cli.serve.child",
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
        """Return a child that is gone though nobody asked it to go."""
        return next((child for child in self._running if child.has_ended), None)

    def end_all(self) -> None:
        """End every child, last started first, and wait; one that does not go is killed."""
        for child in reversed(self._running):
            _signal(child, child.end_signal)
            try:
                child.process.wait(child.grace_s)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            # What the child itself had started is in its session: it goes with it.
            _signal_group(child, signal.SIGKILL)
        self._running.clear()


def _signal(child: Child, number: signal.Signals) -> None:
    if not child.has_ended:
        child.process.send_signal(number)


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)
