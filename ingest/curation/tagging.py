"""Changing the tags of what a library holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ingest.options import checked_tags
from search_core.errors import EntityNotFound
from search_core.schema.entity import TAGS_MAX_CAPACITY, MediaEntity, keyframes_among
from search_core.schema.filters import Filter
from search_core.store.library import Store, chunks_where


@dataclass(frozen=True, slots=True)
class Retagged:
    """How many entities have other tags now, and how many had no room for more."""

    changed: int
    full: int


def set_tags(store: Store, library: str, entity_id: str, tags: Iterable[str]) -> MediaEntity:
    """Give an entity these tags in place of those it has; return it as it is then.

    Raises EntityNotFound, and UsageError for tags that Milvus cannot hold.
    """
    cleaned = checked_tags(tags)
    for page in chunks_where(store, library, Filter(ids=(entity_id,))):
        tagged = [replace(entity, tags=cleaned) for entity in page.entities]
        store.upsert(library, tagged, page.embeddings)
        return keyframes_among(tagged)[0]
    raise EntityNotFound("The library {name} has no entity {id}.", name=library, id=entity_id)


def change_tags(
    store: Store,
    library: str,
    where: Filter,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> Retagged:
    """Add tags to what passes a filter and remove others from it.

    What has as many tags as it can have is left as it is. Raises UsageError for tags that Milvus
    cannot hold.
    """
    added, removed = checked_tags(add), frozenset(remove)
    changed = full = 0
    for page in chunks_where(store, library, where):
        rows, entities = [], []
        for row, entity in enumerate(page.entities):
            kept = (tag for tag in entity.tags if tag not in removed)
            tags = tuple(dict.fromkeys((*kept, *added)))
            if len(tags) > TAGS_MAX_CAPACITY:
                full += not entity.is_region
            elif tags != entity.tags:
                rows.append(row)
                entities.append(replace(entity, tags=tags))
        if entities:
            store.upsert(library, entities, page.embeddings[rows])
            changed += len(keyframes_among(entities))
    return Retagged(changed, full)
