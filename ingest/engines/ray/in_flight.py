"""The sources that were given out and have not ended: how many may be, and in which groups."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from ingest.engines.base import DecodeTask

_LOOK_EVERY_S = 0.1


class UnderWay:
    """Numbers sources as they are given out, never more than ``most`` at once; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: dict[int, DecodeTask] = {}
        self._begun = 0
        self._group_of: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._groups = 0
        self._changed = threading.Condition()

    def begin(self, task: DecodeTask, should_stop: Callable[[], bool]) -> int:
        """Return a number for a source, once there is room for it or all is to stop."""
        with self._changed:
            while len(self._tasks) >= self._most and not should_stop():
                self._changed.wait(_LOOK_EVERY_S)
            number, self._begun = self._begun, self._begun + 1
            self._tasks[number] = task
        return number

    def group(self, numbers: Iterable[int]) -> None:
        """Say which sources are given out together; groups count from 0."""
        with self._changed:
            index, self._groups = self._groups, self._groups + 1
            together = list(numbers)
            self._group_of |= dict.fromkeys(together, index)
            self._left[index] = len(together)

    def task(self, number: int) -> DecodeTask | None:
        """Return a source that has not ended."""
        with self._changed:
            return self._tasks.get(number)

    def tasks(self) -> list[DecodeTask]:
        """Return all sources that have not ended."""
        with self._changed:
            return list(self._tasks.values())

    def end(self, number: int) -> int | None:
        """Take note that a source has ended; return its group when that was the last of it."""
        with self._changed:
            del self._tasks[number]
            group = self._group_of.pop(number)
            self._left[group] -= 1
            self._changed.notify_all()
            if self._left[group]:
                return None
            del self._left[group]
            return group
