"""The sources of a capture time in the order in which they are believed: one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from search_core.schema.entity import CapturedFrom

SourceKey = Literal[
    "given",
    "sidecar",
    "container",
    "exif-original",
    "xmp-original",
    "iptc-original",
    "exif-digitized",
    "xmp-digitized",
    "iptc-digitized",
    "gps",
    "name",
    "modified",
    "day",
    "file",
]


@dataclass(frozen=True, slots=True)
class TimeSource:
    """One source of capture times.

    ``captured_from`` is what is stored with the keyframes, ``reads`` what is read, for the
    documentation. ``compared`` says that it tells when a recording began, so that two such sources
    that differ contradict each other; ``camera_clock`` that the camera's own clock wrote it, so
    that a correction of that clock applies.
    """

    key: SourceKey
    captured_from: CapturedFrom
    reads: str
    compared: bool = False
    camera_clock: bool = True


#: The first source that has a believable time is used. docs/capture-time.md shows this table.
SOURCES: tuple[TimeSource, ...] = (
    TimeSource(
        "given",
        "given",
        "`--started-at`; several recordings are laid one after another by name",
        compared=True,
        camera_clock=False,
    ),
    TimeSource(
        "sidecar",
        "sidecar",
        "`photoTakenTime` of the JSON file that Google Takeout lays beside a picture (UTC)",
        camera_clock=False,
    ),
    TimeSource(
        "container",
        "container",
        "the container's tags, then its streams': `com.apple.quicktime.creationdate`, "
        "`DATE_RECORDED`, `DateTimeOriginal`, `creation_time`, `creationdate`, `IDIT`, `DATE`, "
        "`ICRD`, `DATE_DIGITIZED`; of a PNG `Creation Time`",
        compared=True,
    ),
    TimeSource(
        "exif-original",
        "exif",
        "EXIF `DateTimeOriginal`, with `SubSecTimeOriginal` and `OffsetTimeOriginal`",
        compared=True,
    ),
    TimeSource(
        "xmp-original",
        "xmp",
        "XMP `exif:DateTimeOriginal`, `photoshop:DateCreated`",
        compared=True,
    ),
    TimeSource("iptc-original", "iptc", "IPTC date and time created (2:55, 2:60)", compared=True),
    TimeSource("exif-digitized", "exif", "EXIF `DateTimeDigitized`"),
    TimeSource("xmp-digitized", "xmp", "XMP `xmp:CreateDate`, `exif:DateTimeDigitized`"),
    TimeSource("iptc-digitized", "iptc", "IPTC digital creation date and time (2:62, 2:63)"),
    TimeSource(
        "gps",
        "gps",
        "EXIF `GPSDateStamp` and `GPSTimeStamp` (UTC)",
        compared=True,
        camera_clock=False,
    ),
    TimeSource("name", "name", "the names of the file and its folders", compared=True),
    TimeSource("modified", "modified", "EXIF `DateTime` (ModifyDate), XMP `xmp:ModifyDate`"),
    TimeSource(
        "day",
        "day",
        "any of the above that names a day without a time: the file's time where it falls on "
        "that day, else the day's beginning",
    ),
    TimeSource(
        "file",
        "file",
        "the file's modification time, which is the end of a recording: its length is subtracted",
        camera_clock=False,
    ),
)
SOURCE_BY_KEY = {source.key: source for source in SOURCES}


@dataclass(frozen=True, slots=True)
class TimeClaim:
    """A time that one source gives; ``moment`` without a zone is the camera's wall clock.

    ``day_only`` says that the time of day is not known.
    """

    source: SourceKey
    moment: datetime
    day_only: bool = False
