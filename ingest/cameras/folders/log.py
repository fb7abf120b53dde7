"""The status of each watched folder: its state, when it was not watched, and each of its files.

Kept in the ledger's database, so that it outlives the processes that watch. Times are epoch
milliseconds; paths of files are relative to their folder. A file in a version that is known here is
not taken in again, whatever was deleted of it since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from ingest.cameras.camera import is_watched
from ingest.cameras.folders.folder import WatchedFolder, lock_name
from ingest.cameras.folders.scan import FileVersion
from ingest.cameras.status_log import Statement, StatusLog
from ingest.ledger import Status
from search_core.messages import restored
from search_core.settings import Settings
from search_core.system.database import storable

State = Literal["starting", "watching", "lost", "stopped", "paused", "removed"]

#: A shorter pause between two scans is not a gap.
LEAST_GAP_MS = 60_000
#: The size and time of what could not be read: no version of a file is known by it.
NO_VERSION = -1
_CHUNK = 500
#: Of files and their folders: those that failed and are not in the library by another way since.
_FAILED = (
    "folder_files.folder = folders.name AND folder_files.status = 'failed'"
    " AND folders.state <> 'removed' AND NOT EXISTS"
    " (SELECT 1 FROM sources WHERE sources.library = folders.library AND sources.status = 'done'"
    " AND sources.uri = folders.path || '/' || folder_files.path)"
)
_COLUMNS = (
    "name, path, library, state, reason, since_ms, looked_ms, taken_ms, waiting, taken, keyframes"
)


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as it was last seen.

    ``since_ms`` is when its state began, ``reason`` a predicate about why it is lost, ``looked_ms``
    when it was last looked through, ``taken_ms`` when the last file was taken in. ``waiting`` files
    are not taken in yet; ``taken`` and ``keyframes`` count from the beginning; ``failed`` files are
    listed by :meth:`FolderLog.failures`.
    """

    name: str
    path: str
    library: str
    state: State = "stopped"
    reason: str = ""
    since_ms: int = 0
    looked_ms: int | None = None
    taken_ms: int | None = None
    waiting: int = 0
    taken: int = 0
    keyframes: int = 0
    failed: int = 0

    def is_watched(self, settings: Settings) -> bool:
        """Whether a process watches it now."""
        return is_watched(settings, lock_name(self.path))


@dataclass(frozen=True, slots=True)
class FolderFailure:
    """A file of a folder, or a folder below it, that could not be taken in."""

    folder: str
    path: str
    reason: str
    at_ms: int


class FolderLog(StatusLog):
    """The watched folders of one ledger file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "folders", "folder_gaps")

    def begin(self, folder: WatchedFolder, recipe: str, now_ms: int) -> None:
        """Note that a folder is watched from now on.

        Into another library, or with another ``recipe``, its files are to be taken in again.
        """
        self._run(
            (
                "DELETE FROM folder_files WHERE folder = ?1 AND (mtime_ns = ?4 OR NOT EXISTS"
                " (SELECT 1 FROM folders WHERE name = ?1 AND library = ?2 AND recipe = ?3))",
                (folder.name, folder.library, recipe, NO_VERSION),
            ),
            (
                "INSERT INTO folders (name, path, library, recipe, state, since_ms)"
                " VALUES (?1, ?2, ?3, ?4, 'starting', ?5) ON CONFLICT DO UPDATE SET path = ?2,"
                " library = ?3, recipe = ?4, state = 'starting', reason = '', since_ms = ?5",
                (folder.name, str(folder.path), folder.library, recipe, now_ms),
            ),
            (
                "INSERT OR IGNORE INTO folder_gaps (name, began_ms, reason)"
                " SELECT name, looked_ms, 'was not watched' FROM folders WHERE name = ?1"
                " AND looked_ms < ?2 AND NOT EXISTS"
                " (SELECT 1 FROM folder_gaps WHERE name = ?1 AND ended_ms IS NULL)",
                (folder.name, now_ms - LEAST_GAP_MS),
            ),
        )

    def looked(self, name: str, waiting: int, now_ms: int) -> None:
        """Note that a folder was looked through, and how many of its files wait."""
        self._run(
            (
                "UPDATE folders SET since_ms = CASE state WHEN 'watching' THEN since_ms ELSE ?2"
                " END, state = 'watching', reason = '', looked_ms = ?2, waiting = ?3"
                " WHERE name = ?1 AND state <> 'removed'",
                (name, now_ms, waiting),
            ),
            self._end_gap(name, now_ms),
        )

    def lost(self, name: str, reason: str, now_ms: int) -> None:
        """Note that a folder cannot be watched; the gap begins where it was last looked through."""
        self._write_all(
            (
                "INSERT OR IGNORE INTO folder_gaps (name, began_ms, reason)"
                " SELECT name, coalesce(looked_ms, ?3), ?2 FROM folders WHERE name = ?1"
                " AND state <> 'removed' AND NOT EXISTS"
                " (SELECT 1 FROM folder_gaps WHERE name = ?1 AND ended_ms IS NULL)",
                (name, reason, now_ms),
            ),
            (
                "UPDATE folders SET since_ms = CASE state WHEN 'lost' THEN since_ms ELSE ?3 END,"
                " state = 'lost', reason = ?2 WHERE name = ?1 AND state <> 'removed'",
                (name, reason, now_ms),
            ),
        )

    def remove(self, name: str, now_ms: int) -> None:
        """Note that a folder is removed: it is not listed until it is watched again.

        Its files stay known, so that what was deleted of them does not come back with it.
        """
        self._run(
            (
                "UPDATE folders SET state = 'removed', reason = '', waiting = 0, since_ms = ?2,"
                " looked_ms = NULL WHERE name = ?1",
                (name, now_ms),
            ),
            self._end_gap(name, now_ms),
        )

    def rename_library(self, library: str, name: str) -> None:
        """Note that a library has another name: what was taken into it is not taken in again."""
        self._database.write("UPDATE folders SET library = ? WHERE library = ?", (name, library))

    def unknown(self, folder: WatchedFolder, versions: Iterable[FileVersion]) -> list[FileVersion]:
        """Return those of the files that are not known in this version."""
        coming, found = iter(versions), list[FileVersion]()
        while chunk := list(islice(coming, _CHUNK)):
            values = [
                [storable(version.path), version.size, version.mtime_ns]
                for version in (_below(folder, version) for version in chunk)
            ]
            rows = self._database.read(
                "SELECT key FROM json_each(?2) WHERE NOT EXISTS (SELECT 1 FROM folder_files"
                " WHERE folder = ?1 AND path = json_extract(value, '$[0]')"
                " AND size = json_extract(value, '$[1]')"
                " AND mtime_ns = json_extract(value, '$[2]'))",
                (folder.name, json.dumps(values)),
            )
            found += [chunk[int(key)] for (key,) in rows]
        return found

    def record(
        self,
        folder: WatchedFolder,
        version: FileVersion,
        status: Status,
        reason: str,
        now_ms: int,
        *,
        keyframes: int = 0,
    ) -> None:
        """Write the outcome of a file in this version, and count it if it is done."""
        below = _below(folder, version)
        values = (folder.name, below.path, below.size, below.mtime_ns, status, reason, now_ms)
        counted: Statement = (
            "UPDATE folders SET taken = taken + 1, keyframes = keyframes + ?, taken_ms = ?"
            " WHERE name = ?",
            (keyframes, now_ms, folder.name),
        )
        self._run(
            ("INSERT OR REPLACE INTO folder_files VALUES (?, ?, ?, ?, ?, ?, ?)", values),
            *([counted] if status == "done" else []),
        )

    def forget(self, name: str, paths: Sequence[str] | None = None) -> None:
        """Forget files of a folder by their paths below it, or all of them."""
        if paths is None:
            self._run(("DELETE FROM folder_files WHERE folder = ?", (name,)))
            return
        forget = "DELETE FROM folder_files WHERE folder = ? AND path = ?"
        self._run(*((forget, (name, path)) for path in paths))

    def known(self, name: str, after: str, limit: int) -> list[str]:
        """Return the paths of known files of a folder in their order, from behind ``after`` on."""
        rows = self._database.read(
            "SELECT path FROM folder_files WHERE folder = ? AND path > ? ORDER BY path LIMIT ?",
            (name, after, limit),
        )
        return [str(path) for (path,) in rows]

    def states(self) -> list[FolderState]:
        """Return all folders that were ever watched, by name."""
        rows = self._database.read(
            f"SELECT {_COLUMNS}, (SELECT count(*) FROM folder_files WHERE {_FAILED})"  # noqa: S608
            " FROM folders ORDER BY name"
        )
        return [FolderState(*restored(list(row))) for row in rows]

    def failures(self, name: str | None = None, limit: int = -1) -> list[FolderFailure]:
        """Return the files that could not be taken in as they are now, newest first."""
        rows = self._database.read(
            "SELECT folder, folder_files.path, folder_files.reason, updated_ms"  # noqa: S608
            f" FROM folder_files, folders WHERE {_FAILED} AND (?1 IS NULL OR folder = ?1)"
            " ORDER BY updated_ms DESC, folder_files.path LIMIT ?2",
            (name, limit),
        )
        return [FolderFailure(*restored(list(row))) for row in rows]


def _below(folder: WatchedFolder, version: FileVersion) -> FileVersion:
    """Return a version with its path relative to its folder."""
    path = version.path.removeprefix(f"{folder.path}/").lstrip("/")
    return FileVersion(path, version.size, version.mtime_ns)
