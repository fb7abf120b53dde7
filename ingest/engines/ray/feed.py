"""The feed: an actor of Ray's between the ingest, which finds sources, and the tasks that decode.

Ray runs a task again when a machine is lost, and takes from its output what is missing by position.
So a task that asks again must be given the same again: the feed keeps what may still be needed.
"""

from __future__ import annotations

import asyncio


class Feed:
    """Groups of sources (pickled), in the order they were put in; and whether all is to stop."""

    def __init__(self) -> None:
        self._groups: list[bytes] = []
        self._complete = False
        self._stop = asyncio.Event()
        self._changed = asyncio.Condition()

    async def put(self, group: bytes) -> None:
        """Add a group."""
        async with self._changed:
            self._groups.append(group)
            self._changed.notify_all()

    async def complete(self) -> None:
        """Say that there are no more groups to come."""
        async with self._changed:
            self._complete = True
            self._changed.notify_all()

    async def group(self, index: int) -> bytes | None:
        """Return a group, waiting until it is there; None when there are no more, or on a stop.

        A group whose sources have all ended is empty.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._complete or index < len(self._groups))
        return self._groups[index] if index < len(self._groups) else None

    async def forget(self, index: int) -> None:
        """Let go of a group whose sources have all ended."""
        self._groups[index] = b""

    async def stop(self) -> None:
        """Let decoding end, and give no more groups."""
        self._stop.set()
        await self.complete()

    async def stopped(self) -> None:
        """Return when all is to stop."""
        await self._stop.wait()
