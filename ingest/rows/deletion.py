"""Deleting so that it can be undone: rows go to the trash, pictures go when it is purged."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from ingest.cameras.stills import days_kept
from ingest.ledger import Ledger
from ingest.rows.journal import forget_corrections
from ingest.rows.trash import Deletion, Trash, trash_path
from search_core.errors import EncoderMismatch, SightlineError, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store, chunks_where, require_filter
from search_core.system.clock import now_ms


def remove_pictures(settings: Settings, store: Store, entities: Sequence[MediaEntity]) -> None:
    """Remove the pictures of entities that no library holds any more, nor the trash."""
    where = Filter(ids=tuple(entity.id for entity in entities))
    held = {
        entity.id
        for info in store.libraries()
        for entity in store.entities(info.name, where, limit=len(entities))
    }
    if trash_path(settings).exists():
        with Trash(trash_path(settings)) as trash:
            held |= trash.holds([entity.id for entity in entities])
    for entity in entities:
        if entity.id not in held:
            _remove_pictures(settings, entity)


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


def remove_source_folder(settings: Settings, source_id: str) -> None:
    """Remove one source's thumbnails (ingest.media.thumbnails lays them out)."""
    folder = settings.thumbnails_dir / source_id[:2] / source_id
    if folder.resolve().is_relative_to(settings.thumbnails_dir.resolve()):
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(folder.parent)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


_PAGE_ROWS = 1000
#: How long what was deleted can be put back.
KEPT = timedelta(days=30)


def discard(
    settings: Settings,
    store: Store,
    library: str,
    where: Filter,
    what: str,
    on_progress: Callable[[int], None] = lambda deleted: None,
) -> int:
    """Delete what passes a filter, for KEPT to be put back; return how many entities.

    ``what`` is what people call it. Sources of which nothing is left may be ingested again. Each
    entity is in the trash before it leaves the library. What has been in the trash for too long
    is purged. Raises UsageError for an empty filter.
    """
    require_filter(where)
    purge_outdated(settings, store)
    touched: Counter[str] = Counter()
    with Trash(trash_path(settings)) as trash, Ledger(settings.ledger_path) as ledger:
        number = trash.begin(library, store.library(library).encoder, what, now_ms())
        for page in chunks_where(store, library, where):
            ids = tuple(entity.id for entity in page.entities)
            sources = sorted({entity.source_id for entity in page.entities})
            trash.put(number, page, ledger.of_sources(library, sources))
            try:
                store.delete(library, Filter(ids=ids))
            except SightlineError:
                if store.count(library, Filter(ids=ids)) == len(ids):
                    trash.take(number, ids)  # nothing was deleted: there is nothing to put back
                raise
            touched.update(entity.source_id for entity in page.entities)
            on_progress(touched.total())
        if not touched:
            trash.take(number, ())
        expect_less(store, ledger, library, touched)
    return touched.total()


def put_back(settings: Settings, store: Store, number: int) -> int:
    """Put back what was deleted at once; return how many entities.

    Raises UsageError where it is purged, LibraryNotFound, and EncoderMismatch where the library
    has vectors of another encoder by now.
    """
    with Trash(trash_path(settings)) as trash, Ledger(settings.ledger_path) as ledger:
        deletion = _find(trash, number)
        library = deletion.library
        if not store.library(library).encoder.same_space(deletion.encoder):
            raise EncoderMismatch(
                "The library {library} has another encoder since this was deleted.",
                "Ingest the files again to have them in it.",
                library=library,
            )
        lines = trash.lines(number)
        for page in trash.contents(number):
            ids = tuple(entity.id for entity in page.entities)
            there = {e.id for e in store.entities(library, Filter(ids=ids), limit=len(ids))}
            store.upsert(library, page.entities, page.embeddings)
            added = Counter(e.source_id for e in page.entities if e.id not in there)
            for line in lines:
                ledger.expect_more(library, line, added[line.source_id])
            trash.take(number, ids)
    return deletion.count


def deletions(settings: Settings, library: str | None = None) -> list[Deletion]:
    """Return what can be put back, newest first."""
    if not trash_path(settings).exists():
        return []
    with Trash(trash_path(settings)) as trash:
        return trash.deletions(library)


def purge(settings: Settings, store: Store, number: int) -> int:
    """Remove for good what was deleted at once, with its pictures; return how many entities.

    Pictures that a library shows, or that can be put back by something else, stay.
    """
    with Trash(trash_path(settings)) as trash:
        deletion = _find(trash, number)
        for page in trash.contents(number):
            _purge_entities(settings, store, trash, number, page.entities)
    return deletion.count


def purge_where(settings: Settings, store: Store, library: str, where: Filter) -> int:
    """Remove for good what of a library is in the trash and passes; return how many entities."""
    if not trash_path(settings).exists():
        return 0
    with Trash(trash_path(settings)) as trash:
        found = trash.passing(library, where)
        for number, entities in found:
            _purge_entities(settings, store, trash, number, entities)
    return sum(len(entities) for _, entities in found)


def purge_outdated(settings: Settings, store: Store, kept: timedelta = KEPT) -> int:
    """Remove for good what has been in the trash for too long; return how many entities."""
    oldest_ms = now_ms() - round(kept.total_seconds() * 1000)
    due = [item.number for item in deletions(settings) if item.deleted_ms < oldest_ms]
    return sum(purge(settings, store, number) for number in due)


def expect_less(store: Store, ledger: Ledger, library: str, gone: Counter[str]) -> int:
    """Tell the ledger how many entities of each source left a library; return how many emptied."""
    emptied = [
        source_id
        for source_id in sorted(gone)
        if not store.count(library, Filter(source_ids=(source_id,)))
    ]
    ledger.forget_sources(library, emptied)
    for source_id in gone.keys() - set(emptied):
        ledger.expect_fewer(library, source_id, gone[source_id])
    return len(emptied)


def _purge_entities(
    settings: Settings, store: Store, trash: Trash, number: int, entities: list[MediaEntity]
) -> None:
    for start in range(0, len(entities), _PAGE_ROWS):
        page = entities[start : start + _PAGE_ROWS]
        trash.take(number, [entity.id for entity in page])
        remove_pictures(settings, store, page)


def _find(trash: Trash, number: int) -> Deletion:
    for deletion in trash.deletions():
        if deletion.number == number:
            return deletion
    raise UsageError("That is in the trash no more.", "It was put back or purged.")


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
