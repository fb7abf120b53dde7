"""What a path gave before goes when its content changes; a refused attempt leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ingest.ledger import Ledger, Location
from ingest.rows.deletion import delete_entities, remove_rows
from ingest.rows.existing import Existing, find_existing
from ingest.rows.retry import Outages
from ingest.sources.media_locator import Whereabouts
from ingest.sources.mounts import NO_MOUNT, Mount, mount_of
from search_core.schema.entity import is_address
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, chunks_where

_T = TypeVar("_T")


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
        self._outages = outages
        self._places = Whereabouts(settings, ledger)
        self._mounts: dict[Path, Mount] = {}
        self._seen: dict[str, str] = {}
        self._before: dict[str, Existing | None] = {}

    def begin(self, uri: str, source_id: str) -> Existing | None:
        """Note where a source's rows are from, before the first of them is written.

        Return what the library holds of it already, None where that is nothing.
        """
        self._ledger.locate([self._location(uri, source_id, self._options(uri))])
        if not self._is_done(source_id):
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
        if source_id not in self._before and self._is_done(source_id):
            return  # another process took it in meanwhile
        before = self._before.get(source_id)
        ids = before.ids if before is not None else frozenset[str]()
        self._patiently(lambda: self._remove(source_id, ids))

    def finish(self) -> None:
        """Remove what the paths that were seen gave before, as far as their content is there now.

        What other paths still have stays, and points to them.
        """
        seen = {uri: content for uri, content in self._seen.items() if self._is_done(content)}
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

    def _keeps(self, uri: str, source_id: str) -> bool:
        return self._places.look(uri, source_id)[0] in ("there", "away")

    def _point_to(self, uri: str, where: Filter) -> None:
        for page in chunks_where(self._store, self._library, where):
            moved = [replace(entity, uri=uri) for entity in page.entities]
            self._store.upsert(self._library, moved, page.embeddings)

    def _remove(self, source_id: str, kept: frozenset[str]) -> None:
        for page in chunks_where(self._store, self._library, Filter(source_ids=(source_id,))):
            refused = [entity for entity in page.entities if entity.id not in kept]
            remove_rows(self._settings, self._store, self._library, refused)

    def _is_done(self, source_id: str) -> bool:
        rows = self._ledger.of_sources(self._library, [source_id])
        return any(row.status == "done" for row in rows)

    def _location(self, uri: str, source_id: str, options: str = "") -> Location:
        mount = NO_MOUNT
        if not is_address(uri) and not Path(uri).is_symlink():
            folder = Path(uri).parent
            if folder not in self._mounts:
                self._mounts[folder] = mount_of(folder)
            mount = self._mounts[folder]
        return Location(self._library, source_id, uri, mount, options)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return self._outages.outlast(call)
