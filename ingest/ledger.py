"""The ledger: which source was done, skipped or failed for which library, and why.

SQLite in WAL mode, safe for several processes and threads. A source that is in no row, or failed,
is pending; that is all there is to resuming.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from ingest.media.files import Content
from search_core.messages import Message, restored
from search_core.schema.entity import is_address
from search_core.system.database import Records, storable
from search_core.system.machine import now_ms

Status = Literal["done", "skipped", "failed"]

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE sources (
        library TEXT NOT NULL,
        source_id TEXT NOT NULL,
        recipe TEXT NOT NULL,
        uri TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('done', 'skipped', 'failed')),
        stage TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        warning TEXT NOT NULL DEFAULT '',
        keyframes INTEGER NOT NULL DEFAULT 0,
        updated_ms INTEGER NOT NULL,
        left_out INTEGER NOT NULL DEFAULT 0,
        options TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (library, source_id, recipe)
    ) WITHOUT ROWID;
    CREATE INDEX sources_newest ON sources (library, updated_ms);
    CREATE INDEX sources_uri ON sources (library, uri);
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        source_id TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE cameras (
        name TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        library TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        since_ms INTEGER NOT NULL,
        last_frame_ms INTEGER,
        frames INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0,
        lag_ms INTEGER NOT NULL DEFAULT 0,
        keyframes INTEGER NOT NULL DEFAULT 0,
        retain_s REAL
    ) WITHOUT ROWID;
    CREATE TABLE camera_gaps (
        camera TEXT NOT NULL,
        began_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        reason TEXT NOT NULL,
        PRIMARY KEY (camera, began_ms)
    ) WITHOUT ROWID;
    CREATE TABLE camera_retention (name TEXT PRIMARY KEY, retain_s REAL) WITHOUT ROWID;
    CREATE TABLE folders (
        name TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        library TEXT NOT NULL,
        recipe TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        since_ms INTEGER NOT NULL,
        looked_ms INTEGER,
        taken_ms INTEGER,
        waiting INTEGER NOT NULL DEFAULT 0,
        taken INTEGER NOT NULL DEFAULT 0,
        keyframes INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE folder_gaps (
        folder TEXT NOT NULL,
        began_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        reason TEXT NOT NULL,
        PRIMARY KEY (folder, began_ms)
    ) WITHOUT ROWID;
    CREATE TABLE folder_files (
        folder TEXT NOT NULL,
        path TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        updated_ms INTEGER NOT NULL,
        PRIMARY KEY (folder, path)
    ) WITHOUT ROWID;
    CREATE INDEX folder_failures ON folder_files (folder, updated_ms) WHERE status = 'failed';
    CREATE TABLE locations (
        library TEXT NOT NULL,
        source_id TEXT NOT NULL,
        uri TEXT NOT NULL,
        mount TEXT NOT NULL DEFAULT '',
        filesystem TEXT NOT NULL DEFAULT '',
        options TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (library, source_id, uri)
    ) WITHOUT ROWID;
    CREATE INDEX locations_uri ON locations (uri);
    CREATE INDEX locations_mount ON locations (mount);
    CREATE TABLE contents (
        source_id TEXT PRIMARY KEY,
        sha256 TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    *[""] * 6,  # what these did is in the first
    """
    ALTER TABLE camera_gaps RENAME COLUMN camera TO name;
    ALTER TABLE folder_gaps RENAME COLUMN folder TO name
    """,
)
_COLUMNS = (
    "library, source_id, recipe, uri, status, stage, reason, warning, keyframes, updated_ms,"
    " left_out, options"
)
#: The stage of sources whose keyframes were in Milvus, and are not any more.
LOST_STAGE = "lost"
_LOST = Message("its keyframes were lost with the library; it can be ingested again")
#: A file changed this recently may change again without its time or size telling.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The outcome of one source in one library.

    ``source_id`` is the content hash, or a hash of the uri for what could not be read. ``stage`` is
    where it failed or was skipped. ``updated_ms`` is epoch milliseconds. ``left_out`` is how many
    frames show nothing new and were left out for that. ``options`` are those of its ingest
    (IngestOptions in JSON), "" of a live camera's day.
    """

    library: str
    source_id: str
    recipe: str
    uri: str
    status: Status
    stage: str
    reason: str
    warning: str
    keyframes: int
    updated_ms: int
    left_out: int
    options: str = ""


class Mount(NamedTuple):
    """A mounted file system: its mount point, and its id as the operating system states it.

    On which one a file lay is kept, so that one that is away is not taken for a deletion. The id is
    not stable for every kind of file system: equal ids mean the same one, different ids may mean
    the same one after a restart.
    """

    point: str = ""
    filesystem: str = ""

    @classmethod
    def of(cls, path: Path) -> Mount:
        """Return that of a file or folder, links resolved; NO_MOUNT when it is not there."""
        try:
            place = os.path.realpath(path, strict=True)
            while not os.path.ismount(place):
                place = os.path.dirname(place)  # noqa: PTH120 - strings: done for every file
            return cls(place, str(os.statvfs(place).f_fsid))
        except OSError:
            return NO_MOUNT


NO_MOUNT = Mount()


@dataclass(frozen=True, slots=True)
class Location:
    """A path or address that had the content of a source when it was ingested.

    ``mount`` is the file system that it lay on, empty where that is not known; ``options`` are
    those of that ingest.
    """

    library: str
    source_id: str
    uri: str
    mount: Mount = NO_MOUNT
    options: str = ""


class Ledger(Records):
    """The ledger file at ``path``, created when it is missing; a context manager."""

    migrations = MIGRATIONS

    def record(
        self,
        library: str,
        source_id: str,
        recipe: str,
        uri: str,
        status: Status,
        *,
        stage: str = "",
        reason: str = "",
        warning: str = "",
        keyframes: int = 0,
        left_out: int = 0,
        options: str = "",
    ) -> None:
        """Write the outcome of a source, in place of the one before.

        A source that is done stays done. What was not done under this uri before, when the file
        had other content or could not be read, is forgotten.
        """
        row = (library, source_id, recipe, uri, status, stage, reason, warning, keyframes)
        values = [storable(value) for value in (*row, now_ms(), left_out, options)]
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM sources WHERE library = ? AND uri = ? AND status != 'done'",
                (library, storable(uri)),
            )
            connection.execute(
                f"INSERT INTO sources ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
                " ON CONFLICT DO UPDATE SET uri = excluded.uri, status = excluded.status,"
                " stage = excluded.stage, reason = excluded.reason, warning = excluded.warning,"
                " keyframes = excluded.keyframes, updated_ms = excluded.updated_ms,"
                " left_out = excluded.left_out, options = excluded.options"
                " WHERE sources.status != 'done' OR excluded.status = 'done'",
                values,
            )

    def is_done(self, library: str, source_id: str, recipe: str | None = None) -> bool:
        """Whether this content is in the library, made with this recipe or, without one, any."""
        found = self._database.read(
            "SELECT 1 FROM sources WHERE library = ?1 AND source_id = ?2"
            " AND (?3 IS NULL OR recipe = ?3) AND status = 'done' LIMIT 1",
            (library, source_id, recipe),
        )
        return bool(found)

    def outcomes(
        self, library: str | None = None, status: str | None = None, limit: int = -1
    ) -> list[LedgerRow]:
        """Return the outcomes of sources, newest first; of one library or status if given."""
        return self._rows(
            "(?1 IS NULL OR library = ?1) AND (?2 IS NULL OR status = ?2)"
            " ORDER BY updated_ms DESC, uri LIMIT ?3",
            (library, status, limit),
        )

    def waiting(self, library: str | None = None) -> list[LedgerRow]:
        """Return the sources that were left because they were still being written."""
        return self._rows(
            "(?1 IS NULL OR library = ?1) AND status = 'skipped' AND stage = 'wait'"
            " ORDER BY updated_ms DESC, uri",
            (library,),
        )

    def lately(
        self, library: str, status: Status, since_ms: int, below: str = "", limit: int = -1
    ) -> list[LedgerRow]:
        """Return the outcomes of a library's sources since then, newest first.

        ``below`` is a folder, an archive or a file, "" for wherever they are.
        """
        return self._rows(
            "library = ?1 AND updated_ms >= ?2 AND status = ?3 AND (?4 = '' OR uri = ?4"
            " OR substr(uri, 1, length(?4) + 1) = ?4 || '/')"
            " ORDER BY updated_ms DESC, uri LIMIT ?5",
            (library, since_ms, status, below, limit),
        )

    def _rows(self, which: str, values: Sequence[object]) -> list[LedgerRow]:
        rows = self._database.read(f"SELECT {_COLUMNS} FROM sources WHERE {which}", values)  # noqa: S608
        return [LedgerRow(*restored(list(row))) for row in rows]

    def counts(self, library: str) -> dict[str, int]:
        """Return how many of a library's sources are done, skipped and failed."""
        counts = {"done": 0, "skipped": 0, "failed": 0}
        counts.update(
            self._database.read(
                "SELECT status, count(*) FROM sources WHERE library = ? GROUP BY status", (library,)
            )
        )
        return counts

    def libraries(self) -> list[str]:
        """Return the libraries that must hold keyframes, by name."""
        rows = self._database.read(
            "SELECT DISTINCT library FROM sources WHERE (status = 'done' OR stage = ?)"
            " AND keyframes > 0 ORDER BY library",
            (LOST_STAGE,),
        )
        return [str(library) for (library,) in rows]

    def lose(self, library: str) -> None:
        """Note that Milvus lost a library: its sources are pending again, with that as reason."""
        self._database.write(
            "UPDATE sources SET status = 'failed', stage = ?, reason = ?, updated_ms = ?"
            " WHERE library = ? AND status = 'done'",
            (LOST_STAGE, _LOST, now_ms(), library),
        )

    def left_out(self, library: str) -> int:
        """Return how many frames of a library's sources were left out: they show nothing new."""
        ((frames,),) = self._database.read(
            "SELECT coalesce(sum(left_out), 0) FROM sources WHERE library = ?", (library,)
        )
        return int(frames)

    def is_elsewhere(self, library: str, source_id: str, recipe: str) -> bool:
        """Whether this content was taken in another way too: in a library, with a recipe."""
        found = self._database.read(
            "SELECT 1 FROM sources WHERE source_id = ? AND (library, recipe) != (?, ?) LIMIT 1",
            (source_id, library, recipe),
        )
        return bool(found)

    def forget(self, library: str) -> None:
        """Forget a library's sources: it was dropped, and all of them are pending again."""
        with self._database.writing() as connection:
            for name in ("sources", "locations"):
                connection.execute(f"DELETE FROM {name} WHERE library = ?", (library,))  # noqa: S608

    def forget_sources(self, library: str, source_ids: Sequence[str]) -> None:
        """Forget some of a library's sources: their entities were deleted."""
        with self._database.writing() as connection:
            for name in ("sources", "locations"):
                connection.executemany(
                    f"DELETE FROM {name} WHERE library = ? AND source_id = ?",  # noqa: S608
                    [(library, source_id) for source_id in source_ids],
                )

    def recipes(self, library: str) -> list[tuple[str, str]]:
        """Return how a library's sources were taken in: recipes, each with options (JSON)."""
        return self._database.read(
            "SELECT DISTINCT recipe, options FROM sources WHERE library = ?", (library,)
        )

    def rename_recipe(self, library: str, old: str, new: str) -> None:
        """Note that what was taken in one way is now there as if in another."""
        self._database.write(
            "UPDATE OR REPLACE sources SET recipe = ? WHERE library = ? AND recipe = ?",
            (new, library, old),
        )

    def reword(self, line: LedgerRow, recipe: str, options: str) -> None:
        """Note that a source is there as if taken in another way, with these options (JSON)."""
        self._database.write(
            "UPDATE OR REPLACE sources SET recipe = ?, options = ?"
            " WHERE library = ? AND source_id = ? AND recipe = ?",
            (recipe, options, line.library, line.source_id, line.recipe),
        )

    def expect_fewer(self, library: str, source_id: str, deleted: int) -> None:
        """Note that ``deleted`` keyframes of a source were removed on purpose."""
        self._database.write(
            "UPDATE sources SET keyframes = max(0, keyframes - ?)"
            " WHERE library = ? AND source_id = ?",
            (deleted, library, source_id),
        )

    def leave_out(self, library: str, source_id: str, recipe: str) -> None:
        """Note that one more keyframe of a source was left out: it shows nothing new."""
        self._database.write(
            "UPDATE sources SET keyframes = max(0, keyframes - 1), left_out = left_out + 1"
            " WHERE library = ? AND source_id = ? AND recipe = ?",
            (library, source_id, recipe),
        )

    def expect_more(self, library: str, line: LedgerRow, added: int) -> None:
        """Note that ``added`` keyframes of a source came (back) to a library.

        ``line`` is what was written of the source; it is written again where nothing is now.
        """
        if not added:
            return
        row = asdict(replace(line, library=library, keyframes=added))
        self._database.write(
            f"INSERT INTO sources ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
            " ON CONFLICT DO UPDATE SET keyframes = keyframes + excluded.keyframes",
            list(row.values()),
        )
        self.locate([Location(library, line.source_id, line.uri, options=line.options)])

    def of_sources(self, library: str, source_ids: Sequence[str]) -> list[LedgerRow]:
        """Return the outcomes of some of a library's sources."""
        marks = ", ".join("?" * len(source_ids))
        return self._rows(f"library = ? AND source_id IN ({marks})", (library, *source_ids))

    def rename(self, library: str, name: str) -> None:
        """Note that a library has another name; what was written under that name is forgotten."""
        with self._database.writing() as connection:
            for table in ("sources", "locations"):
                connection.execute(f"DELETE FROM {table} WHERE library = ?", (name,))  # noqa: S608
            for table in ("sources", "locations", "cameras"):
                connection.execute(
                    f"UPDATE {table} SET library = ? WHERE library = ?",  # noqa: S608
                    (name, library),
                )

    def known_content(self, path: str, size: int, mtime_ns: int) -> str | None:
        """Return the content hash of a file that has not changed since it was last read."""
        rows = self._database.read(
            "SELECT source_id FROM files WHERE path = ? AND size = ? AND mtime_ns = ?",
            (path, size, mtime_ns),
        )
        return str(rows[0][0]) if rows else None

    def remember_content(self, path: str, size: int, mtime_ns: int, source_id: str) -> None:
        """Remember a file's content hash; not of one that was changed just now."""
        if time.time_ns() - mtime_ns < _SETTLED_NS:
            return
        self._database.write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (path, size, mtime_ns, source_id)
        )

    # Where the content of sources lies

    def locate(self, locations: Iterable[Location]) -> None:
        """Note that paths have the content of sources; nothing is forgotten that is known."""
        rows = [
            (place.library, place.source_id, place.uri, *place.mount, place.options)
            for place in locations
        ]
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO locations (library, source_id, uri, mount, filesystem, options)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " mount = iif(excluded.mount = '', mount, excluded.mount),"
                " filesystem = iif(excluded.mount = '', filesystem, excluded.filesystem),"
                " options = iif(excluded.options = '', options, excluded.options)",
                [tuple(map(storable, row)) for row in rows],
            )

    def locations(self, library: str, source_id: str) -> list[Location]:
        """Return the paths that had a source's content when a library took it in."""
        return self._locations("library = ? AND source_id = ?", (library, source_id))

    def locations_at(self, uri: str) -> list[Location]:
        """Return what a path gave, now and before, in any library."""
        return self._locations("uri = ?", (uri,))

    def locations_below(self, folder: str, mount: str) -> Iterator[str]:
        """Yield the paths known below a folder of a mounted file system; "" for all on it."""
        start, end = (f"{folder.rstrip('/')}/", f"{folder.rstrip('/')}0") if folder else ("", "")
        rows = self._database.read(
            "SELECT DISTINCT uri FROM locations WHERE mount = ?1"
            " AND (?2 = '' OR (uri >= ?2 AND uri < ?3))",
            (mount, start, end),
        )
        yield from (str(uri) for (uri,) in rows)

    def _locations(self, where: str, values: Sequence[str]) -> list[Location]:
        rows = self._database.read(
            "SELECT library, source_id, uri, mount, filesystem, options FROM locations"  # noqa: S608
            f" WHERE {where} ORDER BY uri",
            values,
        )
        return [
            Location(library, source_id, uri, Mount(mount, filesystem), options)
            for library, source_id, uri, mount, filesystem, options in rows
        ]

    def leave(self, library: str, source_id: str, uri: str, now_at: str = "") -> None:
        """Note that a path has the content of a source no more; ``now_at`` is one that has."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM locations WHERE library = ? AND source_id = ? AND uri = ?",
                (library, source_id, storable(uri)),
            )
            if now_at:
                connection.execute(
                    "UPDATE sources SET uri = ? WHERE library = ? AND source_id = ? AND uri = ?",
                    (storable(now_at), library, source_id, storable(uri)),
                )

    def clear_failures(self, library: str, uris: Iterable[str]) -> None:
        """Forget that files failed: their content is in the library."""
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM sources WHERE library = ? AND uri = ? AND status = 'failed'",
                [(library, storable(uri)) for uri in uris],
            )

    def remember_sha256(self, content: Content) -> None:
        """Remember the SHA-256 of a source's content."""
        self._database.write(
            "INSERT OR IGNORE INTO contents VALUES (?, ?)", (content.source_id, content.sha256)
        )

    def sha256_of(self, source_id: str) -> str:
        """Return the SHA-256 of a source's content in hex, "" where it is not known."""
        rows = self._database.read("SELECT sha256 FROM contents WHERE source_id = ?", (source_id,))
        return str(rows[0][0]) if rows else ""

    def paths_of(self, source_id: str) -> list[str]:
        """Return where this content was seen; the newest place of a file that was moved is here.

        Members of archives are left out: they have no path of their own.
        """
        rows = self._database.read(
            "SELECT path FROM files WHERE source_id = ? ORDER BY path", (source_id,)
        )
        return [path for (path,) in rows if is_address(path) or Path(path).is_absolute()]
