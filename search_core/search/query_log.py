"""Recorded searches: what was looked for lately, kept on this machine to measure indexes with.

One SQLite file in the data directory, the last searches only. A search never fails, and hardly
waits, because of it: what cannot be written at once is not recorded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import SightlineError, in_words
from search_core.schema.entity import ms_from_datetime
from search_core.schema.filters import Filter, Hours
from search_core.system.database import LateRecords, as_utf8

_log = logging.getLogger(__name__)
#: How many searches are kept; with 512 dimensions these are some 15 MB.
KEPT = 10_000
_BUSY_S = 0.05
_SCHEMA = """
CREATE TABLE IF NOT EXISTS searches (
    id INTEGER PRIMARY KEY,
    asked_ms INTEGER NOT NULL,
    library TEXT NOT NULL,
    encoder TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    embedding BLOB NOT NULL,
    filter TEXT NOT NULL,
    k INTEGER NOT NULL
)
"""

QueryKind = Literal["text", "image"]


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """A search somebody made: its embedding (dim,) of length 1, its filter, how many hits.

    ``kind`` is ``text`` for a sentence alone, ``image`` where a picture or a stored moment had a
    part; ``text`` is the sentence, "" without one.
    """

    kind: QueryKind
    text: str
    embedding: Embeddings
    where: Filter
    k: int


class QueryLog(LateRecords):
    """The recorded searches in the file at ``path``, which the first of them makes."""

    migrations = (_SCHEMA,)
    busy_s = _BUSY_S

    def record(self, library: str, encoder: EncoderIdentity, query: RecordedQuery) -> None:
        """Add a search, and forget the oldest beyond KEPT; what cannot be written is let go."""
        row = (
            library,
            encoder.digest,
            query.kind,
            as_utf8(query.text),
            query.embedding.astype(np.float16).tobytes(),
            json.dumps(filter_to_dict(query.where)),
            query.k,
        )
        try:
            with self._opened().writing() as connection:
                number = connection.execute(
                    "INSERT INTO searches (asked_ms, library, encoder, kind, text, embedding,"
                    " filter, k) VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INT),"
                    " ?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).lastrowid
                connection.execute("DELETE FROM searches WHERE id <= ?", ((number or 0) - KEPT,))
        except (SightlineError, OSError) as error:
            _log.debug("a search was not recorded: %s", in_words(error))

    def recent(self, library: str, encoder: EncoderIdentity, limit: int) -> list[RecordedQuery]:
        """Return up to ``limit`` searches of a library made with this encoder, newest first."""
        rows = self._read(
            "SELECT kind, text, embedding, filter, k FROM searches"
            " WHERE library = ? AND encoder = ? AND length(embedding) = ?"
            " ORDER BY id DESC LIMIT ?",
            (library, encoder.digest, 2 * encoder.dim, limit),
        )
        found = []
        for row in rows:
            with suppress(ValueError, OverflowError):  # a moment beyond year 9999 in UTC
                found.append(_to_query(row))
        return found

    def sentences(self, library: str, limit: int) -> list[str]:
        """Return up to ``limit`` different sentences lately looked for in a library, newest first.

        Only those looked for by themselves: a sentence beside a picture is half of what was asked.
        """
        rows = self._read(
            "SELECT text FROM searches WHERE library = ? AND kind = 'text'"
            " GROUP BY text ORDER BY max(id) DESC LIMIT ?",
            (library, limit),
        )
        return [str(text) for (text,) in rows]

    def clear(self) -> int:
        """Forget all searches; return how many there were."""
        if not self.path.exists():
            return 0
        database = self._opened()
        gone = database.write("DELETE FROM searches")
        database.read("VACUUM")
        return gone

    def _read(self, query: str, values: tuple[object, ...]) -> list[Any]:
        if not self.path.exists():
            return []
        try:
            return self._opened().read(query, values)
        except (SightlineError, OSError) as error:
            _log.warning("%s cannot be read: %s", self.path, in_words(error))
            return []


def _to_query(row: tuple[Any, ...]) -> RecordedQuery:
    kind, text, blob, where, k = row
    embedding = np.frombuffer(blob, dtype=np.float16).astype(np.float32)
    embedding /= np.linalg.norm(embedding) or 1.0
    return RecordedQuery(kind, text, embedding, _filter_from_dict(json.loads(where)), k)


def filter_to_dict(where: Filter) -> dict[str, Any]:
    """Return what the filter restricts, as plain JSON values; moments in epoch milliseconds."""
    values = {name: getattr(where, name) for name in Filter.__dataclass_fields__}
    kept = {name: value for name, value in values.items() if value or name == "allowed_cameras"}
    return {name: _plain(value) for name, value in kept.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Hours):
        return asdict(value)
    return ms_from_datetime(value) if isinstance(value, datetime) else value


def _filter_from_dict(record: Mapping[str, Any]) -> Filter:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    for name in ("after", "before"):
        if name in values:
            values[name] = datetime.fromtimestamp(values[name] / 1000, UTC)
    if "hours" in values:
        values["hours"] = Hours(**values["hours"])
    return Filter(**values)
