"""When a picture was taken: given, or read from container or EXIF metadata, or the file's time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from PIL import Image

from search_core.entities import CapturedFrom, ms_from_datetime

_EXIF_IFD = 0x8769
#: (date, offset from UTC, fraction of a second): when it was taken, when it was digitised.
_EXIF_MOMENTS = ((0x9003, 0x9011, 0x9291), (0x9004, 0x9012, 0x9292))
_EXIF_DATE = re.compile(r"(\d{4})[:\-/](\d{2})[:\-/](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})$")
#: Apple's key carries the zone the camera was in; the plain one is UTC.
_CONTAINER_KEYS = ("com.apple.quicktime.creationdate", "creation_time", "date")

#: Clocks that were never set start at 1904, 1970 or 1980.
_EARLIEST = datetime(1980, 1, 2, tzinfo=UTC)


def choose_captured_at(
    given_ms: int | None, found: tuple[int, CapturedFrom] | None, file_ms: int
) -> tuple[int, CapturedFrom]:
    """Return epoch milliseconds and where they came from: given, else found, else the file's."""
    if given_ms is not None:
        return given_ms, "given"
    return found or (file_ms, "file")


def captured_from_container(metadata: Mapping[str, str]) -> tuple[int, CapturedFrom] | None:
    """Read a container's creation time from its metadata; None when there is none to believe."""
    lowered = {key.lower(): value for key, value in metadata.items()}
    for key in _CONTAINER_KEYS:
        text = lowered.get(key, "").strip()
        if len(text) >= len("2020-01-01T00:00"):  # a bare year or day says too little
            moment = _parsed_iso(text)
            if moment is not None and _believable(moment):
                return ms_from_datetime(moment), "container"
    return None


def captured_from_exif(image: Image.Image) -> tuple[int, CapturedFrom] | None:
    """Read when a photograph was taken from its EXIF; None when there is none to believe.

    A time without an offset is the camera's local time and is taken as this machine's.
    """
    try:
        exif = image.getexif().get_ifd(_EXIF_IFD)
    except Exception:  # EXIF of damaged files raises nearly anything
        return None
    for date_tag, offset_tag, fraction_tag in _EXIF_MOMENTS:
        moment = _parsed_exif(exif.get(date_tag), exif.get(offset_tag), exif.get(fraction_tag))
        if moment is not None and _believable(moment):
            return ms_from_datetime(moment), "exif"
    return None


def _parsed_exif(date: object, offset: object, fraction: object) -> datetime | None:
    match = _EXIF_DATE.match(date.strip()) if isinstance(date, str) else None
    if match is None:
        return None
    text = "{}-{}-{}T{}:{}:{}".format(*match.groups())
    if isinstance(fraction, str) and (digits := fraction.strip("\0 ")).isdecimal():
        text += f".{digits[:6].ljust(6, '0')}"
    if isinstance(offset, str) and _OFFSET.fullmatch(offset.strip("\0 ")):
        text += offset.strip("\0 ")
    return _parsed_iso(text)


def _parsed_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _believable(moment: datetime) -> bool:
    try:
        aware = moment.astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        return False
    return _EARLIEST <= aware <= datetime.now(UTC) + timedelta(days=1)
