"""Files that were found in a watched folder and are not taken in yet: until they are whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ingest.cameras.folders.scan import FileVersion
from ingest.media.files import HEAD_BYTES, kind_of, named_like_media, still_written

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
