"""Changing the tags of what a library holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from search_core.entities import TAG_MAX_LENGTH, TAGS_MAX_CAPACITY, MediaEntity
from search_core.errors import EntityNotFound, UsageError
from search_core.filters import Filter, quoted
from search_core.library import Store


def set_tags(store: Store, library: str, entity_id: str, tags: Iterable[str]) -> MediaEntity:
    """Give an entity these tags in place of those it has; return it as it is then.

    Raises EntityNotFound, and UsageError for tags that Milvus cannot hold.
    """
    cleaned = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(cleaned) > TAGS_MAX_CAPACITY:
        raise UsageError(
            f"An entity can have {TAGS_MAX_CAPACITY} tags, not {len(cleaned)}.", "Remove some."
        )
    for tag in cleaned:
        if len(tag.encode()) > TAG_MAX_LENGTH:
            raise UsageError(f"The tag {tag[:20]!r} … is too long.", "Use a shorter one.")
        quoted(tag)  # a tag that cannot be filtered by is refused
    embedding = store.embedding(library, entity_id)
    for entity in store.entities(library, Filter(ids=(entity_id,)), limit=1):
        tagged = replace(entity, tags=cleaned)
        store.upsert(library, [tagged], embedding[None])
        return tagged
    raise EntityNotFound(f"The library {library} has no entity {entity_id}.")
