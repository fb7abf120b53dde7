"""The trash: what was deleted, with its embeddings, until it is purged.

SQLite beside the ledger. A row that was deleted is here word for word, so that putting it back
gives the library what it had; its thumbnail stays where it is until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ingest.ledger import LedgerRow
from search_core.encoders.base import EncoderIdentity
from search_core.messages import restored, stored
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import VectorPage
from search_core.system.database import Records, storable

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
        """Keep entities with their embeddings, and what the ledger says of their sources."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?, ?)",
                [
                    (number, entity.id, entity.source_id, _text(entity), vector.tobytes())
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
            " (SELECT count(*) FROM entities WHERE deletion = number) FROM deletions"
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
        """Yield what was deleted at once, some at a time, with its embeddings (n, dim)."""
        after = ""
        while rows := self._database.read(
            "SELECT id, entity, embedding FROM entities WHERE deletion = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (number, after, _CHUNK_ROWS),
        ):
            vectors = np.stack([np.frombuffer(vector, dtype=np.float32) for _, _, vector in rows])
            yield VectorPage([_entity(text) for _, text, _ in rows], vectors)
            after = str(rows[-1][0])

    def lines(self, number: int) -> list[LedgerRow]:
        """Return what the ledger said of the sources that something was deleted of."""
        rows = self._database.read("SELECT line FROM lines WHERE deletion = ?", (number,))
        return [LedgerRow(**restored(json.loads(line))) for (line,) in rows]

    def take(self, number: int, ids: Sequence[str]) -> None:
        """Keep some of what was deleted at once no longer, and its heading when that was all."""
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM entities WHERE deletion = ? AND id = ?", [(number, id) for id in ids]
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
    return MediaEntity(**{**record, "tags": tuple(record["tags"])})
