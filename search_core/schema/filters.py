"""Typed filters and the one place that writes Milvus expressions, escaped.

Hours of the day are those that clocks on the wall show. The embedded Milvus has no ``%``, so that
each row holds its minute of the day in UTC, and hours are written as a range of those minutes for
each time in which a zone's clocks do not change: two or three a year at most. A library from before
that minute was stored has one span of epoch milliseconds a day instead, until its rows are written
anew. Either way days on which clocks change are exact: an hour that is skipped finds nothing, one
that comes twice finds both.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from search_core.errors import FilterError
from search_core.schema.entity import (
    FRAME_ID_FIELD,
    KIND_FIELD,
    MINUTE_FIELD,
    MINUTES_A_DAY,
    STORED_FIELDS,
    MediaEntity,
    MediaType,
    minute_of_day,
    ms_from_datetime,
)
from search_core.schema.lettering import LETTERING_FIELD, LETTERING_TEXT_FIELD, Wording

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
#: Where rows hold no minute of the day: a server parses this many spans in 0.2 s, the embedded
#: Milvus likewise.
MOST_DAYS = 1100
#: Clocks before and after these years are taken to show what they do at the edge.
_FIRST_YEAR, _LAST_YEAR = 1970, 2050


@dataclass(frozen=True, slots=True)
class Hours:
    """From ``start_minute`` (inclusive) to ``end_minute`` (exclusive) of every day in a zone.

    Minutes count from midnight, 0 to 1440. A start after the end goes on past midnight. ``zone`` is
    a name of the IANA database, such as Europe/Berlin. Raises FilterError.
    """

    start_minute: int
    end_minute: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        for minute in (self.start_minute, self.end_minute):
            if not 0 <= minute <= MINUTES_A_DAY:
                raise FilterError(
                    "A minute of the day is from 0 to 1440, not {minute}.", minute=minute
                )
        if self.start_minute % MINUTES_A_DAY == self.end_minute % MINUTES_A_DAY:
            raise FilterError(
                "Hours that begin and end at the same time leave out nothing, or everything.",
                "Give two different times of the day.",
            )
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise FilterError(
                "{zone!r} is not a time zone.", "Use a name such as Europe/Berlin.", zone=self.zone
            ) from error

    @property
    def minutes(self) -> int:
        """How many minutes of a day they are."""
        return (self.end_minute - self.start_minute) % MINUTES_A_DAY

    def hold(self, epoch_ms: int) -> bool:
        """Whether the wall clock shows one of these hours at a moment."""
        shown = (minute_of_day(epoch_ms) + _offset(self.zone, epoch_ms)) % MINUTES_A_DAY
        if self.start_minute < self.end_minute:
            return self.start_minute <= shown < self.end_minute
        return shown >= self.start_minute or shown < self.end_minute

    def spans(self, after_ms: int, before_ms: int) -> list[tuple[int, int]]:
        """Return the spans (from, until) in epoch milliseconds within a time, in order.

        Raises FilterError when it is longer than MOST_DAYS.
        """
        if before_ms - after_ms > MOST_DAYS * _DAY_MS:
            raise FilterError(
                "Hours of the day can be looked for within {days:,} days at most.",
                "Say from when and until when, or rebuild the library's index: that lifts the "
                "limit.",
                days=MOST_DAYS,
            )
        start = self.start_minute * _MINUTE_MS
        end = self.end_minute * _MINUTE_MS
        end += _DAY_MS if end <= start else 0
        found = []
        for begins, ends, minutes in _steady(self.zone, after_ms, before_ms):
            offset = minutes * _MINUTE_MS
            first = (begins + offset) // _DAY_MS - 1  # yesterday's hours may reach into today
            last = (ends + offset) // _DAY_MS
            for day in range(first, last + 1):
                midnight = day * _DAY_MS - offset
                span = max(begins, midnight + start), min(ends, midnight + end)
                if span[0] < span[1]:
                    found.append(span)
        return found


def _steady(zone: str, after_ms: int, before_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield (from, until, minutes ahead of UTC) for times in which a zone's clocks do not change.

    Whole days ahead are left out of the minutes: they change no clock.
    """
    begins = after_ms
    offset = _offset(zone, after_ms) % MINUTES_A_DAY
    first, last = _year(after_ms), _year(before_ms)
    for year in range(first, last + 1):
        for moment, later in _changes(zone, year):
            if begins < moment < before_ms and later % MINUTES_A_DAY != offset:
                yield begins, moment, offset
                begins, offset = moment, later % MINUTES_A_DAY
    if begins < before_ms:
        yield begins, before_ms, offset


@lru_cache(maxsize=4096)
def _changes(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return when a zone's clocks change in a year (UTC), each with the minutes ahead from then."""
    found = []
    moment, ends = _start_of(year), _start_of(year + 1)
    offset = _offset(zone, moment)
    while moment < ends:
        later = min(moment + _DAY_MS, ends)
        if _offset(zone, later) != offset:
            later = _change(zone, moment, later, offset)
            offset = _offset(zone, later)
            found.append((later, offset))
        moment = later
    return tuple(found)


def _change(zone: str, before_ms: int, after_ms: int, offset: int) -> int:
    """Return the first millisecond between two whose offset is not ``offset``."""
    while after_ms - before_ms > 1:
        middle = (before_ms + after_ms) // 2
        if _offset(zone, middle) == offset:
            before_ms = middle
        else:
            after_ms = middle
    return after_ms


def _offset(zone: str, epoch_ms: int) -> int:
    """Return by how many minutes a zone's clocks are ahead of UTC at a moment.

    Before 1972 some were ahead by seconds as well: those are rounded.
    """
    within = min(max(epoch_ms, _start_of(_FIRST_YEAR)), _start_of(_LAST_YEAR))
    moment = datetime.fromtimestamp(within // 1000, ZoneInfo(zone))
    return round((moment.utcoffset() or timedelta()) / timedelta(minutes=1))


def _year(epoch_ms: int) -> int:
    within = min(max(epoch_ms, _start_of(_FIRST_YEAR)), _start_of(_LAST_YEAR))
    return datetime.fromtimestamp(within // 1000, UTC).year


@lru_cache(maxsize=512)
def _start_of(year: int) -> int:
    return ms_from_datetime(datetime(year, 1, 1, tzinfo=UTC))


#: What no entity passes.
_NOTHING = 'id == ""'


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entities a search or a query may return; everything left out does not restrict.

    ``cameras``, ``ids`` and ``source_ids``: any of these. ``after`` (inclusive) and ``before``
    (exclusive) bound ``captured_at``; a moment without a zone is local time. ``tags``: all of
    these. ``hours`` are those of every day in their zone.
    ``allowed_cameras`` are those that who asks may see at all, whatever ``cameras`` says: None for
    any, and none of them for nothing. ``is_unread``: those on which nothing was read yet because
    nobody tried.

    What passes are keyframes. With ``regions`` their regions pass as well, by the ids of their
    keyframes too: for what speaks of rows, such as a search of vectors. With ``only_regions`` they
    pass and keyframes do not.
    """

    cameras: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None
    tags: tuple[str, ...] = ()
    media_type: MediaType | None = None
    ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    hours: Hours | None = None
    allowed_cameras: tuple[str, ...] | None = None
    is_unread: bool = False
    regions: bool = False
    only_regions: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it lets every keyframe through."""
        return self in (Filter(), Filter(regions=True))

    def loosened(self, fields: Collection[str] = STORED_FIELDS) -> Filter:
        """Return a filter with simpler hours, which may match more rows, or itself.

        Where a zone's clocks change often within the time, `expression` has a part for each
        change, and Milvus takes longer to read it than to search a small library.
        """
        if self.hours is None or MINUTE_FIELD not in fields:
            return self
        hours = _loosened(self.hours, self.after, self.before)
        return self if hours == self.hours else replace(self, hours=hours)

    def with_regions(self) -> Filter:
        """Return it letting the regions of what passes through as well."""
        return self if self.regions else replace(self, regions=True)

    def regions_alone(self) -> Filter:
        """Return it letting only the regions of what passes through."""
        return replace(self, regions=True, only_regions=True)

    def expression(self, fields: Collection[str] = STORED_FIELDS) -> str:
        """Return the Milvus boolean expression, "" when nothing is filtered.

        ``fields`` are those that the collection has. Raises FilterError for text Milvus's grammar
        cannot carry (control characters), and where rows hold no minute of the day for hours of a
        time that is endless or longer than MOST_DAYS.
        """
        has_regions = KIND_FIELD in fields
        parts = [] if self.regions or not has_regions else [f'{KIND_FIELD} == "frame"']
        if self.only_regions:
            parts.append(f'{KIND_FIELD} != "frame"' if has_regions else _NOTHING)
        if self.cameras:
            parts.append(_is_one_of("camera", self.cameras))
        if self.ids:
            ids = _is_one_of("id", self.ids)
            of_frames = _is_one_of(FRAME_ID_FIELD, self.ids)
            parts.append(f"({ids} or {of_frames})" if self.regions and has_regions else ids)
        if self.source_ids:
            parts.append(_is_one_of("source_id", self.source_ids))
        if self.after is not None:
            parts.append(f"captured_at >= {ms_from_datetime(self.after)}")
        if self.before is not None:
            parts.append(f"captured_at < {ms_from_datetime(self.before)}")
        parts.extend(f"array_contains(tags, {quoted(tag)})" for tag in self.tags)
        if self.media_type is not None:
            parts.append(f"media_type == {quoted(self.media_type)}")
        if self.hours is not None:
            written = _minutes if MINUTE_FIELD in fields else _within
            parts.append(written(self.hours, self.after, self.before))
        if self.allowed_cameras is not None:
            allowed = self.allowed_cameras
            parts.append(_is_one_of("camera", allowed) if allowed else _NOTHING)
        if self.is_unread and LETTERING_FIELD in fields:
            parts.append(f'{LETTERING_FIELD} == ""')
        return " and ".join(parts)

    def seen_by(self, allowed: tuple[str, ...] | None) -> Filter:
        """Return it narrowed to what somebody may see: these cameras, or all for None."""
        if allowed is None:
            return self
        if self.allowed_cameras is not None:
            allowed = tuple(name for name in allowed if name in self.allowed_cameras)
        return replace(self, allowed_cameras=allowed)

    def narrowed(self, other: Filter) -> Filter:
        """Return what passes this filter and another one of cameras, a time and hours.

        Cameras that have none in common let nothing through. Raises FilterError where both name
        hours of the day.
        """
        if self.hours is not None and other.hours not in (None, self.hours):
            raise FilterError("A filter has one span of hours of the day, and not two.")
        both = tuple(name for name in self.cameras if name in other.cameras)
        found = replace(
            self,
            cameras=both if self.cameras and other.cameras else self.cameras or other.cameras,
            after=max(filter(None, (self.after, other.after)), default=None, key=ms_from_datetime),
            before=min(
                filter(None, (self.before, other.before)), default=None, key=ms_from_datetime
            ),
            hours=self.hours or other.hours,
        )
        return found.seen_by(()) if self.cameras and other.cameras and not both else found

    def matches(self, entity: MediaEntity) -> bool:
        """Whether an entity passes: what :meth:`expression` means, said in Python."""
        after = self.after is None or entity.captured_at >= ms_from_datetime(self.after)
        before = self.before is None or entity.captured_at < ms_from_datetime(self.before)
        return (
            after
            and before
            and (self.regions or not entity.is_region)
            and (entity.is_region or not self.only_regions)
            and (not self.cameras or entity.camera in self.cameras)
            and (not self.ids or entity.id in self.ids or entity.frame_id in self.ids)
            and (not self.source_ids or entity.source_id in self.source_ids)
            and all(tag in entity.tags for tag in self.tags)
            and self.media_type in (None, entity.media_type)
            and (self.hours is None or self.hours.hold(entity.captured_at))
            and (self.allowed_cameras is None or entity.camera in self.allowed_cameras)
            and not (self.is_unread and entity.lettering)
        )


def _is_one_of(name: str, values: Sequence[str]) -> str:
    return f"{name} in [{', '.join(quoted(value) for value in values)}]"


@lru_cache(maxsize=256)
def _minutes(hours: Hours, after: datetime | None, before: datetime | None) -> str:
    """Return hours as ranges of `MINUTE_FIELD`, each with the times in which it is the right one.

    Where clocks go on as they are, at the edges, no time is compared: the filter's own bounds do.
    """
    first, last = _time(after, before)
    times: dict[int, list[str]] = {}
    for begins, ends, offset in _steady(hours.zone, first, last):
        bounds = [f"captured_at >= {begins}"] if begins > first else []
        bounds += [f"captured_at < {ends}"] if ends < last else []
        times.setdefault(offset, []).append(" and ".join(bounds))
    parts = []
    for offset, bounds in times.items():
        minutes = _range(hours.start_minute - offset, hours.end_minute - offset)
        parts.append(f"{minutes} and {_any_of(bounds)}" if all(bounds) else minutes)
    return _any_of(parts)


#: More changes of clocks than this are not written into an expression that may be loose.
_FEW_CHANGES = 8


@lru_cache(maxsize=256)
def _loosened(hours: Hours, after: datetime | None, before: datetime | None) -> Hours | None:
    """Return hours in UTC that hold whatever these do within a time, None where that is any hour;
    the hours themselves where clocks change seldom.
    """
    steady = list(_steady(hours.zone, *_time(after, before)))
    if len(steady) <= _FEW_CHANGES:
        return hours
    first, half = steady[0][2], MINUTES_A_DAY // 2
    ahead = [(offset - first + half) % MINUTES_A_DAY - half for _, _, offset in steady]
    start = hours.start_minute - first - max(ahead)
    length = hours.minutes + max(ahead) - min(ahead)
    if length >= MINUTES_A_DAY:
        return None
    return Hours(start % MINUTES_A_DAY, (start + length) % MINUTES_A_DAY)


def _time(after: datetime | None, before: datetime | None) -> tuple[int, int]:
    """Return the edges of a filter's time in epoch milliseconds; see `_FIRST_YEAR`."""
    return (
        _start_of(_FIRST_YEAR) if after is None else ms_from_datetime(after),
        _start_of(_LAST_YEAR) if before is None else ms_from_datetime(before),
    )


def _range(start: int, end: int) -> str:
    """Return the expression of minutes from one to another, which may lie past midnight."""
    start, end = start % MINUTES_A_DAY, end % MINUTES_A_DAY
    parts = [f"{MINUTE_FIELD} >= {start}"] if start else []
    parts += [f"{MINUTE_FIELD} < {end}"] if end else []
    return f"({(' and ' if start < end else ' or ').join(parts)})"


def _within(hours: Hours, after: datetime | None, before: datetime | None) -> str:
    if after is None or before is None:
        raise FilterError(
            "Hours of the day are looked for within a time.", "Say from when and until when."
        )
    spans = hours.spans(ms_from_datetime(after), ms_from_datetime(before))
    return _any_of([f"captured_at >= {start} and captured_at < {end}" for start, end in spans])


def _any_of(parts: Sequence[str]) -> str:
    """Return an expression that any of the parts makes true, nested no deeper than it must.

    A server takes 30 times as long for 1,000 parts in a row, and the embedded Milvus twice.
    """
    if not parts:
        return _NOTHING
    if len(parts) == 1:
        return f"({parts[0]})"
    middle = len(parts) // 2
    return f"({_any_of(parts[:middle])} or {_any_of(parts[middle:])})"


def wording_expression(wording: Wording, *, fuzzy: bool) -> str:
    """Return the expression of rows on which words were read; see `Wording.patterns`.

    For a Milvus that compares with patterns that begin with a wildcard: the embedded one, and
    servers from 2.4 on.
    """
    if wording.is_empty:
        return _NOTHING
    return " and ".join(
        _any_of([f"{LETTERING_TEXT_FIELD} like {quoted(pattern)}" for pattern in patterns])
        for patterns in wording.patterns(fuzzy=fuzzy)
    )


def quoted(text: str) -> str:
    r"""Return ``text`` as a Milvus string literal.

    Milvus reads JSON's escapes for quotes, backslashes, tabs and line ends, and refuses ``\u``; so
    other characters stand as they are, and those that JSON can only write as ``\u`` are refused.
    """
    allowed = "\t\n\r"
    if any((ord(c) < 32 and c not in allowed) or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise FilterError(
            "{text!r} holds control characters, which Milvus cannot filter by.",
            "Remove them from the value.",
            text=text,
        )
    return json.dumps(text, ensure_ascii=False)
