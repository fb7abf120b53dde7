"""The status of each camera: its state, what was seen of it, and when it was not seen.

Kept in the ledger's database, so that it outlives the processes that watch. Times are epoch
milliseconds. No address but the public one comes here. A line that cannot be written, because the
disk is full say, is told in the log: watching goes on without it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from ingest.cameras.camera import Camera
from ingest.ledger import MIGRATIONS
from search_core.errors import StoreError
from search_core.messages import Message, restored
from search_core.system.database import Records, storable

State = Literal["connecting", "live", "lost", "stopped", "paused", "removed"]

#: A shorter silence is not a gap: a keyframe every two seconds is all there would have been.
LEAST_GAP_MS = 2_000
_log = logging.getLogger(__name__)
Statement = tuple[str, tuple[object, ...]]
_COLUMNS = (
    "name, address, library, state, reason, since_ms, last_frame_ms, frames, dropped, lag_ms,"
    " keyframes, retain_s"
)


@dataclass(frozen=True, slots=True)
class CameraState:
    """The last known state of a camera.

    ``since_ms`` is when its state began, ``reason`` a predicate about why it was lost, ``lag_ms``
    how far reading was behind. ``frames``, ``dropped`` (not decoded, for decoding was behind) and
    ``keyframes`` count from the beginning. ``retain_s`` is None for ever. A camera that is
    ``removed`` is not listed until it is added again.
    """

    name: str
    address: str
    library: str
    state: State = "stopped"
    reason: str = ""
    since_ms: int = 0
    last_frame_ms: int | None = None
    frames: int = 0
    dropped: int = 0
    lag_ms: int = 0
    keyframes: int = 0
    retain_s: float | None = None

    @classmethod
    def before(cls, camera: Camera) -> CameraState:
        """Return the state of a camera that was never watched."""
        retain_s = camera.retain.total_seconds() if camera.retain else None
        return cls(camera.name, camera.address, camera.library, retain_s=retain_s)

    @property
    def retain(self) -> timedelta | None:
        """How long its keyframes are kept; None for ever."""
        return None if self.retain_s is None else timedelta(seconds=self.retain_s)


@dataclass(frozen=True, slots=True)
class Gap:
    """When a camera was not seen or a folder not watched; ``ended_ms`` is None while it lasts."""

    name: str
    began_ms: int
    ended_ms: int | None
    reason: str


class StatusLog(Records):
    """What is kept of all that is watched, in one ledger file: ``table`` and its ``gaps``.

    Safe for several processes and threads.
    """

    migrations = MIGRATIONS

    def __init__(self, path: Path, table: str, gaps: str) -> None:
        super().__init__(path)
        self._table, self._gaps = table, gaps

    def end(self, name: str, now_ms: int) -> None:
        """Note that watching a camera or folder ended."""
        self._write(
            f"UPDATE {self._table} SET state = 'stopped', since_ms = ?"  # noqa: S608
            " WHERE name = ? AND state != 'removed'",
            (now_ms, name),
        )

    def gaps(self, name: str | None = None, since_ms: int = 0) -> list[Gap]:
        """Return the gaps of all, or of one, after ``since_ms``; newest first."""
        rows = self._database.read(
            f"SELECT name, began_ms, ended_ms, reason FROM {self._gaps}"  # noqa: S608
            " WHERE (?1 IS NULL OR name = ?1) AND coalesce(ended_ms, ?2 + 1) > ?2"
            " ORDER BY began_ms DESC, name",
            (name, since_ms),
        )
        return [Gap(*restored(list(row))) for row in rows]

    def _end_gap(self, name: str, now_ms: int) -> Statement:
        return (
            f"UPDATE {self._gaps} SET ended_ms = ? WHERE name = ? AND ended_ms IS NULL",  # noqa: S608
            (now_ms, name),
        )

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._write_all((statement, values))

    def _write_all(self, *statements: Statement) -> None:
        """Run statements in one transaction; a failure to write is logged."""
        try:
            self._run(*statements)
        except StoreError as error:
            _log.warning("the state of what is watched could not be noted: %s", error)

    def _run(self, *statements: Statement) -> None:
        with self._database.writing() as connection:
            for statement, values in statements:
                connection.execute(statement, tuple(map(storable, values)))


class Diary(StatusLog):
    """The cameras of one ledger file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "cameras", "camera_gaps")

    def begin(self, camera: Camera, now_ms: int) -> None:
        """Note that a camera is to be watched from now on; since its last frame it was not."""
        retain_s = camera.retain.total_seconds() if camera.retain else None
        self._write(
            "INSERT INTO cameras (name, address, library, state, since_ms, retain_s)"
            " VALUES (?1, ?2, ?3, 'connecting', ?4, ?5) ON CONFLICT DO UPDATE SET"
            " address = ?2, library = ?3, state = 'connecting', reason = '', since_ms = ?4,"
            " retain_s = ?5",
            (camera.name, camera.address, camera.library, now_ms, retain_s),
        )
        self._open_gap(camera.name, Message("was not watched"), seen_before=True)

    def seen(
        self, name: str, first_ms: int, last_ms: int, frames: int, dropped: int, lag_ms: int
    ) -> None:
        """Note that a camera is seen: frames from ``first_ms`` to ``last_ms`` came of it."""
        self._write_all(
            (
                "UPDATE cameras SET since_ms = CASE WHEN state = 'live' THEN since_ms ELSE ? END,"
                " state = 'live', reason = '', last_frame_ms = ?, frames = frames + ?,"
                " dropped = dropped + ?, lag_ms = ? WHERE name = ? AND state != 'removed'",
                (first_ms, last_ms, frames, dropped, lag_ms, name),
            ),
            (
                "DELETE FROM camera_gaps WHERE name = ? AND ended_ms IS NULL AND ? - began_ms < ?",
                (name, first_ms, LEAST_GAP_MS),
            ),
            self._end_gap(name, first_ms),
        )

    def lost(self, name: str, reason: str, now_ms: int) -> None:
        """Note that a camera was lost, or still is; the gap begins with its last frame."""
        self._open_gap(name, reason)
        self._write(
            "UPDATE cameras SET since_ms = CASE WHEN state = 'lost' THEN since_ms ELSE ? END,"
            " state = 'lost', reason = ? WHERE name = ? AND state != 'removed'",
            (now_ms, reason, name),
        )

    def remove(self, name: str, retain: timedelta | None, now_ms: int) -> None:
        """Note that a camera is gone for good; what it left is kept for so long, None for ever.

        Raises StoreError when that cannot be noted.
        """
        retain_s = None if retain is None else retain.total_seconds()
        self._run(
            (
                "UPDATE cameras SET state = 'removed', reason = '', since_ms = ?, retain_s = ?"
                " WHERE name = ?",
                (now_ms, retain_s, name),
            ),
            self._end_gap(name, now_ms),
            ("DELETE FROM camera_retention WHERE name = ?", (name,)),
        )

    def add_dropped(self, name: str, frames: int) -> None:
        """Count keyframes that were not kept."""
        self._write("UPDATE cameras SET dropped = dropped + ? WHERE name = ?", (frames, name))

    def add_keyframes(
        self,
        name: str,
        library: str,
        source_id: str,
        recipe: str,
        uri: str,
        added: int,
        now_ms: int,
    ) -> None:
        """Count keyframes Milvus has acknowledged, here and as the ledger's line of their day."""
        self._write_all(
            ("UPDATE cameras SET keyframes = keyframes + ? WHERE name = ?", (added, name)),
            (
                "INSERT INTO sources (library, source_id, recipe, uri, status, keyframes,"
                " updated_ms) VALUES (?, ?, ?, ?, 'done', ?, ?) ON CONFLICT DO UPDATE SET"
                " keyframes = keyframes + excluded.keyframes, updated_ms = excluded.updated_ms",
                (library, source_id, recipe, uri, added, now_ms),
            ),
        )

    def cameras(self) -> list[CameraState]:
        """Return all cameras that were ever watched, by name."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM cameras ORDER BY name")  # noqa: S608
        return [CameraState(*restored(list(row))) for row in rows]

    def retentions(self) -> dict[str, timedelta | None]:
        """Return how long keyframes of cameras are kept, where that was changed; None for ever."""
        rows = self._database.read("SELECT name, retain_s FROM camera_retention")
        return {
            str(name): None if retain_s is None else timedelta(seconds=retain_s)
            for name, retain_s in rows
        }

    def set_retention(self, name: str, retain: timedelta | None) -> None:
        """Keep a camera's keyframes this long, None for ever, whatever the settings say."""
        retain_s = None if retain is None else retain.total_seconds()
        self._database.write(
            "INSERT OR REPLACE INTO camera_retention VALUES (?, ?)", (name, retain_s)
        )

    def forget_retention(self, name: str) -> None:
        """Keep a camera's keyframes as long as the settings say."""
        self._database.write("DELETE FROM camera_retention WHERE name = ?", (name,))

    def forget_gaps(self, name: str, before_ms: int) -> None:
        """Forget a camera's gaps that were over by then."""
        self._write("DELETE FROM camera_gaps WHERE name = ? AND ended_ms < ?", (name, before_ms))

    def _open_gap(self, name: str, reason: str, *, seen_before: bool = False) -> None:
        """Open a gap unless one is: since the last frame, or since watching began without one.

        Not before the last gap was over. With ``seen_before`` only when there was a frame.
        """
        self._write(
            "INSERT OR IGNORE INTO camera_gaps (name, began_ms, reason)"
            " SELECT name, max(coalesce(last_frame_ms, since_ms), coalesce("
            "(SELECT max(ended_ms) FROM camera_gaps WHERE name = ?2), 0)), ?1"
            " FROM cameras WHERE name = ?2 AND state != 'removed'"
            " AND (last_frame_ms IS NOT NULL OR NOT ?3)"
            " AND NOT EXISTS (SELECT 1 FROM camera_gaps WHERE name = ?2 AND ended_ms IS NULL)",
            (reason, name, seen_before),
        )
