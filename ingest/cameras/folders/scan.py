"""Find the files below a folder, at a bounded cost each time, and hold them until they are whole.

Nothing notifies of what another machine writes to a mounted file system, so folders are listed. A
sweep goes through all of them, ``most_entries`` entries a scan; a folder with fewer is seen whole
in every scan. In a larger one each scan also lists the folders that changed last, where recorders
write, so that a new recording need not wait for the sweep to come round.
"""

from __future__ import annotations

import heapq
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.media.files import HEAD_BYTES, kind_of, named_like_media, still_written
from search_core.errors import in_words
from search_core.messages import Message

MOST_ENTRIES = 5_000
RECENT_FOLDERS = 500
#: A folder listed this soon after it changed may change again without its time telling.
_SETTLED_S = 3.0


class FolderUnavailable(Exception):
    """The folder cannot be read now; the message is a predicate about it."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was seen: its path, its bytes, and when it changed (epoch nanoseconds)."""

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FileVersion:
        """Return the version that ``stat`` saw."""
        return cls(path, status.st_size, status.st_mtime_ns)


class FolderScan:
    """Looks through ``root``; hidden entries, links and ``data_dir`` are left out, as in an ingest.

    ``unlisted`` holds the folders below it that could not be listed, each with the reason.
    ``sweeps`` counts how often all has been seen. A folder that ``held`` something and is empty now
    is taken for one whose volume is not mounted.
    """

    def __init__(
        self,
        root: Path,
        data_dir: Path,
        *,
        most_entries: int = MOST_ENTRIES,
        recent_folders: int = RECENT_FOLDERS,
    ) -> None:
        self.unlisted: dict[str, str] = {}
        self.sweeps = 0
        self.held = False
        self._root = str(root)
        self._data_dir = data_dir
        self._most_entries = most_entries
        self._recent_folders = recent_folders
        self._budget = 0
        #: When each folder changed when it was listed; a little earlier where it must be again.
        self._listed: dict[str, int] = {}
        self._names: dict[str, set[str]] = {}
        self._to_list: list[str] = []
        self._entries: list[os.DirEntry[str]] = []
        self._swept: set[str] = set()
        self._small = False

    def scan(self, *, sweep: bool = True) -> dict[str, FileVersion]:
        """Return the files seen this time by path; without ``sweep`` only where something changed.

        Raises FolderUnavailable when the folder itself cannot be read.
        """
        found: dict[str, FileVersion] = {}
        self._budget = self._most_entries
        self._check_root()
        if not self._small:
            self._look_at_recent(found)
        if sweep:
            # Its share is kept for it: folders that change all the time must not stop it.
            self._budget = max(self._budget, self._most_entries // 2, 1)
            self._sweep(found)
        return found

    def _check_root(self) -> None:
        try:
            with os.scandir(self._root) as listing:
                empty = next(listing, None) is None
        except FileNotFoundError:
            raise FolderUnavailable(Message("does not exist")) from None
        except NotADirectoryError:
            raise FolderUnavailable(Message("is not a folder")) from None
        except OSError as error:
            raise FolderUnavailable(
                Message("cannot be listed: {error}", error=in_words(error))
            ) from error
        if empty and self.held:
            raise FolderUnavailable(
                Message("is empty, though it held files: is its volume mounted?")
            )
        self.held = not empty

    def _sweep(self, found: dict[str, FileVersion]) -> None:
        began = not self._to_list and not self._entries
        if began:
            self._to_list, self._swept = [self._root], set()
        while self._budget > 0:
            if self._entries:
                self._see(self._entries.pop(), found, self._to_list)
            elif self._to_list:
                folder = self._to_list.pop()
                self._swept.add(folder)
                self._entries = list(self._list(folder))
            else:
                break
        if self._to_list or self._entries:
            self._small = False
            return
        self.sweeps += 1
        self._listed = {name: at for name, at in self._listed.items() if name in self._swept}
        self.unlisted = {name: why for name, why in self.unlisted.items() if name in self._swept}
        self._small = began

    def _look_at_recent(self, found: dict[str, FileVersion]) -> None:
        """See what is new in the folders that changed last, and in those above them."""
        recent = heapq.nlargest(self._recent_folders, self._listed, key=self._listed.__getitem__)
        chosen = {folder: None for name in recent for folder in self._upwards(name)}
        self._names = {name: seen for name, seen in self._names.items() if name in chosen}
        for folder in chosen:
            if self._budget <= 0:
                return
            self._budget -= 1
            if self._listed.get(folder) != _changed_ns(folder):
                self._see_new(folder, found)

    def _see_new(self, folder: str, found: dict[str, FileVersion]) -> None:
        """See the entries of a folder that were not there the last time, and all below new ones."""
        to_list = [folder]
        while to_list and self._budget > 0:
            folder = to_list.pop()
            known = self._names.setdefault(folder, set())
            below: list[str] = []
            for entry in self._list(folder):
                if self._budget <= 0:
                    self._listed.pop(folder, None)  # seen in part: the sweep sees the rest
                    return
                if entry.name not in known:
                    known.add(entry.name)
                    self._see(entry, found, below)
            to_list += [name for name in below if name not in self._listed]

    def _upwards(self, folder: str) -> Iterator[str]:
        while True:
            yield folder
            if folder == self._root:
                return
            folder = os.path.dirname(folder)  # noqa: PTH120 - of text

    def _list(self, folder: str) -> Iterable[os.DirEntry[str]]:
        self._budget -= 1
        changed_ns = _changed_ns(folder)
        try:
            with os.scandir(folder) as listing:
                entries = [entry for entry in listing if not entry.name.startswith(".")]
        except FileNotFoundError:
            self._listed.pop(folder, None)
            return []
        except OSError as error:
            self._listed.pop(folder, None)
            self.unlisted[folder] = Message("cannot be listed: {error}", error=in_words(error))
            return []
        self.unlisted.pop(folder, None)
        settled = abs(time.time() - changed_ns / 1e9) > _SETTLED_S
        self._listed[folder] = changed_ns if settled else changed_ns - 1
        return entries

    def _see(
        self, entry: os.DirEntry[str], found: dict[str, FileVersion], folders: list[str]
    ) -> None:
        self._budget -= 1
        try:
            if entry.is_symlink():
                return
            if entry.is_dir(follow_symlinks=False):
                if not self._is_own(entry.path):
                    folders.append(entry.path)
                return
            status = entry.stat(follow_symlinks=False)
        except OSError:  # gone meanwhile
            return
        if stat.S_ISREG(status.st_mode):
            found[entry.path] = FileVersion.of(entry.path, status)

    def _is_own(self, folder: str) -> bool:
        """Whether a folder is Sightline's data directory."""
        try:
            return self._data_dir.samefile(folder)
        except OSError:
            return False


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - of text
    except OSError:
        return 0


#: What is taken in at once: newer recordings wait no longer than this takes.
BATCH_FILES = 32
BATCH_BYTES = 256 * 1024**2
#: How often a file is looked at until it is whole.
LOOK_EVERY_S = 4.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 30.0, 600.0
_MOST_LOOKED_AT = 500


@dataclass(slots=True)
class _Candidate:
    """A file: since when it has not changed, when to look at it again, how often it failed."""

    version: FileVersion
    since_s: float
    due_s: float
    failures: int = 0


class Candidates:
    """Holds files until they are whole; times are seconds of one steady clock."""

    def __init__(self) -> None:
        self._files: dict[str, _Candidate] = {}

    def __len__(self) -> int:
        return len(self._files)

    def offer(self, versions: Iterable[FileVersion], now_s: float) -> None:
        """Add files; one that changed since is as if it were new."""
        for version in versions:
            known = self._files.get(version.path)
            if known is None or known.version != version:
                self._files[version.path] = _Candidate(version, now_s, now_s)

    def batch(self, now_s: float) -> tuple[list[FileVersion], list[FileVersion]]:
        """Return files to take in, in the order of their names, and files that are no media.

        The newest come first into a batch, which holds BATCH_FILES or BATCH_BYTES, and one at
        least.
        """
        due = [candidate for candidate in self._files.values() if candidate.due_s <= now_s]
        due.sort(key=lambda candidate: -candidate.version.mtime_ns)
        whole: list[FileVersion] = []
        other: list[FileVersion] = []
        for candidate in due[:_MOST_LOOKED_AT]:
            verdict = self._look(candidate, now_s)
            if verdict == "other":
                other.append(candidate.version)
            elif verdict == "whole":
                size = sum(version.size for version in whole) + candidate.version.size
                if whole and size > BATCH_BYTES:
                    break
                whole.append(candidate.version)
                if len(whole) == BATCH_FILES:
                    break
        return sorted(whole, key=lambda version: version.path), other

    def drop(self, version: FileVersion) -> None:
        """Hold a file no longer."""
        self._files.pop(version.path, None)

    def wait(self, version: FileVersion, now_s: float) -> None:
        """Hold a file that turned out to be still written."""
        if known := self._files.get(version.path):
            known.since_s, known.due_s = now_s, now_s + LOOK_EVERY_S

    def retry(self, version: FileVersion, now_s: float) -> None:
        """Hold a file that could not be read, longer each time."""
        if known := self._files.get(version.path):
            known.due_s = now_s + min(_FIRST_RETRY_S * 2**known.failures, _LONGEST_RETRY_S)
            known.failures += 1

    def _look(self, candidate: _Candidate, now_s: float) -> str:
        """Return what a file is now: whole, waiting, other (no media), or gone."""
        path = Path(candidate.version.path)
        try:
            version = FileVersion.of(candidate.version.path, path.stat())
            if version != candidate.version:
                candidate.version, candidate.since_s = version, now_s
            if not _is_media(path):
                return "other"
            waiting = still_written(path, now_s - candidate.since_s, watched=True)
        except FileNotFoundError:
            del self._files[candidate.version.path]
            return "gone"
        except OSError:
            waiting = ""  # the ingest says why it cannot be read
        if waiting:
            candidate.due_s = now_s + LOOK_EVERY_S
            return "waiting"
        return "whole"


def _is_media(path: Path) -> bool:
    """Whether an ingest of the folder would take this file for more than "not media"."""
    if named_like_media(path.name) or path.suffix.lower() == ".zip":
        return True
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return not head or kind_of(head) not in ("unknown", "archive")
