"""The sources of a capture time in the order in which they are believed, one table, and the choice.

Which of the times that sources give is a recording's, where they contradict each other, and the
report on it: where times come from, and which may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from search_core.messages import Message
from search_core.schema.entity import CapturedFrom

if TYPE_CHECKING:  # a camera's process does without pydantic
    from search_core.schema.clocks import Clock

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
    "overlay",
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
    TimeSource(
        "overlay",
        "overlay",
        "the clock that a recorder burned into the frames, once lettering is read",
        compared=True,
    ),
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


#: Sources further apart than this contradict each other.
DISAGREEMENT_MS = 60_000
#: How close two wall clocks are that show the same time.
_SAME_CLOCK = timedelta(minutes=1)
#: How exactly a name and a length must add up to a container's time to show that it is the end.
_END_TOLERANCE_MS = 5_000
_RANK = {source.key: rank for rank, source in enumerate(SOURCES)}
#: What one source says, for warnings; the moment is in UTC.
_SAYS: dict[CapturedFrom, str] = {
    "given": Message("as given"),
    "container": Message("by its metadata"),
    "exif": Message("by its EXIF"),
    "xmp": Message("by its XMP"),
    "iptc": Message("by its IPTC"),
    "gps": Message("by its GPS"),
    "name": Message("by its name"),
    "overlay": Message("by its burned-in clock"),
}


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """When a source was captured: epoch milliseconds, and which source of time says so.

    ``warning`` names the other sources that contradict it, a predicate; "" where none does.
    """

    at_ms: int
    captured_from: CapturedFrom
    warning: str = ""


def choose_capture_time(
    claims: Sequence[TimeClaim],
    clock: Clock,
    *,
    file_ms: int,
    duration_ms: int = 0,
    given_ms: int | None = None,
    question: str = "",
) -> CaptureTime:
    """Return the time of the first source in SOURCES that gives one.

    ``file_ms`` is the file's modification time. ``duration_ms`` is the length of a video, 0 for
    pictures and where it is not known. ``given_ms`` is what somebody said, already in UTC.
    ``question`` is what a name with several readings asks: the warning where no better source is
    there.
    """
    began_ms = file_ms - duration_ms
    times: dict[SourceKey, int] = {}
    for claim in _zoned(claims):
        if not claim.day_only:
            times.setdefault(claim.source, _epoch_ms(claim, clock))
    if given_ms is not None:
        times["given"] = given_ms
    if "container" in times and "name" in times:
        times["container"] = _start_of(times["container"], times["name"], duration_ms)
    if not times:
        captured = _from_day(claims, clock, began_ms) or CaptureTime(began_ms, "file")
        return replace(captured, warning=question)
    chosen = min(times, key=_RANK.__getitem__)
    warning = question if _RANK[chosen] > _RANK["name"] else _disagreement(chosen, times)
    return CaptureTime(times[chosen], SOURCE_BY_KEY[chosen].captured_from, warning)


def with_overlay(captured: CaptureTime, starts: Sequence[int]) -> CaptureTime:
    """Return a capture time now that burned-in clocks are read; its warning is about those alone.

    ``starts`` are the moments (epoch ms) at which the source began by its clock: none, one, or two
    where day and month could be exchanged.
    """
    same = replace(captured, warning="")
    if captured.captured_from == "live" or not starts:
        return same
    chosen = next(of.key for of in SOURCES if of.captured_from == captured.captured_from)
    if _RANK[chosen] < _RANK["overlay"]:
        nearest = min(starts, key=lambda start_ms: abs(start_ms - captured.at_ms))
        warning = _disagreement(chosen, {chosen: captured.at_ms, "overlay": nearest})
        return replace(captured, warning=warning)
    if len(starts) == 1:
        return CaptureTime(starts[0], "overlay")
    if chosen == "overlay":
        return same  # frames that were read before said which
    one, other = map(_moment, starts)
    question = Message(
        "has a burned-in clock that can be read as {one} or {other} UTC, and is not used",
        one=one,
        other=other,
    )
    return replace(captured, warning=question)


def _zoned(claims: Sequence[TimeClaim]) -> list[TimeClaim]:
    """Return claims with the zone that another one with the same wall clock names.

    UTC is left out: what is written as UTC may be a local time that was labelled wrongly.
    """
    zoned = [claim.moment for claim in claims if claim.moment.utcoffset()]
    found = []
    for claim in claims:
        if claim.moment.tzinfo is None and not claim.day_only:
            for other in zoned:
                if abs(other.replace(tzinfo=None) - claim.moment) <= _SAME_CLOCK:
                    claim = replace(claim, moment=claim.moment.replace(tzinfo=other.tzinfo))
                    break
        found.append(claim)
    return found


def _epoch_ms(claim: TimeClaim, clock: Clock) -> int:
    corrected = SOURCE_BY_KEY[claim.source].camera_clock
    return clock.epoch_ms(claim.moment) + (clock.offset_ms if corrected else 0)


def _start_of(container_ms: int, name_ms: int, duration_ms: int) -> int:
    """Return when a recording began whose container may say when it ended, as Android's does."""
    is_end = duration_ms > 0 and abs(container_ms - name_ms - duration_ms) <= min(
        _END_TOLERANCE_MS, duration_ms // 2
    )
    return container_ms - duration_ms if is_end else container_ms


def _from_day(claims: Sequence[TimeClaim], clock: Clock, began_ms: int) -> CaptureTime | None:
    """Return a time on the day that is all the best claim gives."""
    if not claims:
        return None
    best = min(claims, key=lambda claim: _RANK[claim.source])
    first_ms = clock.epoch_ms(best.moment)
    after_ms = clock.epoch_ms(best.moment + timedelta(days=1))
    return CaptureTime(began_ms if first_ms <= began_ms < after_ms else first_ms, "day")


def _disagreement(chosen: SourceKey, times: dict[SourceKey, int]) -> str:
    """Return the first source that contradicts the chosen one, as a predicate; "" for none."""
    others = [
        key
        for key, at_ms in times.items()
        if SOURCE_BY_KEY[key].compared and abs(at_ms - times[chosen]) > DISAGREEMENT_MS
    ]
    if not others or not SOURCE_BY_KEY[chosen].compared:
        return ""
    other = min(others, key=_RANK.__getitem__)
    used, unused = (_says(key, times[key]) for key in (chosen, other))
    return Message(
        "has times that disagree: {what}, which is used, and {reason}", what=used, reason=unused
    )


def _says(key: SourceKey, at_ms: int) -> str:
    origin = _SAYS[SOURCE_BY_KEY[key].captured_from]
    return Message("{moment} UTC {origin}", moment=_moment(at_ms), origin=origin)


def _moment(at_ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


_PHRASES: dict[CapturedFrom, str] = {
    "given": "given",
    "container": "from the file's metadata",
    "exif": "from EXIF",
    "xmp": "from XMP",
    "iptc": "from IPTC",
    "gps": "from GPS",
    "name": "from names",
    "overlay": "from burned-in clocks",
    "modified": "from the metadata's last change",
    "day": "known to the day",
    "file": "from the file's modification time",
}


def time_summary(counts: Mapping[CapturedFrom, int]) -> str:
    """Return how many sources have their times from where, in a sentence."""
    order = dict.fromkeys(source.captured_from for source in SOURCES)
    parts = [f"{counts[kind]:,} {_PHRASES[kind]}" for kind in order if counts.get(kind)]
    return f"Capture times: {', '.join(parts)}."


def file_time_warning(only_file: int, total: int, *, about: bool = False) -> str:
    """Return the warning about sources that have nothing but the file's time, "" for none.

    ``about`` says that the number is an estimate.
    """
    if not only_file:
        return ""
    number = f"{'About ' if about else ''}{only_file:,} of {total:,} sources"
    return (
        f"{number} {'has' if only_file == 1 else 'have'} no time of capture: the file's "
        "modification time is used, which copying may have changed. --started-at says when a "
        "recording began, --name-pattern how its name says it."
    )
