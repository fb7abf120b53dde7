"""Typed filters and the one place that writes Milvus expressions, escaped.

Hours of the day are those that clocks on the wall show. Neither the embedded Milvus nor a server
compares ``captured_at % 86400000`` with anything, so that hours are written as one span of epoch
milliseconds a day. Days on which clocks change are exact: an hour that is skipped gives no span,
one that comes twice gives two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from search_core.errors import FilterError
from search_core.schema.entity import MediaEntity, MediaType, ms_from_datetime

MINUTES_A_DAY = 24 * 60
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
#: A server parses this many spans in 0.2 s, the embedded Milvus likewise.
MOST_DAYS = 1100


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

    def hold(self, epoch_ms: int) -> bool:
        """Whether the wall clock shows one of these hours at a moment."""
        zone = ZoneInfo(self.zone)
        minute = (epoch_ms + _offset_ms(zone, epoch_ms)) % _DAY_MS // _MINUTE_MS
        if self.start_minute < self.end_minute:
            return self.start_minute <= minute < self.end_minute
        return minute >= self.start_minute or minute < self.end_minute

    def spans(self, after_ms: int, before_ms: int) -> list[tuple[int, int]]:
        """Return the spans (from, until) in epoch milliseconds within a time, in order.

        Raises FilterError when it is longer than MOST_DAYS.
        """
        if before_ms - after_ms > MOST_DAYS * _DAY_MS:
            raise FilterError(
                "Hours of the day can be looked for within {days:,} days at most.",
                "Say from when and until when.",
                days=MOST_DAYS,
            )
        zone = ZoneInfo(self.zone)
        start = self.start_minute * _MINUTE_MS
        end = self.end_minute * _MINUTE_MS
        end += _DAY_MS if end <= start else 0
        found = []
        for begins, ends, offset in _steady(zone, after_ms, before_ms):
            first = (begins + offset) // _DAY_MS - 1  # yesterday's hours may reach into today
            last = (ends + offset) // _DAY_MS
            for day in range(first, last + 1):
                midnight = day * _DAY_MS - offset
                span = max(begins, midnight + start), min(ends, midnight + end)
                if span[0] < span[1]:
                    found.append(span)
        return found


def _steady(zone: ZoneInfo, after_ms: int, before_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield (from, until, offset from UTC) for times in which a zone's clocks do not change."""
    begins = after_ms
    while begins < before_ms:
        offset = _offset_ms(zone, begins)
        ends = begins
        while ends < before_ms:
            later = min(ends + _DAY_MS, before_ms)
            if _offset_ms(zone, later) != offset:
                ends = _change(zone, ends, later, offset)
                break
            ends = later
        yield begins, ends, offset
        begins = ends


def _change(zone: ZoneInfo, before_ms: int, after_ms: int, offset: int) -> int:
    """Return the first millisecond between two whose offset is not ``offset``."""
    while after_ms - before_ms > 1:
        middle = (before_ms + after_ms) // 2
        if _offset_ms(zone, middle) == offset:
            before_ms = middle
        else:
            after_ms = middle
    return after_ms


def _offset_ms(zone: ZoneInfo, epoch_ms: int) -> int:
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(zone)
    return round((moment.utcoffset() or timedelta()) / timedelta(milliseconds=1))


#: What no entity passes.
_NOTHING = 'id == ""'


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entities a search or a query may return; everything left out does not restrict.

    ``cameras``, ``ids`` and ``source_ids``: any of these. ``after`` (inclusive) and ``before``
    (exclusive) bound ``captured_at``; a moment without a zone is local time. ``tags``: all of
    these. ``hours`` of the day need ``after`` and ``before``, at most three years apart.
    ``allowed_cameras`` are those that who asks may see at all, whatever ``cameras`` says: None for
    any, and none of them for nothing.
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

    @property
    def is_empty(self) -> bool:
        """Whether it lets everything through."""
        return self == Filter()

    def expression(self) -> str:
        """Return the Milvus boolean expression, "" when nothing is filtered.

        Raises FilterError for text Milvus's grammar cannot carry (control characters), and for
        hours of an endless time.
        """
        parts: list[str] = []
        for name, values in (
            ("camera", self.cameras),
            ("id", self.ids),
            ("source_id", self.source_ids),
        ):
            if values:
                parts.append(f"{name} in [{', '.join(quoted(value) for value in values)}]")
        if self.after is not None:
            parts.append(f"captured_at >= {ms_from_datetime(self.after)}")
        if self.before is not None:
            parts.append(f"captured_at < {ms_from_datetime(self.before)}")
        parts.extend(f"array_contains(tags, {quoted(tag)})" for tag in self.tags)
        if self.media_type is not None:
            parts.append(f"media_type == {quoted(self.media_type)}")
        if self.hours is not None:
            parts.append(_within(self.hours, self.after, self.before))
        if self.allowed_cameras is not None:
            allowed = ", ".join(quoted(name) for name in self.allowed_cameras)
            parts.append(f"camera in [{allowed}]" if allowed else _NOTHING)
        return " and ".join(parts)

    def seen_by(self, allowed: tuple[str, ...] | None) -> Filter:
        """Return it narrowed to what somebody may see: these cameras, or all for None."""
        if allowed is None:
            return self
        if self.allowed_cameras is not None:
            allowed = tuple(name for name in allowed if name in self.allowed_cameras)
        return replace(self, allowed_cameras=allowed)

    def matches(self, entity: MediaEntity) -> bool:
        """Whether an entity passes: what :meth:`expression` means, said in Python."""
        after = self.after is None or entity.captured_at >= ms_from_datetime(self.after)
        before = self.before is None or entity.captured_at < ms_from_datetime(self.before)
        return (
            after
            and before
            and (not self.cameras or entity.camera in self.cameras)
            and (not self.ids or entity.id in self.ids)
            and (not self.source_ids or entity.source_id in self.source_ids)
            and all(tag in entity.tags for tag in self.tags)
            and self.media_type in (None, entity.media_type)
            and (self.hours is None or self.hours.hold(entity.captured_at))
            and (self.allowed_cameras is None or entity.camera in self.allowed_cameras)
        )


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
