"""Capture times in metadata, as cameras, recorders and photo software write them.

Of video containers and their streams these are tags, of photographs EXIF, XMP, IPTC, GPS and PNG's
text. Only dates on which something can have been captured are believed. Google Takeout lays a
sidecar beside a photograph, a JSON file that says when it was taken: it strips nothing from the
photograph, but what was corrected in Google Photos, and the time of pictures that never had one of
their own, stand in the sidecar alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from PIL import Image, ImageFile, IptcImagePlugin

from ingest.media.capture_time.claims import SourceKey, TimeClaim
from search_core.schema.clocks import FIRST_YEAR

_MOST_CHARACTERS = 64
_TIME = (
    r"(?P<hour>\d{1,2})(?P<colon>[:.]?)(?P<minute>\d{2})"
    r"(?:(?P=colon)(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}:?\d{2}|[+-]\d{2}))?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 2022:01:02 03:04:05, 2022-01-02T03:04:05.250+01:00, 20220102T030405Z, 2001/ 1/27  1:42PM
        r"(?P<utc>UTC |GMT )?(?P<year>\d{4})(?P<gap>[-:/.]?) ?(?P<month>\d{1,2})(?P=gap) ?"
        rf"(?P<day>\d{{1,2}})(?:[T ,_-]*{_TIME}|[T :]*)",
        # Wed May 10 16:23:43 2006
        rf"(?:[a-z]{{3}},? +)?(?P<name>[a-z]{{3}})[a-z]* +(?P<day>\d{{1,2}}),? +{_TIME} +"
        r"(?P<year>\d{4})",
        # Sun, 02 Jan 2022 03:04:05 +0000
        rf"(?:[a-z]{{3}},? +)?(?P<day>\d{{1,2}})[ -](?P<name>[a-z]{{3}})[a-z]*[ -]"
        rf"(?P<year>\d{{4}})(?:[ ,]+{_TIME})?",
    )
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WIDEST_ZONE = timedelta(hours=15)
#: Days on which clocks start that were never set, each with the day before it, which it is in a
#: zone further west: the epochs of classic Mac OS and QuickTime, Unix, DOS and GPS, and what
#: recorders fall back to without a battery.
_RESET_DAYS = frozenset(
    day - timedelta(days=before)
    for day in (date(1904, 1, 1), date(1970, 1, 1), date(1980, 1, 1), date(1980, 1, 6))
    for before in (0, 1)
) | {date(2000, 1, 1)}


@dataclass(frozen=True, slots=True)
class Written:
    """A date as written; ``moment`` has a zone only where one is written."""

    moment: datetime
    day_only: bool


def read_written(text: object, *, iso_midnight: bool = True) -> Written | None:
    """Return the moment a text names, None where it names none or several could be meant.

    12-hour clocks and a 60th second are read. ``24:00`` is the end of the day as ISO 8601 has it;
    with ``iso_midnight`` False, and in ``24:08`` always, it is the hour after midnight of the day
    that is written, as phones write it that count hours from 1 to 24.
    """
    if not isinstance(text, str):
        return None
    text = text.partition("\0")[0].strip()
    if len(text) > _MOST_CHARACTERS:
        return None
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    return None if found is None else _written(found.groupdict(), iso_midnight)


def _written(parts: dict[str, str | None], iso_midnight: bool) -> Written | None:
    month = parts.get("month")
    if month is None:
        name = (parts["name"] or "").lower()
        month = str(_MONTHS.index(name) + 1) if name in _MONTHS else "0"
    day = parts["day"] or ""
    if parts.get("gap") == "" and (len(month), len(day)) != (2, 2):
        return None  # 2022112 could be the 12th of January and the 2nd of November
    try:
        moment = datetime(int(parts["year"] or 0), int(month), int(day))
        if parts["hour"] is None:
            return Written(moment, day_only=True)
        if parts["colon"] == "" and len(parts["hour"]) != 2:
            return None
        since_midnight = _since_midnight(parts, parts["hour"], iso_midnight)
        if since_midnight is None:
            return None
        zone = _zone(parts["zone"] or (parts.get("utc") or "").strip())
        return Written((moment + since_midnight).replace(tzinfo=zone), day_only=False)
    except (ValueError, OverflowError):
        return None


def _since_midnight(
    parts: dict[str, str | None], written_hour: str, iso_midnight: bool
) -> timedelta | None:
    hour, minute = int(written_hour), int(parts["minute"] or 0)
    second = int(parts["second"] or 0)
    fraction = int((parts["fraction"] or "")[:6].ljust(6, "0"))
    if parts["half"] is not None and 1 <= hour <= 12:
        hour = hour % 12 + (12 if parts["half"].lower() == "p" else 0)
    if hour > 24 or minute > 59 or second > 60:
        return None
    if hour == 24 and not (iso_midnight and minute == second == fraction == 0):
        hour = 0
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)


def _zone(text: str) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset > _WIDEST_ZONE:
        return None
    return timezone(-offset if text[0] == "-" else offset)


def is_believable(moment: datetime) -> bool:
    """Whether something can have been captured then: after 1826, not in the future, no reset clock.

    A scan of an old photograph is dated when that was taken; only days on which clocks start that
    were never set are no dates.
    """
    if moment.year < FIRST_YEAR or moment.date() in _RESET_DAYS:
        return False
    try:
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return False
    return aware <= datetime.now(UTC) + timedelta(days=1)


#: Tags in the order in which they are believed. Apple's carries the zone the camera was in;
#: DATE_RECORDED is when recording began, while creation_time may be when the file was remuxed.
_KEYS = (
    "com.apple.quicktime.creationdate",
    "date_recorded",
    "datetimeoriginal",
    "date_time_original",
    "creation_time",
    "creationdate",
    "creation_date",
    "idit",
    "date",
    "icrd",
    "date_digitized",
)
#: Matroska's tags end in the language they are written in.
_LANGUAGE = re.compile(r"-[a-z]{3}$")


def container_claims(tags: Iterable[Mapping[str, str]]) -> tuple[TimeClaim, ...]:
    """Return the time a container gives, and the day where a better tag gives no more than that.

    ``tags`` are the container's own, then those of its streams.
    """
    levels = [
        {_LANGUAGE.sub("", key.lower()): text for key, text in level.items()} for level in tags
    ]
    found = list(_in_tags(levels))
    timed = next((claim for claim in found if not claim.day_only), None)
    day = next((claim for claim in found if claim.day_only), None)
    return tuple(claim for claim in (timed, day) if claim is not None)


def _in_tags(levels: list[dict[str, str]]) -> Iterator[TimeClaim]:
    for key in _KEYS:
        for level in levels:
            written = read_written(level.get(key))
            if written is not None and is_believable(written.moment):
                yield TimeClaim("container", written.moment, written.day_only)


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
    for source, day_key, time_key in _IPTC:
        day, clock = (_ascii(fields.get(key)) for key in (day_key, time_key))
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


#: Sidecars are a few kB; what is larger is something else.
MAX_SIDECAR_BYTES = 256 * 1024

_ENDING = ".supplemental-metadata"
#: Takeout cuts a sidecar's name, without ``.json`` and the number of a duplicate, to so many
#: characters.
_CUT = 46
_NUMBERED = re.compile(r"(.*?)\((\d+)\)")
_EDITED = re.compile(r"-(edited|bearbeitet|modifié|editado|modificato|bewerkt|已编辑|編集済み)$")
#: What the moving part of a live photograph belongs to has one of these suffixes.
_STILLS = (".heic", ".HEIC", ".jpg", ".JPG", ".jpeg", ".JPEG")
_MOVING = (".mp4", ".mov", ".mp")
_EARLIEST_S = -4_260_000_000  # 1835: before there were photographs


def sidecar_of(name: str, siblings: Iterable[str]) -> str | None:
    """Return which of the files beside a photograph or video is its sidecar; None when none is.

    ``name`` and ``siblings`` are names without folders, such as ``IMG_1.jpg`` and
    ``IMG_1.jpg.json``, ``IMG_1.jpg.supplemental-metada.json`` or ``IMG_1.jpg(1).json``, which is
    that of ``IMG_1(1).jpg``.
    """
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    numbered = _NUMBERED.fullmatch(stem)
    plain, number = (numbered[1], numbered[2]) if numbered else (stem, "")
    sidecars = [sibling for sibling in siblings if sibling.endswith(".json")]
    for original in _originals(plain, suffix):
        full = original + _ENDING
        shortest = min(len(original), _CUT)
        for sidecar in sidecars:
            base, its_number = _parts(sidecar)
            if its_number == number and len(base) >= shortest and full.startswith(base):
                return sidecar
    return None


def taken_ms(sidecar: bytes) -> int | None:
    """Return when a picture was taken by its sidecar, in epoch milliseconds.

    None when it is not a sidecar, or gives no time that could be right.
    """
    try:
        seconds = int(json.loads(sidecar)["photoTakenTime"]["timestamp"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return seconds * 1000 if seconds and _EARLIEST_S < seconds < time.time() + 86_400 else None


def _originals(stem: str, suffix: str) -> Iterator[str]:
    """Yield the names under which Takeout may have the picture: its own, unedited, the still's."""
    yield stem + suffix
    if unedited := _EDITED.sub("", stem):
        yield unedited + suffix
    if suffix.lower() in _MOVING:
        yield from (stem + still for still in _STILLS)


def _parts(sidecar: str) -> tuple[str, str]:
    """Return a sidecar's name without ``.json``, and the number of a duplicate or ""."""
    base = sidecar[: -len(".json")]
    numbered = _NUMBERED.fullmatch(base)
    return (numbered[1], numbered[2]) if numbered else (base, "")
