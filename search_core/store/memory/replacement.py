"""The succession of MemoryStore: a second dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity

MemoryRows: TypeAlias = dict[str, tuple[MediaEntity, Embeddings]]


class MemorySuccession:
    """Fills a dictionary beside that of a library; ``switch`` puts it in its place."""

    kept = 0

    def __init__(self, old: MemoryRows, switch: Callable[[MemoryRows], None]) -> None:
        self._old = old
        self._new: MemoryRows = {}
        self._switch = switch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: what was not switched to is gone by itself."""

    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that are lacking, or as they were."""
        for key in self._new.keys() - self._old.keys():
            del self._new[key]
        old = [entity for entity, _ in self._old.values()]
        lacking = [entity for entity in old if self._new.get(entity.id, (None, None))[0] != entity]
        if lacking:
            yield sorted(lacking, key=lambda entity: entity.id)

    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Keep entities with their new embeddings (n, dim)."""
        for entity, vector in zip(entities, embeddings, strict=True):
            self._new[entity.id] = (entity, vector)

    def put_aside(self) -> None:
        """Do nothing: it goes with its process."""

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Do nothing: there is no index."""

    def close_writing(self) -> None:
        """Do nothing: who fills it is the only one who writes."""

    def switch(self) -> None:
        """Put the new rows in place of the old ones."""
        self._switch(self._new)
