"""Taking entities and libraries away, with their pictures and what the ledger knows of them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ingest.ledger import Ledger
from ingest.streams.stills import days_kept
from search_core.entities import MediaEntity
from search_core.filters import Filter
from search_core.library import Store, require_filter
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
        store.delete(library, Filter(ids=tuple(entity.id for entity in page)))
        for entity in _unshared(store, library, page):
            _remove_pictures(settings, entity)
        deleted += len(page)
        touched.update(entity.source_id for entity in page)
    emptied = [
        source_id
        for source_id in sorted(touched)
        if not store.count(library, Filter(source_ids=(source_id,)))
    ]
    with Ledger(settings.ledger_path) as ledger:
        ledger.forget_sources(library, emptied)
        for source_id in touched.keys() - set(emptied):
            ledger.expect_fewer(library, source_id, touched[source_id])
    return deleted, len(emptied)


def drop_library(settings: Settings, store: Store, library: str) -> None:
    """Drop a library with its thumbnails, as far as no other library shows them.

    Raises LibraryNotFound.
    """
    sources = store.facets(library).source_ids
    store.drop_library(library)
    with Ledger(settings.ledger_path) as ledger:
        ledger.forget(library)
    others = _others(store, library)
    gone = {
        source_id
        for source_id in sources
        if source_id
        and not any(store.count(other, Filter(source_ids=(source_id,))) for other in others)
    }
    for source_id in gone:
        _remove_folder(settings, source_id)
    for source_id, folder in days_kept(settings):
        if source_id in gone:
            shutil.rmtree(folder, ignore_errors=True)


def _others(store: Store, library: str) -> list[str]:
    return [info.name for info in store.libraries() if info.name != library]


def _unshared(store: Store, library: str, entities: Sequence[MediaEntity]) -> Iterable[MediaEntity]:
    """Return the entities that no other library holds as well."""
    where = Filter(ids=tuple(entity.id for entity in entities))
    shared = {
        entity.id
        for other in _others(store, library)
        for entity in store.entities(other, where, limit=len(entities))
    }
    return (entity for entity in entities if entity.id not in shared)


def _remove_pictures(settings: Settings, entity: MediaEntity) -> None:
    if entity.thumbnail:
        _remove_below(settings.thumbnails_dir, settings.data_dir / entity.thumbnail)
    if entity.is_live:
        _remove_below(settings.stills_dir, Path(entity.uri))


def _remove_below(root: Path, path: Path) -> None:
    """Remove a file if it lies below ``root``, and its folder when that is empty then."""
    path = path.resolve()
    if path.is_relative_to(root.resolve()):
        path.unlink(missing_ok=True)
        _remove_if_empty(path.parent)


def _remove_folder(settings: Settings, source_id: str) -> None:
    """Remove one source's thumbnails (ingest.thumbnails lays them out)."""
    folder = settings.thumbnails_dir / source_id[:2] / source_id
    if folder.resolve().is_relative_to(settings.thumbnails_dir.resolve()):
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(folder.parent)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
