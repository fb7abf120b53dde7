"""Deleting so that it can be undone: rows go to the trash, pictures go when it is purged.

The trash is SQLite beside the ledger. A row that was deleted is there word for word, with its
embedding, so that putting it back gives the library what it had; its thumbnail stays where it is
until it is purged.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import compress, islice
from pathlib import Path

import numpy as np

from ingest.cameras.stills import days_kept
from ingest.ledger import Ledger, LedgerRow
from ingest.rows.journal import forget_corrections
from search_core.encoders.base import EncoderIdentity
from search_core.errors import EncoderMismatch, SightlineError, UsageError
from search_core.messages import restored, stored
from search_core.schema.entity import BOX_FIELD, MediaEntity, keyframes_among
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store, VectorPage, chunks_where, require_filter
from search_core.system.database import Records, storable
from search_core.system.machine import now_ms

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE deletions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        library TEXT NOT NULL,
        encoder TEXT NOT NULL,
        what TEXT NOT NULL,
        deleted_ms INTEGER NOT NULL
    );
    CREATE TABLE entities (
        deletion INTEGER NOT NULL,
        id TEXT NOT NULL,
        source_id TEXT NOT NULL,
        entity TEXT NOT NULL,
        embedding BLOB NOT NULL,
        UNIQUE (deletion, id)
    );
    CREATE INDEX entities_id ON entities (id);
    CREATE INDEX entities_source ON entities (source_id);
    CREATE TABLE lines (
        deletion INTEGER NOT NULL,
        source_id TEXT NOT NULL,
        recipe TEXT NOT NULL,
        line TEXT NOT NULL,
        UNIQUE (deletion, source_id, recipe)
    )
    """,
    """
    ALTER TABLE entities ADD COLUMN frame_id TEXT NOT NULL DEFAULT '';
    CREATE INDEX entities_frame ON entities (frame_id)
    """,
)
_CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted at once: its number, from where, what it was called, how many, and when."""

    number: int
    library: str
    encoder: EncoderIdentity
    what: str
    deleted_ms: int
    count: int


class Trash(Records):
    """The trash of a data directory; a context manager, safe for several processes."""

    migrations = MIGRATIONS

    def begin(self, library: str, encoder: EncoderIdentity, what: str, now_ms: int) -> int:
        """Note that something is being deleted; return its number."""
        with self._database.writing() as connection:
            made = connection.execute(
                "INSERT INTO deletions (library, encoder, what, deleted_ms) VALUES (?, ?, ?, ?)",
                (library, json.dumps(encoder.to_dict()), storable(what), now_ms),
            )
            return int(made.lastrowid or 0)

    def put(self, number: int, page: VectorPage, lines: Sequence[LedgerRow]) -> None:
        """Keep rows with their embeddings, and what the ledger says of their sources."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO entities"
                " (deletion, id, source_id, entity, embedding, frame_id) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(number, entity.id, entity.source_id, _text(entity)),
                        *(vector.tobytes(), entity.frame_id),
                    )
                    for entity, vector in zip(
                        page.entities, page.embeddings.astype(np.float32), strict=True
                    )
                ],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?)",
                [
                    (number, line.source_id, line.recipe, json.dumps(stored(asdict(line))))
                    for line in lines
                ],
            )

    def deletions(self, library: str | None = None) -> list[Deletion]:
        """Return what was deleted and can be put back, newest first; of one library if given."""
        rows = self._database.read(
            "SELECT number, library, encoder, what, deleted_ms,"
            " (SELECT count(*) FROM entities WHERE deletion = number AND frame_id = '')"
            " FROM deletions"
            " WHERE (?1 IS NULL OR library = ?1) ORDER BY number DESC",
            (library,),
        )
        return [
            Deletion(
                number,
                name,
                EncoderIdentity.from_dict(json.loads(encoder)),
                restored(what),
                ms,
                count,
            )
            for number, name, encoder, what, ms, count in rows
            if count
        ]

    def contents(self, number: int) -> Iterator[VectorPage]:
        """Yield what was deleted at once, some at a time, with its embeddings (n, dim).

        Keyframes come with their regions, whose ids begin with those of their keyframes.
        """
        after = ""
        while keyframes := self._database.read(
            "SELECT id FROM entities WHERE deletion = ? AND frame_id = '' AND id > ?"
            " ORDER BY id LIMIT ?",
            (number, after, _CHUNK_ROWS),
        ):
            first, after = str(keyframes[0][0]), str(keyframes[-1][0])
            rows = self._database.read(
                "SELECT entity, embedding FROM entities WHERE deletion = ?"
                " AND id >= ? AND id < ? || '.' ORDER BY id",
                (number, first, after),
            )
            vectors = np.stack([np.frombuffer(vector, dtype=np.float32) for _, vector in rows])
            yield VectorPage([_entity(text) for text, _ in rows], vectors)

    def lines(self, number: int) -> list[LedgerRow]:
        """Return what the ledger said of the sources that something was deleted of."""
        rows = self._database.read("SELECT line FROM lines WHERE deletion = ?", (number,))
        return [LedgerRow(**restored(json.loads(line))) for (line,) in rows]

    def take(self, number: int, ids: Sequence[str]) -> None:
        """Keep some of what was deleted at once no longer, and its heading when that was all.

        ``ids`` are keyframes', whose regions go with them.
        """
        with self._database.writing() as connection:
            for name in ("id", "frame_id"):
                connection.executemany(
                    f"DELETE FROM entities WHERE deletion = ? AND {name} = ?",  # noqa: S608
                    [(number, id) for id in ids],
                )
            left = connection.execute(
                "SELECT 1 FROM entities WHERE deletion = ? LIMIT 1", (number,)
            ).fetchone()
            if not left:
                connection.execute("DELETE FROM lines WHERE deletion = ?", (number,))
                connection.execute("DELETE FROM deletions WHERE number = ?", (number,))

    def passing(self, library: str, where: Filter) -> list[tuple[int, list[MediaEntity]]]:
        """Return what of a library is here and passes a filter, by the deletion it belongs to."""
        found = []
        for deletion in self.deletions(library):
            entities = [e for page in self.contents(deletion.number) for e in page.entities]
            if passing := [entity for entity in entities if where.matches(entity)]:
                found.append((deletion.number, passing))
        return found

    def holds(self, ids: Sequence[str]) -> set[str]:
        """Return which of these entities can still be put back."""
        marks = ", ".join("?" * len(ids))
        rows = self._database.read(
            f"SELECT DISTINCT id FROM entities WHERE id IN ({marks})",  # noqa: S608
            ids,
        )
        return {str(found) for (found,) in rows}

    def holds_source(self, source_id: str) -> bool:
        """Whether anything of a source can still be put back."""
        return bool(
            self._database.read("SELECT 1 FROM entities WHERE source_id = ? LIMIT 1", (source_id,))
        )

    def rename(self, library: str, name: str) -> None:
        """Note that a library has another name."""
        self._database.write("UPDATE deletions SET library = ? WHERE library = ?", (name, library))


def trash_path(settings: Settings) -> Path:
    """Return where the trash is (SQLite)."""
    return settings.data_dir / "trash.sqlite"


def _text(entity: MediaEntity) -> str:
    return json.dumps(asdict(entity))


def _entity(text: str) -> MediaEntity:
    record = json.loads(text)
    arrays = {name: tuple(record.get(name, ())) for name in ("tags", BOX_FIELD)}
    return MediaEntity(**{**record, **arrays})


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
            keyframes = keyframes_among(page.entities)
            ids = tuple(entity.id for entity in keyframes)
            sources = sorted({entity.source_id for entity in keyframes})
            trash.put(number, page, ledger.of_sources(library, sources))
            try:
                store.delete(library, Filter(ids=ids))
            except SightlineError:
                if store.count(library, Filter(ids=ids)) == len(ids):
                    trash.take(number, ids)  # nothing was deleted: there is nothing to put back
                raise
            touched.update(entity.source_id for entity in keyframes)
            on_progress(touched.total())
        if not touched:
            trash.take(number, ())
        expect_less(store, ledger, library, touched)
    return touched.total()


def put_back(
    settings: Settings, store: Store, number: int, only: Collection[str] | None = None
) -> int:
    """Put back what was deleted at once, or ``only`` these ids of it; return how many entities.

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
        count = 0
        for page in trash.contents(number):
            wanted = [only is None or row.keyframe_id in only for row in page.entities]
            entities = list(compress(page.entities, wanted))
            if not entities:
                continue
            keyframes = keyframes_among(entities)
            ids = tuple(entity.id for entity in keyframes)
            there = {e.id for e in store.entities(library, Filter(ids=ids), limit=len(ids))}
            store.upsert(library, entities, page.embeddings[np.array(wanted)])
            added = Counter(e.source_id for e in keyframes if e.id not in there)
            for line in lines:
                ledger.expect_more(library, line, added[line.source_id])
            trash.take(number, ids)
            count += len(ids)
    return count


def deleted_entities(settings: Settings, number: int, limit: int) -> list[MediaEntity]:
    """Return some of what was deleted at once; raises UsageError where it is purged."""
    with Trash(trash_path(settings)) as trash:
        _find(trash, number)
        pages = trash.contents(number)
        found = (entity for page in pages for entity in keyframes_among(page.entities))
        return list(islice(found, limit))


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
    keyframes = keyframes_among(entities)
    for start in range(0, len(keyframes), _PAGE_ROWS):
        page = keyframes[start : start + _PAGE_ROWS]
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
