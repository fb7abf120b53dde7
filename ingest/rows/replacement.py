"""What a path gave before goes when its content changes; a refused attempt leaves nothing.

A source that is ingested again, with other keyframes, may have had its camera and time corrected in
the library, and its keyframes tagged: the new keyframes get the same camera and time, so that the
keyframes of a file agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ingest.engines.base import camera_of_track, main_camera
from ingest.ledger import NO_MOUNT, Ledger, Location, Mount
from ingest.media.capture_time.claims import CaptureTime
from ingest.rows.deletion import delete_entities, remove_rows
from ingest.rows.journal import pending_values
from ingest.rows.writer import Outages
from ingest.sources.media_locator import Whereabouts
from search_core.messages import Message
from search_core.schema.entity import (
    TAGS_MAX_CAPACITY,
    MediaEntity,
    is_address,
    keyframes_among,
)
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, chunks_where, entities_where

#: Said of a source; the commands do what the ingest leaves undone.
KEPT = Message(
    "keeps its camera and time in the library, which are not those of the file: `sightline library "
    "retime --re-read` and `sightline library recamera --re-read` read them again"
)


@dataclass(frozen=True, slots=True)
class Existing:
    """The rows of a source: their ids, and what corrections and curation gave them.

    ``captured`` is when the source starts; ``cameras`` are by video track, none where the ingest
    was given one; ``curated`` has the caption and tags of the rows (ids) that have any.
    """

    ids: frozenset[str]
    captured: CaptureTime
    cameras: Mapping[int, str]
    curated: Mapping[str, tuple[str, tuple[str, ...]]]

    def camera_of(self, track: int, otherwise: str) -> str:
        """Return the camera of a video track; ``otherwise`` is the one of the ingest."""
        if track in self.cameras or not self.cameras:
            return self.cameras.get(track, otherwise)
        known = min(self.cameras)
        return camera_of_track(main_camera(self.cameras[known], known), track)

    def put_into(self, entity: MediaEntity) -> MediaEntity:
        """Return a new keyframe with the camera, and with the caption and tags of its old row."""
        caption, tags = self.curated.get(entity.id, ("", ()))
        both = tuple(dict.fromkeys((*tags, *entity.tags)))
        return replace(
            entity,
            camera=self.camera_of(entity.track, entity.camera),
            caption=entity.caption or caption,
            tags=both if len(both) <= TAGS_MAX_CAPACITY else tags,
        )


def find_existing(
    settings: Settings, store: Store, library: str, source_id: str
) -> Existing | None:
    """Return what a library holds of a source, None where it holds nothing.

    A correction that was stopped midway counts as written. Raises StoreError.
    """
    ids: set[str] = set()
    first: dict[int, MediaEntity] = {}
    curated: dict[str, tuple[str, tuple[str, ...]]] = {}
    for page in entities_where(store, library, Filter(source_ids=(source_id,))):
        for entity in page:
            ids.add(entity.id)
            known = first.setdefault(entity.track, entity)
            if entity.pts_ms < known.pts_ms:
                first[entity.track] = entity
            if entity.caption or entity.tags:
                curated[entity.id] = entity.caption, entity.tags
    if not ids:
        return None
    pending = pending_values(settings, library, [entity.id for entity in first.values()])
    rows = {
        track: pending[entity.id].put_into(entity) if entity.id in pending else entity
        for track, entity in first.items()
    }
    main = rows[min(rows)]
    captured = CaptureTime(main.captured_at - main.pts_ms, main.captured_from)
    cameras = {track: entity.camera for track, entity in rows.items()}
    return Existing(frozenset(ids), captured, cameras, curated)


class Replacement:
    """Keeps a library's rows in step with the contents of its paths, for one ingest.

    ``options`` gives those of a source, by its uri, as the ledger keeps them. All it does may be
    done again: an ingest that is killed leaves the rest to the next one.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        ledger: Ledger,
        library: str,
        options: Callable[[str], str],
        outages: Outages,
    ) -> None:
        self.removed = 0
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._library = library
        self._options = options
        self._patiently = outages.outlast
        self._mounts: dict[Path, Mount] = {}
        self._seen: dict[str, str] = {}
        self._before: dict[str, Existing | None] = {}

    def begin(self, uri: str, source_id: str) -> Existing | None:
        """Note where a source's rows are from, before the first of them is written.

        Return what the library holds of it already, None where that is nothing.
        """
        self._ledger.locate([self._location(uri, source_id, self._options(uri))])
        if not self._ledger.is_done(self._library, source_id):
            return None
        existing = self._patiently(
            lambda: find_existing(self._settings, self._store, self._library, source_id)
        )
        self._before[source_id] = existing  # with other keyframes
        return existing

    def see(self, uri: str, source_id: str) -> None:
        """Note that a path has this content, which is in the library or taken in now."""
        self._seen[uri] = source_id

    def withdraw(self, source_id: str) -> None:
        """Remove the rows of an attempt that was refused, but none that were there before it."""
        if source_id not in self._before and self._ledger.is_done(self._library, source_id):
            return  # another process took it in meanwhile
        before = self._before.get(source_id)
        ids = before.ids if before is not None else frozenset[str]()
        self._patiently(lambda: self._remove(source_id, ids))

    def finish(self) -> None:
        """Remove what the paths that were seen gave before, as far as their content is there now.

        What other paths still have stays, and points to them.
        """
        seen = {
            uri: content
            for uri, content in self._seen.items()
            if self._ledger.is_done(self._library, content)
        }
        self._ledger.locate(self._location(uri, content) for uri, content in seen.items())
        self._ledger.clear_failures(self._library, seen)
        for uri, content in seen.items():
            for place in self._ledger.locations_at(uri):
                if place.library == self._library and place.source_id != content:
                    self._leave(place)

    # Within

    def _leave(self, left: Location) -> None:
        """Take back what a path gave: from the path alone where another one has it too."""
        now_at = ""
        where = Filter(source_ids=(left.source_id,))
        rows = self._patiently(lambda: self._store.entities(self._library, where, limit=1))
        others = self._others(left)
        if rows and rows[0].uri not in others:
            now_at = next((uri for uri in others if self._keeps(uri, left.source_id)), "")
            if now_at:
                self._patiently(lambda: self._point_to(now_at, where))
            else:
                removed, _ = self._patiently(
                    lambda: delete_entities(self._settings, self._store, self._library, where)
                )
                self.removed += removed
        self._ledger.leave(self._library, left.source_id, left.uri, now_at)

    def _others(self, left: Location) -> list[str]:
        places = [place.uri for place in self._ledger.locations(self._library, left.source_id)]
        known = [*places, *self._ledger.paths_of(left.source_id)]
        return [uri for uri in dict.fromkeys(known) if uri != left.uri]

    @cached_property
    def _places(self) -> Whereabouts:
        return Whereabouts(self._settings, self._ledger)

    def _keeps(self, uri: str, source_id: str) -> bool:
        return self._places.look(uri, source_id)[0] in ("there", "away")

    def _point_to(self, uri: str, where: Filter) -> None:
        for page in chunks_where(self._store, self._library, where):
            moved = [replace(entity, uri=uri) for entity in page.entities]
            self._store.upsert(self._library, moved, page.embeddings)

    def _remove(self, source_id: str, kept: frozenset[str]) -> None:
        for page in chunks_where(self._store, self._library, Filter(source_ids=(source_id,))):
            refused = [row for row in keyframes_among(page.entities) if row.id not in kept]
            remove_rows(self._settings, self._store, self._library, refused)

    def _location(self, uri: str, source_id: str, options: str = "") -> Location:
        mount = NO_MOUNT
        if not is_address(uri) and not Path(uri).is_symlink():
            folder = Path(uri).parent
            if folder not in self._mounts:
                self._mounts[folder] = Mount.of(folder)
            mount = self._mounts[folder]
        return Location(self._library, source_id, uri, mount, options)
