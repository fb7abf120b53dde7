"""A library's replacement: a collection filled beside the one that serves, to take its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity


class Replacement(ABC):
    """A context manager; left before :meth:`switch`, the library is as it was.

    What an Interrupted that puts it off leaves can be gone on with for a day.

    The library is searched and written to throughout. What is written to it meanwhile is pending
    again. From :meth:`close_writing` to the switch, writers are refused with StoreBusy.

    Entered after a process that was killed, or put it off, it goes on with what that one left:
    ``kept`` is how many rows that are.
    """

    kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the library as it was, unless it was switched."""
        return

    @abstractmethod
    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that the new collection lacks, or has as they were, by their ids.

        What the library lost meanwhile is removed from the new collection.
        """

    @abstractmethod
    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write entities with their new embeddings (n, dim) to the new collection."""

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Index and load the new collection; to be called once most of it is there."""
        return

    def close_writing(self) -> None:
        """Let no more writes to the library be acknowledged."""
        return

    @abstractmethod
    def switch(self) -> None:
        """Make the new collection the library's, in one step; raises StoreBusy."""
