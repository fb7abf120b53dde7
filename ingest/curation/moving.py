"""Moving entities to another library of the same encoder, and libraries to another name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ingest.cameras.camera import AddedCameras
from ingest.cameras.folders.folder import AddedFolders
from ingest.cameras.folders.log import FolderLog
from ingest.ledger import Ledger
from ingest.rows.deletion import Trash, expect_less, trash_path
from ingest.rows.journal import rename_corrections
from search_core.errors import UsageError
from search_core.schema.entity import keyframes_among
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, chunks_where, require_filter


def rename_library(settings: Settings, store: Store, library: str, name: str) -> None:
    """Give a library another name, in the ledger, the trash, cameras and folders as well.

    Raises LibraryNotFound, UsageError for a name that is taken, StoreBusy while it is rebuilt;
    last of all SettingsError where the files of cameras or folders cannot be changed.
    """
    store.rename_library(library, name)
    with Ledger(settings.ledger_path) as ledger:
        ledger.rename(library, name)
    if trash_path(settings).exists():
        with Trash(trash_path(settings)) as trash:
            trash.rename(library, name)
    rename_corrections(settings, library, name)
    with FolderLog(settings.ledger_path) as log:
        log.rename_library(library, name)
    AddedCameras(settings.cameras_path).rename_library(library, name)
    AddedFolders(settings.folders_path).rename_library(library, name)


def move_entities(
    settings: Settings,
    store: Store,
    library: str,
    where: Filter,
    target: str,
    on_progress: Callable[[int], None] = lambda moved: None,
) -> int:
    """Move what passes a filter to another library; return how many entities.

    The target is made when it is new. Each entity is in the target before it leaves the library;
    pictures stay where they are. Raises UsageError for an empty filter or the same library,
    EncoderMismatch.
    """
    require_filter(where)
    if target == library:
        raise UsageError(
            "It is in the library {name} already.", "Choose another library.", name=library
        )
    info = store.library(library)
    store.ensure_library(target, info.encoder, metric=info.metric, index=info.index)
    moved: Counter[str] = Counter()
    with Ledger(settings.ledger_path) as ledger:
        for page in chunks_where(store, library, where):
            keyframes = keyframes_among(page.entities)
            ids = tuple(entity.id for entity in keyframes)
            there = {e.id for e in store.entities(target, Filter(ids=ids), limit=len(ids))}
            store.upsert(target, page.entities, page.embeddings)
            store.delete(library, Filter(ids=ids))
            added = Counter(e.source_id for e in keyframes if e.id not in there)
            for line in ledger.of_sources(library, sorted(added)):
                ledger.expect_more(target, line, added[line.source_id])
            moved.update(entity.source_id for entity in keyframes)
            on_progress(moved.total())
        expect_less(store, ledger, library, moved)
    return moved.total()
