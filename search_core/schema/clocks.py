"""Times as people write them: camera clocks with the time zone of times written without one, and
corrections of wrong clocks; and durations (``30d``, ``12h``, ``90m``, ``45s``, ``2w``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from search_core.errors import UsageError
from search_core.messages import Message
from search_core.schema.entity import ms_from_datetime

T = TypeVar("T")

#: The year of the oldest photograph: nothing was captured before it.
FIRST_YEAR = 1826
#: A clock that is wrong by more was never set; a correction would hide that. And so that the moment
#: a duration ago can be written as a date.
LONGEST = timedelta(days=36_500)
#: The name under which a value for all cameras without one of their own is kept.
EVERY_CAMERA = ""
_FIXED_ZONE = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
_CLOCK_OFFSET = re.compile(r"([+-]?)(?:(\d{1,3}):)?(\d{1,2}):(\d{2})")
_UNIT_OFFSET = re.compile(r"([+-]?)((?:\d{1,6}[dhms])+)")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])")
#: How long the units are that offsets and durations are written in, in seconds.
_LENGTHS_S = (("d", 86_400), ("h", 3_600), ("m", 60))


@dataclass(frozen=True, slots=True)
class Clock:
    """How to read what one camera's clock says.

    ``zone`` is that of times written without one; None is this machine's. ``offset`` is added to
    every time the clock wrote: an hour for a clock that is an hour slow.
    """

    zone: tzinfo | None = None
    offset: timedelta = timedelta()

    def epoch_ms(self, moment: datetime) -> int:
        """Return a moment as epoch milliseconds, ``offset`` not added."""
        if moment.tzinfo is None and self.zone is not None:
            moment = moment.replace(tzinfo=self.zone)
        return ms_from_datetime(moment)

    @property
    def offset_ms(self) -> int:
        """``offset`` in milliseconds."""
        return self.offset // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of all cameras: zones and offsets by camera, EVERY_CAMERA for all others."""

    zones: Mapping[str, tzinfo] = field(default_factory=dict)
    offsets: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, camera: str) -> Clock:
        """Return a camera's clock."""
        return Clock(
            self.zones.get(camera, self.zones.get(EVERY_CAMERA)),
            self.offsets.get(camera, self.offsets.get(EVERY_CAMERA, timedelta())),
        )

    def overridden(self, zones: Mapping[str, tzinfo], offsets: Mapping[str, timedelta]) -> Clocks:
        """Return these clocks with others put over them.

        A value for every camera replaces all there are, those of single cameras included.
        """
        return Clocks(_overridden(self.zones, zones), _overridden(self.offsets, offsets))


def _overridden(base: Mapping[str, T], over: Mapping[str, T]) -> Mapping[str, T]:
    return over if EVERY_CAMERA in over else {**base, **over}


def parse_zone(text: str) -> tzinfo:
    """Return a time zone by its IANA name (``Europe/Berlin``) or its offset (``+02:00``).

    Raises UsageError for anything else.
    """
    name = text.strip()
    fixed = _FIXED_ZONE.fullmatch(name)
    if fixed is not None:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3] or 0))
        if offset <= timedelta(hours=15):
            return timezone(-offset if fixed[1] == "-" else offset)
    try:
        # A path, however it is written, is no name of a zone.
        if name and not name.startswith((".", "/")) and ".." not in name:
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # ZoneInfoNotFoundError is a LookupError
        pass
    known = {zone.casefold(): zone for zone in available_timezones()}
    close = get_close_matches(name.casefold(), known, n=1, cutoff=0.75)
    meant = Message("Did you mean {zone}? ", zone=known[close[0]]) if close else ""
    raise UsageError(
        "Unknown time zone {text!r}.",
        "{meant}Use a name such as Europe/Berlin or UTC, or an offset such as +02:00.",
        text=text,
        meant=meant,
    )


def parse_offset(text: str) -> timedelta:
    """Return what to add to a wrong clock: ``+1h``, ``-2m30s``, ``1d``, ``-00:02:30``, ``0s``.

    Raises UsageError for anything else.
    """
    written = text.strip().lower().replace(" ", "")
    offset: timedelta | None = None
    if (clock := _CLOCK_OFFSET.fullmatch(written)) is not None:
        offset = timedelta(hours=int(clock[2] or 0), minutes=int(clock[3]), seconds=int(clock[4]))
        sign = clock[1]
    elif (units := _UNIT_OFFSET.fullmatch(written)) is not None:
        offset = sum(
            (
                timedelta(**{_UNITS[unit]: int(number)})
                for number, unit in re.findall(r"(\d+)([dhms])", units[2])
            ),
            timedelta(),
        )
        sign = units[1]
    if offset is None or offset > LONGEST:
        raise UsageError(
            "{text!r} is not a clock offset.",
            "Write what to add to the clock's times: +1h, -2m30s, +1d, or -00:02:30.",
            text=text,
        )
    return -offset if sign == "-" else offset


def format_offset(offset: timedelta) -> str:
    """Return what :func:`parse_offset` reads, with its sign: ``-1h30m``; whole seconds."""
    text = "-" if offset < timedelta() else "+"
    left_s = round(abs(offset).total_seconds())
    for unit, length_s in _LENGTHS_S:
        number, left_s = divmod(left_s, length_s)
        text += f"{number}{unit}" if number else ""
    return text + (f"{left_s}s" if left_s or text in "+-" else "")


def parse_duration(text: str) -> timedelta:
    """Return how long ``text`` says: a whole number and s, m, h, d or w, above 0 to LONGEST.

    Raises UsageError for anything else.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < duration <= LONGEST:
        raise UsageError(
            "{text!r} is not a duration.",
            "Write a number and a unit: 45s, 90m, 12h, 30d or 2w, up to a hundred years.",
            text=text,
        )
    return duration


def format_duration(duration: timedelta) -> str:
    """Return what :func:`parse_duration` reads, in the largest unit that divides it evenly."""
    seconds = round(duration.total_seconds())
    for unit, length_s in _LENGTHS_S:
        if seconds and seconds % length_s == 0:
            return f"{seconds // length_s}{unit}"
    return f"{seconds}s"


def by_camera(values: Sequence[str], parse: Callable[[str], T]) -> dict[str, T]:
    """Read options written ``VALUE``, for every camera, or ``CAMERA=VALUE``.

    Raises UsageError, also when a camera is given two values.
    """
    read: dict[str, T] = {}
    for written in values:
        camera, _, value = written.rpartition("=")
        if camera in read:
            whose = Message("the camera {name}", name=camera) if camera else Message("every camera")
            raise UsageError(
                "{written!r} is the second value for {whose}.",
                "Give one value a camera.",
                written=written,
                whose=whose,
            )
        read[camera] = parse(value)
    return read


def check_moment(moment: datetime) -> datetime:
    """Return a moment if something can have been captured around it; raises UsageError."""
    if moment.year < FIRST_YEAR:
        raise UsageError(
            "{moment} lies before {year}, the year of the first photograph.",
            "Give a moment from {first}-01-01 on, such as 2026-11-20T14:30.",
            moment=moment.isoformat(),
            year=FIRST_YEAR,
            first=FIRST_YEAR,
        )
    return moment


def as_setting(parse: Callable[[str], T]) -> Callable[[Any], Any]:
    """Return what reads the text of a setting, for pydantic; other values are left to it."""

    def read(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except UsageError as error:
            raise ValueError(f"{error.message} {error.hint}") from None

    return read


def _kept(parse: Callable[[str], object]) -> AfterValidator:
    """Return what checks the text of a setting and leaves it as it is written."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(as_setting(check))


#: A setting that is a time zone; "" is none.
Zone = Annotated[
    str | None,
    BeforeValidator(lambda value: None if value == "" else value),
    _kept(parse_zone),
]
#: A setting that is a clock's correction.
Offset = Annotated[str | None, _kept(parse_offset)]
#: A setting that is a duration.
Duration = Annotated[timedelta, BeforeValidator(as_setting(parse_duration))]


class ClockSettings(BaseModel):
    """A table ``[clocks.CAMERA]``: the camera's own ``timezone`` and ``offset``."""

    model_config = ConfigDict(extra="forbid")

    timezone: Zone = None
    offset: Offset = None


def clocks_of(timezone: str | None, cameras: Mapping[str, ClockSettings]) -> Clocks:
    """Return the clocks that settings describe."""
    zones = {name: item.timezone for name, item in cameras.items()} | {EVERY_CAMERA: timezone}
    return Clocks(
        {name: parse_zone(zone) for name, zone in zones.items() if zone is not None},
        {
            name: parse_offset(item.offset)
            for name, item in cameras.items()
            if item.offset is not None
        },
    )
