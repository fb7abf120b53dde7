"""Capture times in photographs: EXIF, XMP, IPTC, GPS and PNG's text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from PIL import Image, ImageFile, IptcImagePlugin

from ingest.media.capture_time.claims import SourceKey, TimeClaim
from ingest.media.capture_time.formats import Written, is_believable, read_written

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_GPS_TIME, _GPS_DATE = 7, 29
#: Offsets from UTC: of DateTime, DateTimeOriginal, DateTimeDigitized.
_OFFSETS = (0x9010, 0x9011, 0x9012)
_OFFSET = re.compile(r"[+-]\d{1,2}:?\d{2}|Z")


@dataclass(frozen=True, slots=True)
class _ExifDate:
    """A date of EXIF with the tags of its offset from UTC and its fraction of a second."""

    source: SourceKey
    date: int
    offset: int
    fraction: int


_EXIF_DATES = (
    _ExifDate("exif-original", 0x9003, 0x9011, 0x9291),
    _ExifDate("exif-digitized", 0x9004, 0x9012, 0x9292),
    _ExifDate("modified", 0x0132, 0x9010, 0x9290),
)
_XMP: tuple[tuple[SourceKey, tuple[str, ...]], ...] = (
    ("xmp-original", ("exif:DateTimeOriginal", "photoshop:DateCreated")),
    ("xmp-digitized", ("xmp:CreateDate", "xap:CreateDate", "exif:DateTimeDigitized")),
    ("modified", ("xmp:ModifyDate", "xap:ModifyDate")),
)
_IPTC: tuple[tuple[SourceKey, tuple[int, int], tuple[int, int]], ...] = (
    ("iptc-original", (2, 55), (2, 60)),
    ("iptc-digitized", (2, 62), (2, 63)),
)


def photograph_claims(image: Image.Image) -> tuple[TimeClaim, ...]:
    """Return every believable time a picture's metadata gives; damaged metadata gives none."""
    readers: tuple[Callable[[Image.Image], Iterator[tuple[SourceKey, Written | None]]], ...] = (
        _png_text,
        _exif,
        _xmp,
        _iptc,
        _gps,
    )
    claims = []
    for reader in readers:
        try:
            for source, written in reader(image):
                if written is not None and is_believable(written.moment):
                    claims.append(TimeClaim(source, written.moment, written.day_only))
        except Exception:  # noqa: S112 - metadata of damaged files raises nearly anything
            continue
    return tuple(claims)


def _png_text(image: Image.Image) -> Iterator[tuple[SourceKey, Written | None]]:
    if image.format == "PNG":
        yield "container", read_written(image.info.get("Creation Time"))


def _exif(image: Image.Image) -> Iterator[tuple[SourceKey, Written | None]]:
    exif = image.getexif()
    tags: dict[int, Any] = {**exif, **exif.get_ifd(_EXIF_IFD)}
    for place in _EXIF_DATES:
        yield place.source, _exif_date(tags, place)


def _exif_date(tags: Mapping[int, Any], place: _ExifDate) -> Written | None:
    text = tags.get(place.date)
    if not isinstance(text, str):
        return None
    written = read_written(text, iso_midnight=False)
    if written is None or written.day_only:
        return written
    moment = written.moment
    fraction = tags.get(place.fraction)
    if isinstance(fraction, str) and (digits := fraction.strip("\0 ")).isdecimal():
        moment = moment.replace(microsecond=int(digits[:6].ljust(6, "0")))
    if moment.tzinfo is None:
        # Some cameras write the offset of one date only: it is that of all.
        for tag in (place.offset, *_OFFSETS):
            offset = tags.get(tag)
            if isinstance(offset, str) and _OFFSET.fullmatch(offset.strip("\0 ")):
                zoned = read_written(f"{moment:%Y-%m-%dT%H:%M:%S}{offset.strip(chr(0) + ' ')}")
                moment = moment.replace(tzinfo=zoned.moment.tzinfo) if zoned else moment
                break
    return Written(moment, day_only=False)


def _xmp(image: Image.Image) -> Iterator[tuple[SourceKey, Written | None]]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or ""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else str(packet)
    for source, names in _XMP:
        for name in names:
            # Not parsed as XML: a property is an element or an attribute, and nothing else of a
            # packet that may be hostile is looked at.
            found = re.search(
                rf"<{name}(?:\s[^>]*)?>([^<]{{4,64}})<|\b{name}\s*=\s*[\"']([^\"']{{4,64}})", text
            )
            if found is not None:
                yield source, read_written(found[1] or found[2])


def _iptc(image: Image.Image) -> Iterator[tuple[SourceKey, Written | None]]:
    if not isinstance(image, ImageFile.ImageFile):
        return
    fields = IptcImagePlugin.getiptcinfo(image) or {}
    for source, date, time in _IPTC:
        day, clock = (_ascii(fields.get(key)) for key in (date, time))
        if day:
            yield source, read_written(f"{day}T{clock}" if clock else day)


def _ascii(value: object) -> str:
    first = value[0] if isinstance(value, list) and value else value
    return first.decode("ascii", "replace").strip("\0 ") if isinstance(first, bytes) else ""


def _gps(image: Image.Image) -> Iterator[tuple[SourceKey, Written | None]]:
    tags = image.getexif().get_ifd(_GPS_IFD)
    day = read_written(tags.get(_GPS_DATE))
    clock = tags.get(_GPS_TIME)
    if day is None or clock is None:
        return
    hours, minutes, seconds = (float(value) for value in clock)
    since_midnight = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if timedelta() <= since_midnight < timedelta(days=1):
        yield "gps", Written(day.moment.replace(tzinfo=UTC) + since_midnight, day_only=False)
