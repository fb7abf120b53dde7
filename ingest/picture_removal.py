"""Removing thumbnails and stills that nothing shows any more."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ingest.trash import Trash, trash_path
from search_core.entities import MediaEntity
from search_core.filters import Filter
from search_core.library import Store
from search_core.settings import Settings


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
    """Remove one source's thumbnails (ingest.thumbnails lays them out)."""
    folder = settings.thumbnails_dir / source_id[:2] / source_id
    if folder.resolve().is_relative_to(settings.thumbnails_dir.resolve()):
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(folder.parent)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
