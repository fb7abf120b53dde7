"""Going through what passes a filter while it is being changed."""

from __future__ import annotations

from collections.abc import Iterator

from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.store.library import Store, VectorPage

CHUNK_ROWS = 500
_FEW_ROWS = 10_000


def chunks_where(store: Store, library: str, where: Filter) -> Iterator[VectorPage]:
    """Yield what passes a filter, some at a time, with embeddings; each once, whatever is written.

    What passes is settled before the first chunk: only ids are held of it. What was deleted since
    is left out.
    """
    ids = list(dict.fromkeys(where.ids))
    if not ids or where != Filter(ids=where.ids):
        ids = [entity.id for page in entities_where(store, library, where) for entity in page]
    for start in range(0, len(ids), CHUNK_ROWS):
        chosen = Filter(ids=tuple(ids[start : start + CHUNK_ROWS]))
        yield from store.vectors(library, where=chosen)


def entities_where(store: Store, library: str, where: Filter) -> Iterator[list[MediaEntity]]:
    """Yield all entities that pass a filter, some at a time, in no promised order."""
    few = store.entities(library, where, limit=_FEW_ROWS)
    if len(few) < _FEW_ROWS:
        yield few
        return
    for page in store.vectors(library, where=where):
        yield page.entities
