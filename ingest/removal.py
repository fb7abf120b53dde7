"""Taking entities and libraries away, with their pictures and what the ledger knows of them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence

from ingest.curation.journal import forget_corrections
from ingest.discarding import expect_less, purge_where
from ingest.ledger import Ledger
from ingest.picture_removal import remove_pictures, remove_source_folder
from ingest.streams.stills import days_kept
from ingest.trash import Trash, trash_path
from search_core.entities import MediaEntity
from search_core.filters import Filter
from search_core.library import NO_FILTER, Store, require_filter
from search_core.settings import Settings

_PAGE_ROWS = 1000


def delete_entities(
    settings: Settings, store: Store, library: str, where: Filter
) -> tuple[int, int]:
    """Delete what passes a filter; return how many entities and how many emptied sources.

    Emptied sources may be ingested again. Thumbnails that another library shows stay, and so does
    the footage itself; the stills of live cameras go, for they are nobody's but Sightline's. Raises
    UsageError for an empty filter.
    """
    require_filter(where)
    deleted = 0
    touched: Counter[str] = Counter()
    while page := store.entities(library, where, limit=_PAGE_ROWS):
        remove_rows(settings, store, library, page)
        deleted += len(page)
        touched.update(entity.source_id for entity in page)
    with Ledger(settings.ledger_path) as ledger:
        emptied = expect_less(store, ledger, library, touched)
    return deleted, emptied


def remove_rows(
    settings: Settings, store: Store, library: str, entities: Sequence[MediaEntity]
) -> None:
    """Remove entities and the pictures that nothing else shows; the ledger is not told."""
    if entities:
        store.delete(library, Filter(ids=tuple(entity.id for entity in entities)))
        remove_pictures(settings, store, entities)


def drop_library(settings: Settings, store: Store, library: str) -> None:
    """Drop a library with its thumbnails, as far as no other library shows them.

    What was deleted of it can no longer be put back. Raises LibraryNotFound.
    """
    sources = store.facets(library).source_ids
    store.drop_library(library)
    with Ledger(settings.ledger_path) as ledger:
        ledger.forget(library)
    forget_corrections(settings, library)
    others = _others(store, library)
    gone = {
        source_id
        for source_id in sources
        if source_id
        and not any(store.count(other, Filter(source_ids=(source_id,))) for other in others)
    }
    purge_where(settings, store, library, NO_FILTER)
    if trash_path(settings).exists():
        with Trash(trash_path(settings)) as trash:
            gone = {source_id for source_id in gone if not trash.holds_source(source_id)}
    for source_id in gone:
        remove_source_folder(settings, source_id)
    for source_id, folder in days_kept(settings):
        if source_id in gone:
            shutil.rmtree(folder, ignore_errors=True)


def _others(store: Store, library: str) -> list[str]:
    return [info.name for info in store.libraries() if info.name != library]
