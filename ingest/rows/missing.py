"""Keyframes whose files were deleted, such as by a recorder with a retention period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.ledger import Ledger
from ingest.rows.deletion import delete_entities
from ingest.sources.media_locator import MediaState, Whereabouts
from search_core.errors import LibraryNotFound
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store

_PAGE_IDS = 500


@dataclass(slots=True)
class Missing:
    """What was found: ``ids`` of keyframes whose files were deleted.

    ``away`` counts, by reason, those whose state is unknown now, such as while the file system
    is not mounted; they are never among ``ids``.
    """

    ids: list[str] = field(default_factory=list)
    away: Counter[str] = field(default_factory=Counter)


def find_missing(
    settings: Settings, store: Store, library: str, where: Filter = NO_FILTER
) -> Missing:
    """Return what passes a filter and whose file was deleted, with its content nowhere else known.

    Raises LibraryNotFound, StoreError.
    """
    found = Missing()
    states: dict[str, tuple[MediaState, str]] = {}
    with Ledger(settings.ledger_path) as ledger:
        places = Whereabouts(settings, ledger)
        for page in store.vectors(library, where=where):
            for entity in page.entities:
                if entity.uri not in states:
                    state, reason = places.look(entity.uri)
                    if state == "gone" and places.elsewhere(library, entity.source_id, entity.uri):
                        state = "there"
                    states[entity.uri] = state, reason
                state, reason = states[entity.uri]
                if state == "gone":
                    found.ids.append(entity.id)
                elif state == "away":
                    found.away[reason] += 1
    return found


def delete_missing(settings: Settings, store: Store, library: str, ids: Sequence[str]) -> int:
    """Delete keyframes that were found missing; return how many. They do not go to the trash."""
    deleted = 0
    for start in range(0, len(ids), _PAGE_IDS):
        where = Filter(ids=tuple(ids[start : start + _PAGE_IDS]))
        deleted += delete_entities(settings, store, library, where)[0]
    return deleted


def forget_missing(
    settings: Settings,
    store: Store,
    library: str,
    older_than: timedelta,
    now: datetime,
    *,
    dry_run: bool = False,
) -> int:
    """Delete what is missing and was captured longer ago; return how many keyframes that are.

    A library that is not there holds nothing. Raises StoreError.
    """
    try:
        missing = find_missing(settings, store, library, Filter(before=now - older_than))
    except LibraryNotFound:
        return 0
    return len(missing.ids) if dry_run else delete_missing(settings, store, library, missing.ids)
