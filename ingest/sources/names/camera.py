"""How one ingest reads names, and which camera it takes a file to be from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Final

from ingest.sources.discovery import local_path, place_of
from ingest.sources.names.patterns import NamePattern
from ingest.sources.names.reading import NameReading, is_date_folder, read_recorder_name
from ingest.sources.names.table import PATTERNS
from ingest.sources.names.templates import name_patterns
from search_core.schema.entity import is_address
from search_core.settings import Settings

#: What a camera is called where neither a name nor a folder tells.
UNKNOWN_CAMERA: Final = "unknown"
#: Folders that recorders and memory cards make below the one that tells cameras apart: Dahua's dav
#: and jpg, Reolink's Mp4Record, Yi's record, DCIM and its numbered folders (100CANON).
_STORAGE = re.compile(r"record|mp4record|dav|jpg|dcim|[1-9][0-9]{2}[A-Z0-9_]{5}", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,3}")
_NUMBERED = re.compile(r"[0-9]{3,}[^0-9]*$")
#: What the dashboard puts before the names of uploads.
_UPLOAD_NUMBER = re.compile(r"^[0-9]{3}-")


@dataclass(frozen=True, slots=True)
class Naming:
    """The patterns that names are read with, the user's own first.

    ``alone`` are files of which each was ingested by itself: not with others, nor with its folder.
    ``uploads_dir`` is where uploads lie under names that the dashboard gave them.
    """

    patterns: tuple[NamePattern, ...] = PATTERNS
    alone: frozenset[PurePath] = frozenset()
    uploads_dir: Path | None = None

    @classmethod
    def of(cls, settings: Settings, own: Sequence[str] = (), paths: Sequence[str] = ()) -> Naming:
        """Return how to read the names of what ``paths`` name.

        ``own`` are patterns as users write them, which come before those of the settings. Raises
        UsageError for one that cannot work.
        """
        patterns = name_patterns(own, settings.names.patterns)
        naming = cls(patterns, uploads_dir=settings.uploads_dir)
        return naming.with_alone(paths) if len(paths) == 1 else naming

    def with_alone(self, paths: Iterable[str]) -> Naming:
        """Return how to read names where each of these files was ingested by itself."""
        places = (place_of(text if is_address(text) else str(local_path(text))) for text in paths)
        return replace(self, alone=frozenset(places))

    def reading_of(self, path: PurePath) -> NameReading | None:
        """Return what a file's name and folders say, None where they say nothing."""
        return read_recorder_name(self._sent(path), self.patterns)

    def camera_of(self, path: PurePath) -> str:
        """Return the camera a file is from: what its name says, else the folder it lies in.

        A file ingested alone is called by its own name, unless that is a date or ends in a number
        as those of a recording's parts do. A folder called by a date, and one that every memory
        card has, is not a camera: the one above is.
        """
        sent = self._sent(path)
        reading = read_recorder_name(sent, self.patterns)
        if reading is not None and reading.camera is not None:
            return reading.camera
        if path in self.alone and reading is None and not _NUMBERED.search(sent.stem):
            return sent.stem
        return _folder_of(sent)

    def _sent(self, path: PurePath) -> PurePath:
        """Return a path as its sender knows it: of an upload, without the dashboard's part."""
        if self.uploads_dir is None or not path.is_relative_to(self.uploads_dir):
            return path
        _folder, *parts = path.relative_to(self.uploads_dir).parts
        return PurePath(*(_UPLOAD_NUMBER.sub("", part) for part in parts[:1]), *parts[1:])


def _folder_of(path: PurePath) -> str:
    """Return the nearest folder that is neither a date nor one that every recorder makes.

    Bare numbers below a date are months, hours or channels; elsewhere they tell cameras apart, and
    are named after the folder above.
    """
    folders = [part for part in path.parent.parts if part.strip("/\\.") and not part.endswith(":")]
    kept: list[str] = []
    dated = False
    for folder in folders:
        if is_date_folder(folder):
            dated = True
        elif not _STORAGE.fullmatch(folder) and not (dated and _NUMBER.fullmatch(folder)):
            kept.append(folder)
            dated = False
    if not kept:
        return folders[-1] if folders else UNKNOWN_CAMERA
    return " ".join(kept[-2:]) if _NUMBER.fullmatch(kept[-1]) else kept[-1]
