"""Watch folders: look through each, and give what is whole to the ordinary ingest.

A thread a folder, so that one on a mounted file system that does not answer holds up no other; they
ingest one after the other. Files that disappear are left to retention and verification: nothing is
deleted here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ingest.cameras.folders.folder import WatchedFolder
from ingest.cameras.folders.log import NO_VERSION, FolderLog
from ingest.cameras.folders.scan import Candidates, FileVersion, FolderScan, FolderUnavailable
from ingest.cameras.supervisor import Backoff, Watcher, Watchers
from ingest.ledger import Status
from ingest.media.files import WAIT_STAGE
from ingest.pipeline import ingest
from ingest.report import SourceOutcome
from search_core.encoders.base import Encoder
from search_core.errors import LibraryNotFound, SightlineError, StoreError
from search_core.messages import Message
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.cancellation import Stop
from search_core.system.machine import now_ms

_FORGET_AT_ONCE = 200
#: With this many files waiting, only those just recorded are looked for.
_MOST_WAITING = 5_000
_READ_STAGES = ("find", "read")
_END_S = 10.0
#: How often it is asked which folders are to be watched.
LOOK_EVERY_S = 1.0

_log = logging.getLogger(__name__)

#: Receives the outcome of a file, or why a folder cannot be watched ("" when it is again).
FolderObserver = Callable[[WatchedFolder, SourceOutcome | str], None]
#: Gives the folders that are to be watched now; may raise SightlineError.
Wanted = Callable[[], Sequence[WatchedFolder]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between two scans, and how long one, or Milvus, may not answer."""

    scan_every_s: float = 5.0
    hang_s: float = 30.0
    store_patience_s: float = 30.0


def watch_folders(
    wanted: Wanted,
    settings: Settings,
    store: Store,
    encoder: Encoder,
    stop: Stop,
    *,
    observe: FolderObserver = lambda folder, told: None,
    timing: Timing | None = None,
) -> None:
    """Take in what appears in folders until ``stop`` is set; whatever happens to one is logged.

    ``wanted`` is asked every LOOK_EVERY_S which folders are to be watched from then on; those that
    do not change are not disturbed. ``observe`` is called from several threads.
    """
    timing, ingesting = timing or Timing(), threading.Lock()
    with FolderLog(settings.ledger_path) as log:

        def begin(folder: WatchedFolder) -> _Watcher:
            mine = threading.Event()
            watcher = _Watcher(
                folder, settings, store, encoder, mine, observe, timing, ingesting, log
            )
            watcher.start()
            return watcher

        watchers = Watchers[WatchedFolder, _Watcher](
            begin, lambda one, folder: one.folder == folder
        )
        while True:
            watchers.ask(wanted)
            for watcher in watchers.running.values():
                watcher.note_hang()
            watchers.follow()
            if stop.wait(min(LOOK_EVERY_S, timing.hang_s)):
                break
        watchers.stop()
        until_s = time.monotonic() + _END_S
        for watcher in watchers.running.values():  # one that hangs in a mount ends with us
            watcher.join(max(0.0, until_s - time.monotonic()))


class _Watcher(Watcher):
    """Watches one folder."""

    def __init__(
        self,
        folder: WatchedFolder,
        settings: Settings,
        store: Store,
        encoder: Encoder,
        stop: threading.Event,
        observe: FolderObserver,
        timing: Timing,
        ingesting: threading.Lock,
        log: FolderLog,
    ) -> None:
        super().__init__(settings, f"folder {folder.name}", folder.lock_name, stop)
        self.folder = folder
        self._store = store
        self._encoder = encoder
        self._observe = observe
        self._timing = timing
        self._ingesting = ingesting
        self._log = log
        self._scan = FolderScan(folder.path, settings.data_dir)
        self._candidates = Candidates()
        self._reading_since_s: float | None = None
        self._trouble = ""
        self._said: str | None = None
        self._unlisted: dict[str, str] = {}
        self._checked = ""

    def note_hang(self) -> None:
        """Say so when reading the folder takes too long; for another thread."""
        since_s = self._reading_since_s
        if since_s is not None and time.monotonic() - since_s > self._timing.hang_s:
            self._lose(Message("does not answer"))

    def _watch(self) -> None:
        # Not by encoder: a library that was embedded anew still holds what was taken in.
        recipe = self.folder.options.recipe
        self._log.begin(self.folder, recipe, now_ms())
        with suppress(StoreError):
            self._forget_if_library_is_new()
        self._scan.held = bool(self._log.known(self.folder.name, "", 1))
        scan_s = retry_s = 0.0
        backoff = Backoff()
        while not self.stop.is_set():
            now_s = time.monotonic()
            if now_s >= scan_s:
                self._look()
                # A slow file system is left alone for as long as it took.
                took_s = time.monotonic() - now_s
                scan_s = time.monotonic() + max(self._timing.scan_every_s, took_s)
            if time.monotonic() >= retry_s:
                try:
                    more = self._take_batch()
                    self._trouble, backoff = "", Backoff()
                    if more:
                        continue
                except SightlineError as error:
                    self._trouble = Message("cannot be taken in: {reason}", reason=error.message)
                    self._lose(self._trouble)
                    retry_s = time.monotonic() + backoff.next_s()
            self.stop.wait(max(0.0, min(scan_s - time.monotonic(), 1.0)))
        self._log.end(self.folder.name, now_ms())

    def _forget_if_library_is_new(self) -> None:
        try:
            self._store.library(self.folder.library)
        except LibraryNotFound:
            self._log.forget(self.folder.name)

    def _look(self) -> None:
        """Look through the folder once, and note its state."""
        self._reading_since_s = time.monotonic()
        try:
            found = self._scan.scan(sweep=len(self._candidates) < _MOST_WAITING)
            self._forget_gone()
        except FolderUnavailable as error:
            self._lose(str(error))
            return
        finally:
            self._reading_since_s = None
        unknown = self._log.unknown(self.folder, found.values())
        self._candidates.offer(unknown, time.monotonic())
        self._note_unlisted()
        if self._trouble:
            self._lose(self._trouble)
            return
        self._log.looked(self.folder.name, len(self._candidates), now_ms())
        self._say("")

    def _forget_gone(self) -> None:
        """Forget some deleted files, so that the log does not grow for ever."""
        paths = self._log.known(self.folder.name, self._checked, _FORGET_AT_ONCE)
        gone = [path for path in paths if not self._may_be_there(path)]
        if gone:
            self._log.forget(self.folder.name, gone)
        self._checked = paths[-1] if len(paths) == _FORGET_AT_ONCE else ""

    def _may_be_there(self, path: str) -> bool:
        try:
            (self.folder.path / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def _note_unlisted(self) -> None:
        """Write the folders below this one that cannot be listed among its failures."""
        now = dict(self._scan.unlisted)
        for path in now.keys() - self._unlisted.keys():
            version = FileVersion(path, NO_VERSION, NO_VERSION)
            self._log.record(self.folder, version, "failed", now[path], now_ms())
            self._observe(self.folder, SourceOutcome(path, "failed", now[path], "find"))
        listed = self._unlisted.keys() - now.keys()
        self._log.forget(
            self.folder.name, [path.removeprefix(f"{self.folder.path}/") for path in listed]
        )
        self._unlisted = now

    def _take_batch(self) -> bool:
        """Take in some of the files that are whole; return whether there may be more."""
        self._reading_since_s = time.monotonic()
        try:
            batch, other = self._candidates.batch(time.monotonic())
        finally:
            self._reading_since_s = None
        for version in other:
            self._candidates.drop(version)
            self._log.record(self.folder, version, "skipped", "not media", now_ms())
        if not batch:
            return bool(other)
        with self._ingesting:
            report = ingest(
                [version.path for version in batch],
                self.folder.options,
                settings=self._settings,
                store=self._store,
                encoder=self._encoder,
                library=self.folder.library,
                should_stop=self.stop.is_set,
                patience_s=self._timing.store_patience_s,
                watched=True,
            )
        for version in batch:
            mine = [one for one in report.outcomes if _is_of(one, version)]
            if mine:  # else it was to stop before
                self._settle(version, mine)
        return True

    def _settle(self, version: FileVersion, outcomes: Sequence[SourceOutcome]) -> None:
        """Note the outcome of a file, which may be an archive of several sources."""
        waits = [outcome for outcome in outcomes if outcome.stage == WAIT_STAGE]
        if waits:
            self._candidates.wait(version, time.monotonic())
            return
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        done = any(outcome.status == "done" for outcome in outcomes)
        worst = failed[0] if failed else outcomes[0]
        noted = version
        if failed and all(outcome.stage in _READ_STAGES for outcome in failed):
            self._candidates.retry(version, time.monotonic())  # the file system, not the file
            noted = FileVersion(version.path, NO_VERSION, NO_VERSION)
        else:
            self._candidates.drop(version)
        keyframes = sum(outcome.keyframes for outcome in outcomes)
        status: Status = "failed" if failed else "done" if done else "skipped"
        self._log.record(self.folder, noted, status, worst.reason, now_ms(), keyframes=keyframes)
        for outcome in outcomes:
            self._observe(self.folder, outcome)
            if outcome.status == "failed":
                _log.warning("%s: %s %s", self.folder.name, outcome.uri, outcome.reason)

    def _lose(self, reason: str) -> None:
        self._log.lost(self.folder.name, reason, now_ms())
        self._say(reason)

    def _say(self, reason: str) -> None:
        """Tell why the folder cannot be watched, "" when it is, once until that changes."""
        if reason != self._said:
            self._said = reason
            _log.info("%s %s", self.folder.name, reason or "is watched")
            self._observe(self.folder, reason)


def _is_of(outcome: SourceOutcome, version: FileVersion) -> bool:
    return outcome.uri == version.path or outcome.uri.startswith(f"{version.path}/")
