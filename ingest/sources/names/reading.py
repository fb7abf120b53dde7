"""Reading a path: which recorder named it, when the recording began, and which camera made it.

``Naming`` is how one ingest reads names, and which camera it takes a file to be from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path, PurePath
from typing import Final

from ingest.media.capture_time.claims import TimeClaim
from ingest.media.capture_time.metadata import is_believable
from ingest.sources.discovery import local_path, place_of
from ingest.sources.names.patterns import (
    LONGEST,
    Found,
    NamePattern,
    Stamp,
    parse_template,
    stamp_of,
    stamps_in,
)
from ingest.sources.names.table import PATTERNS
from search_core.messages import Message
from search_core.schema.entity import is_address
from search_core.settings import Settings

#: What a reading of no particular recorder's name is called.
GENERAL: Final = "date in the name"
#: How many folders above the file are looked at, and how much text: members of archives may have
#: names longer than any file system allows.
_FOLDERS = 8
_MOST_CHARACTERS = 600
#: A path with fewer digits has no date that is known here: 1-1-2026 has six.
_FEWEST_DIGITS = 6
_SUFFIX = re.compile(r"\.(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{1,5}$")
#: What file managers and phones append to copies.
_COPY = re.compile(r"(?: ?\([0-9]+\)| - copy| copy(?: [0-9]+)?|~[0-9]+|-edited)$", re.IGNORECASE)
_DATE_PARTS = r"(?:19|20)[0-9]{2}[-_.]?[01][0-9](?:[-_.]?[0-3][0-9])?"
_DATE_FOLDER = re.compile(
    r"(?:(?:19|20)[0-9]{2}"
    rf"|{_DATE_PARTS}(?:[ _T-]?[0-9]{{2}}(?:[-_.h]?[0-9]{{2}}){{0,2}})?(?:_.*)?"
    rf"|{_DATE_PARTS}[ap]m|[0-9]{{2}}[-.][0-9]{{2}}[-.](?:19|20)[0-9]{{2}}"
    r"|(?:19|20)[0-9]{2}Y[0-9]{2}M[0-9]{2}D(?:[0-9]{2}H)?"
    r"|[A-Z][a-z]{2}\.[0-9]{2}\.(?:19|20)[0-9]{2})",
    re.IGNORECASE,
)
#: Words before a date that name a kind of file, not a camera; a counter may follow.
_KIND = re.compile(
    r"[ _.#()-]*(?:img|image|vid|video|mov|movie|mvi|dsc|photo|pic|picture|pano|burst|clip|file"
    r"|screen ?shot|screen ?recording|rec|record|recording|snap|snapshot|export|event|evt|alarm"
    r"|motion|timing|win|download|backup|copy)?[ _.#()-]*[0-9]*[ _.#()-]*",
    re.IGNORECASE,
)
#: What numbers or random letters before a date are: of the recording, not of a camera.
_IDENTIFIER = re.compile(r"[0-9]{5}|(?<![^\W_])(?=[0-9a-f]*[0-9][a-f])[0-9a-f]{6,}(?![^\W_])")
_CHANNEL = re.compile(r"[ _.-]*((?:ch|cam|camera|channel)[ _-]?[0-9]{1,3})(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameReading:
    """What a name says of a recording.

    ``local`` is the time at which it began, as it is written: by a wall clock, or in UTC where
    ``utc`` is set. Where the name has the day alone, ``local`` is None and ``day`` is set. A name
    that can be read in two ways has neither: its readings are in ``ambiguous``, and a person has
    to say which it is. ``duration_ms`` is the length by the name.
    """

    recorder: str
    local: datetime | None = None
    day: date | None = None
    utc: bool = False
    camera: str | None = None
    duration_ms: int | None = None
    ambiguous: tuple[datetime, ...] = ()

    @property
    def moment(self) -> datetime | date | None:
        """The time or the day, None where the name has neither or leaves it open."""
        return self.local or self.day

    @property
    def question(self) -> str:
        """What to ask where the name can be read in two ways, as a predicate; else empty."""
        if not self.ambiguous:
            return ""
        times = " or ".join(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in self.ambiguous)
        return Message(
            "has a name that can be read as {times}; say which with --name-pattern, "
            "such as %d-%m-%Y_%H-%M-%S, or --started-at",
            times=times,
        )

    @property
    def claims(self) -> tuple[TimeClaim, ...]:
        """The time or the day it gives; nothing where it leaves it open which."""
        if self.local is not None:
            moment = self.local.replace(tzinfo=UTC) if self.utc else self.local
        elif self.day is not None:
            moment = datetime.combine(self.day, time())
        else:
            return ()
        if not is_believable(moment):
            return ()
        return (TimeClaim("name", moment, day_only=self.local is None),)


def read_recorder_name(
    path: PurePath, patterns: Sequence[NamePattern] = PATTERNS
) -> NameReading | None:
    """Return what a file's name and the folders above it say; None where they say nothing.

    Dates that cannot be, and digits that only look like a date, are left alone.
    """
    tail, whole = _tail(path)
    if not tail:
        return None
    own = [
        reading
        for pattern in patterns
        if pattern.own
        for reading in (*_by_pattern(tail, pattern), *_by_pattern(whole, pattern))
    ]
    if not _may_be_dated(tail):
        return _settled(own, None) if own else None
    known = [item for pattern in patterns if not pattern.own for item in _by_pattern(tail, pattern)]
    found = _agreed(known) or _by_general_form(tail.rpartition("/")[2])
    return _settled(own, found) if own else found


def _may_be_dated(text: str) -> bool:
    return sum(letter.isdigit() for letter in text) >= _FEWEST_DIGITS


def is_date_folder(name: str) -> bool:
    """Return whether a folder's name is a year, a month or a day, and so no camera's."""
    return _DATE_FOLDER.fullmatch(name) is not None


def _tail(path: PurePath) -> tuple[str, str]:
    """Return the end of a path, with ``/`` between folders: without the file's suffix, and with."""
    parts = [part for part in path.parts if part not in ("/", "\\")][-_FOLDERS - 1 :]
    while parts and sum(map(len, parts)) > _MOST_CHARACTERS:
        parts = parts[1:]
    if not parts:
        return "", ""
    stem = _COPY.sub("", _SUFFIX.sub("", parts[-1])).strip()
    return "/".join((*parts[:-1], stem)), "/".join(parts)


def _settled(own: Sequence[NameReading], found: NameReading | None) -> NameReading:
    """Return what the user's patterns read, completed by what the table read."""
    readings = [*own, found] if found else own
    camera = next((item.camera for item in readings if item.camera), None)
    timed = next((item for item in own if item.moment is not None), found or own[0])
    if found and found.local and timed.day == found.local.date():
        timed = found  # the table knows the time of the day that the pattern gives
    return replace(timed, camera=camera)


def _by_pattern(text: str, pattern: NamePattern) -> Iterator[NameReading]:
    for expression in pattern.expressions:
        match = expression.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        stamp = stamp_of(parts, utc=pattern.clock == "utc")
        camera = _camera(pattern, parts, text)
        timeless = not {"Y", "y", "s"} & expression.groupindex.keys()
        if stamp is not None:
            yield _reading(pattern.recorder, stamp, camera)
        elif timeless:
            yield NameReading(pattern.recorder, camera=camera)


def _reading(recorder: str, stamp: Stamp, camera: str | None) -> NameReading:
    return NameReading(recorder, stamp.local, stamp.day, stamp.utc, camera, stamp.duration_ms)


def _camera(pattern: NamePattern, parts: Mapping[str, str | None], text: str) -> str | None:
    """Return a camera's name from what a pattern found; the first channel needs no number."""
    camera, channel = parts.get("camera"), parts.get("channel")
    if camera is not None and pattern.cameras:
        camera = pattern.cameras.get(camera.upper())
    elif camera is not None and pattern.label != "{}":
        camera = pattern.label.format(camera)
    elif camera is not None and not pattern.own:
        folder = f"{camera}/" in text
        camera = None if is_date_folder(camera) or (_is_kind(camera) and not folder) else camera
    number = int(channel) if channel else 0
    if camera is None:
        return f"ch{number}" if number else None
    return f"{camera} ch{number}" if number > 1 else camera


def _agreed(readings: Sequence[NameReading]) -> NameReading | None:
    """Return the one reading, or a question where readings differ."""
    if not readings:
        return None
    times = {(reading.local, reading.day, reading.utc): reading for reading in readings}
    camera = next((reading.camera for reading in readings if reading.camera), None)
    duration_ms = next((item.duration_ms for item in readings if item.duration_ms), None)
    if len(times) == 1:
        return replace(readings[0], camera=camera, duration_ms=duration_ms)
    moments = sorted({reading.local for reading in readings if reading.local is not None})
    names = " or ".join(dict.fromkeys(reading.recorder for reading in times.values()))
    return NameReading(names, camera=camera, ambiguous=tuple(moments))


def _by_general_form(name: str) -> NameReading | None:
    found = stamps_in(name) if _may_be_dated(name) else []
    timed = [item for item in found if any(stamp.local for stamp in item.stamps)]
    found = timed or found
    if not found:
        return None
    camera = _camera_beside(name, found) if timed else None
    stamps = list(found[0].stamps)
    if len(stamps) == 1 and len(found) == 2 and len(found[1].stamps) == 1:
        ended = _ended(stamps[0], found[1].stamps[0])
        if ended is not None:
            return _reading(GENERAL, ended, camera)
    readings = [_reading(GENERAL, stamp, camera) for item in found for stamp in item.stamps]
    return _agreed(readings)


def _is_kind(text: str) -> bool:
    """Return whether text before a date names a kind of file or one recording, not a camera."""
    return bool(_KIND.fullmatch(text) or _IDENTIFIER.search(text))


def _ended(start: Stamp, end: Stamp) -> Stamp | None:
    """Return a start with the length up to an end; None where the second time is not an end."""
    if start.local is None or end.local is None or start.utc != end.utc:
        return None
    length = end.local - start.local
    if not timedelta() < length <= LONGEST:
        return None
    return replace(start, duration_ms=round(length / timedelta(milliseconds=1)))


def _camera_beside(name: str, found: Sequence[Found]) -> str | None:
    """Return the camera named before the first time, or numbered after the last."""
    before = name[: found[0].start].strip(" _.-,([")
    if before and not _is_kind(before) and not is_date_folder(before):
        return before
    channel = _CHANNEL.match(name, found[-1].end)
    return channel[1] if channel else None


#: What a camera is called where neither a name nor a folder tells.
UNKNOWN_CAMERA: Final = "unknown"
#: Folders that recorders and memory cards make below the one that tells cameras apart: Dahua's dav
#: and jpg, Reolink's Mp4Record, Yi's record, DCIM and its numbered folders (100CANON).
_STORAGE = re.compile(r"record|mp4record|dav|jpg|dcim|[1-9][0-9]{2}[A-Z0-9_]{5}", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"[0-9]{1,3}")
_NUMBERED = re.compile(r"[0-9]{3,}[^0-9]*$")
#: What the dashboard puts before the names of uploads.
_UPLOAD_NUMBER = re.compile(r"^[0-9]{3}-")


def name_patterns(given: Sequence[str], configured: Sequence[str] = ()) -> tuple[NamePattern, ...]:
    """Return the patterns to read names with: those given, those of the settings, the table.

    Raises UsageError that names the pattern which cannot work, why, and what to do.
    """
    own = [parse_template(text, "--name-pattern") for text in given]
    own += [parse_template(text, "names.patterns in sightline.toml") for text in configured]
    return (*own, *PATTERNS)


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
        elif not _STORAGE.fullmatch(folder) and not (dated and _BARE_NUMBER.fullmatch(folder)):
            kept.append(folder)
            dated = False
    if not kept:
        return folders[-1] if folders else UNKNOWN_CAMERA
    return " ".join(kept[-2:]) if _BARE_NUMBER.fullmatch(kept[-1]) else kept[-1]
