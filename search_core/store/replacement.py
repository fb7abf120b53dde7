"""Successions: a library's collection of another encoder, filled beside the one that serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity


class Succession(Protocol):
    """A context manager; left before :meth:`switch`, the library is as it was.

    The library is searched and written to throughout. What is written to it meanwhile is pending
    again. From :meth:`close_writing` to the switch, writers are refused with StoreBusy.

    Entered after a process that was killed, or put it aside, it goes on with what that one left:
    ``kept`` is how many rows that are.
    """

    kept: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that the new collection lacks, or has as they were, by their ids.

        What the library lost meanwhile is removed from the new collection.
        """
        ...

    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write entities with their new embeddings (n, dim) to the new collection."""
        ...

    def put_aside(self) -> None:
        """Let what is there be gone on with later; it is removed where nobody does for a day."""
        ...

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Index and load the new collection; to be called once most of it is there."""
        ...

    def close_writing(self) -> None:
        """Let no more writes to the library be acknowledged."""
        ...

    def switch(self) -> None:
        """Make the new collection the library's, in one step; raises StoreBusy."""
        ...
