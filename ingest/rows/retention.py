"""Retention: what is older than it may be goes, rows and pictures together.

A camera's rule is about all that carries its name, a library's about all that is in it, by when it
was captured. Keyframes whose files were deleted, such as by a recorder with a retention period of
its own, may go too. Doing it twice changes nothing; done by halves, the next time finishes it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.cameras.roster import Roster
from ingest.cameras.status_log import Diary
from ingest.cameras.stills import source_of_day, stills_of
from ingest.ledger import Ledger
from ingest.rows.deletion import delete_entities, purge_where
from ingest.sources.media_locator import MediaState, Whereabouts
from search_core.errors import LibraryNotFound
from search_core.schema.entity import ms_from_datetime
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store, entities_where

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


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a camera's keyframes are kept in a library, or all of a library (no ``camera``)."""

    library: str
    retain: timedelta
    camera: str | None = None

    def outdated(self, now: datetime) -> Filter:
        """Return what is older than it may be."""
        cameras = (self.camera,) if self.camera is not None else ()
        return Filter(cameras=cameras, before=now - self.retain)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a rule removed, or would: keyframes, and stills that no keyframe showed any more."""

    rule: Rule
    keyframes: int
    strays: int


def rules_of(settings: Settings) -> list[Rule]:
    """Return the rules of settings and roster, and those given to `sightline watch --retain`.

    For a camera of the roster, what is said there alone counts; for any camera, what was changed
    since. What a removed one left goes as it would have gone. Raises SettingsError.
    """
    rules = [Rule(library, retain) for library, retain in sorted(settings.retain.items())]
    cameras = {camera.name: camera for camera in Roster(settings).cameras()}
    with Diary(settings.ledger_path) as diary:
        changed, watched = diary.retentions(), diary.cameras()
    kept = [(camera.name, camera.library, camera.retain) for camera in cameras.values()]
    kept += [
        (state.name, state.library, state.retain) for state in watched if state.name not in cameras
    ]
    for name, library, retain in kept:
        if (lasting := changed.get(name, retain)) is not None:
            rules.append(Rule(library, lasting, name))
    return rules


def prune(
    settings: Settings, store: Store, rule: Rule, now: datetime, *, dry_run: bool = False
) -> Pruned:
    """Remove what a rule lets go, or only count it; a library that is not there holds nothing.

    Raises StoreError when Milvus fails; what is removed by then stays removed.
    """
    where = rule.outdated(now)
    strays = 0
    try:
        if dry_run:
            return Pruned(rule, store.count(rule.library, where), 0)
        keyframes, _ = delete_entities(settings, store, rule.library, where)
        keyframes += purge_where(settings, store, rule.library, where)
    except LibraryNotFound:
        keyframes = 0
    if rule.camera is not None and not dry_run:
        limit = now.astimezone(UTC) - rule.retain
        strays = sum(_remove(path) for path in _stray_stills(settings, store, rule.camera, limit))
        with Diary(settings.ledger_path) as diary:
            diary.forget_gaps(rule.camera, ms_from_datetime(limit))
    return Pruned(rule, keyframes, strays)


def _stray_stills(settings: Settings, store: Store, camera: str, limit: datetime) -> Iterator[Path]:
    """Yield a camera's stills from before ``limit`` that no library shows: a crash left them.

    Keyframes that were moved to another library, camera or time keep theirs. Folders of days that
    are over altogether go as a whole, with those of their thumbnails.
    """
    for folder in sorted(stills_of(settings.stills_dir, camera).glob("????-??-??")):
        if folder.name > limit.date().isoformat():
            continue
        source_id = source_of_day(camera, datetime.fromisoformat(folder.name).date())
        shown = {
            entity.uri
            for info in store.libraries()
            for page in entities_where(store, info.name, Filter(source_ids=(source_id,)))
            for entity in page
        }
        for still in folder.glob("*.jpg"):
            early = f"{folder.name}T{still.stem}" < f"{limit:%Y-%m-%dT%H-%M-%S}"
            if early and str(still) not in shown:
                yield still
        if folder.name < limit.date().isoformat() and not shown:
            shutil.rmtree(folder, ignore_errors=True)
            thumbnails = settings.thumbnails_dir / source_id[:2] / source_id
            shutil.rmtree(thumbnails, ignore_errors=True)


def _remove(path: Path) -> bool:
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed
