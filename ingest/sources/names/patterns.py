"""Name patterns, and the times in names.

A pattern is a regular expression with strptime-like directives for the parts of a time. Those that
users write, such as ``%camera/%Y-%m-%d_%H-%M-%S``, are checked before they are used. The parts that
a pattern found, or one of the forms of dates and times that may be anywhere in a file's name,
whatever recorder wrote it, make a time, or none where it cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from search_core.errors import UsageError
from search_core.messages import Message

Clock = Literal["utc", "local"]

#: Directive -> regular expression. Widths are fixed so that digits cannot shift between fields; a
#: directive with a dash may lack its leading zero.
DIRECTIVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Y": r"(?:19|20)[0-9]{2}",
        "y": r"[0-9]{2}",
        "m": r"[0-9]{2}",
        "-m": r"[0-9]{1,2}",
        "b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
        "d": r"[0-9]{2}",
        "-d": r"[0-9]{1,2}",
        "H": r"[0-9]{2}",
        "-H": r"[0-9]{1,2}",
        "I": r"[0-9]{2}",
        "-I": r"[0-9]{1,2}",
        "p": r"[ap]\.?m\.?",
        "M": r"[0-9]{2}",
        "S": r"[0-9]{2}",
        "f": r"[0-9]{1,9}",
        "z": r"(?:Z|[+-][0-9]{2}[:_]?[0-9]{2})",
        "s": r"[0-9]{10}",
        "seconds": r"[0-9]{2}",
        "channel": r"[0-9]{1,3}",
        "camera": r"[^/]*[^\W_](?:[^/]*[^/\s_.-])?",
    }
)
#: Directives that stand for several others.
COMPOSITES: Final[Mapping[str, str]] = MappingProxyType({"F": "%Y-%m-%d"})
#: Directives that, written a second time, say when the recording ended.
END_DIRECTIVES: Final = frozenset("YymbdHIpMSf")

TOKEN: Final = re.compile(r"%(seconds|channel|camera|-?[A-Za-z]|%)")


@dataclass(frozen=True)
class NamePattern:
    """How one recorder names its files, and what the parts of such a name mean.

    Each of ``forms`` is a regular expression for the end of a path without the file's suffix, with
    ``/`` between folders. In it ``%Y %y %m %b %d %H %I %p %M %S %f`` stand for the parts of the
    time at which the recording began and, where one comes a second time, ended; ``%F`` for
    ``%Y-%m-%d``, ``%z`` for an offset from UTC, ``%s`` for seconds since 1970, ``%seconds`` for
    the length, ``%camera`` and ``%channel`` for the camera. A dash (``%-d``) allows a missing
    leading zero.

    ``source`` says where the names are documented, ``clock`` which clock they are written by.
    ``cameras`` maps what a name says to the camera's name (``F`` to ``front``), and ``label``
    completes a bare number (``camera {}``). ``own`` marks a pattern that the user gave: what it
    reads settles what the others would leave open.
    """

    recorder: str
    forms: tuple[str, ...]
    source: str
    clock: Clock = "local"
    cameras: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    label: str = "{}"
    own: bool = False

    @cached_property
    def expressions(self) -> tuple[re.Pattern[str], ...]:
        """The compiled forms, with one named group for each directive."""
        return tuple(
            re.compile(rf"(?:.*?/)??(?:{expand(form)})", re.IGNORECASE | re.DOTALL)
            for form in self.forms
        )


def expand(form: str) -> str:
    """Return a form with each directive replaced by a named group.

    Raises UsageError for a directive that is unknown or comes too often.
    """
    counts: dict[str, int] = {}

    def group(match: re.Match[str]) -> str:
        directive = match[1]
        if directive == "%":
            return "%"
        if directive in COMPOSITES:
            return TOKEN.sub(group, COMPOSITES[directive])
        if directive not in DIRECTIVES:
            raise UsageError(
                "Unknown directive %{directive}.",
                "Known are {known}.",
                directive=directive,
                known=", ".join(f"%{known}" for known in (*DIRECTIVES, *COMPOSITES)),
            )
        name = directive.lstrip("-")
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > (2 if name in END_DIRECTIVES else 1):
            raise UsageError("%{directive} is given too often.", directive=directive)
        prefix = "end_" if counts[name] == 2 else ""
        return f"(?P<{prefix}{name}>{DIRECTIVES[directive]})"

    return TOKEN.sub(group, form)


EXAMPLE: Final = "%camera/%Y-%m-%d_%H-%M-%S"
_UTC_PREFIX = "utc:"
_MOST_CHARACTERS = 300
#: A directive, any text (%*), or text between them.
_TEMPLATE_TOKEN = re.compile(r"%(seconds|channel|camera|-?[A-Za-z]|\*|%)|(%.?)|([^%]+)")
_ANY_LENGTH = frozenset(("camera", "*", "f"))
_DATE = (("Y", "y"), ("m", "b"), ("d",))
#: Directive -> those of which it needs one, with what is missing otherwise.
_NEEDS: Final = (
    ("M", ("H", "I"), "%H"),
    ("H", ("M",), "%M"),
    ("I", ("M",), "%M"),
    ("S", ("M",), "%M"),
    ("f", ("S",), "%S"),
    ("I", ("p",), "%p"),
    ("p", ("I", "H"), "%I"),
)


def parse_template(text: str, origin: str = "--name-pattern") -> NamePattern:
    """Return the pattern that a template describes.

    A template describes the end of a path, with ``/`` between folders, and the whole of each
    folder's and of the file's name; the file's suffix may be left out. ``%camera`` is the camera's
    name, ``%*`` any text, and the rest as in strptime: ``%Y %y %m %b %d %H %I %p %M %S %f %z %s``.
    Directives of a time that come a second time say when the recording ended. ``utc:`` in front
    says that the times are in UTC. Raises UsageError.
    """
    clock_utc = text.strip().lower().startswith(_UTC_PREFIX)
    body = text.strip()[len(_UTC_PREFIX) :] if clock_utc else text.strip()
    try:
        _check_text(body)
        tokens = _tokens(body)
        _check_directives([directive for directive, _ in tokens if directive])
        _check_neighbours(tokens)
        form = "".join(_part(directive, literal) for directive, literal in tokens)
        expand(form)
    except UsageError as error:
        raise UsageError(
            "The name pattern {pattern!r} ({origin}) cannot be used: {error}",
            error.hint or Message("A pattern looks like {example}.", example=EXAMPLE),
            pattern=text,
            origin=origin,
            error=error.message,
        ) from None
    return NamePattern(
        f"name pattern {text.strip()}",
        (form,),
        origin,
        clock="utc" if clock_utc else "local",
        own=True,
    )


def _check_text(body: str) -> None:
    if not body:
        raise UsageError("It is empty.")
    if len(body) > _MOST_CHARACTERS:
        raise UsageError("It has more than {most} characters.", most=_MOST_CHARACTERS)
    if "\\" in body:
        raise UsageError("It has a backslash.", "Write / between folders.")
    if body.startswith("/") or body.endswith("/") or "//" in body:
        raise UsageError(
            "It begins or ends with /, or has an empty folder name.",
            "A pattern describes the end of a path: leave out what is above, end with the file.",
        )


def _tokens(body: str) -> list[tuple[str, str]]:
    """Return (directive, "") and ("", literal text) in order; raises UsageError."""
    tokens: list[tuple[str, str]] = []
    for directive, broken, literal in _TEMPLATE_TOKEN.findall(body):
        if directive in COMPOSITES:
            tokens += _tokens(COMPOSITES[directive])
            continue
        if broken or (directive and directive not in (*DIRECTIVES, "*", "%")):
            known = " ".join(f"%{name}" for name in (*DIRECTIVES, *COMPOSITES, "*"))
            raise UsageError(
                "{value} is not a directive.",
                "Directives are {known}; %% is a percent sign.",
                value=broken or "%" + directive,
                known=known,
            )
        tokens.append(("", "%") if directive == "%" else (directive, literal))
    return tokens


def _check_directives(found: Sequence[str]) -> None:
    names = [directive.lstrip("-") for directive in found]
    for name in ("camera", "channel", "z", "s", "seconds"):
        if names.count(name) > 1:
            raise UsageError("%{name} comes more than once.", name=name)
    missing = [options[0] for options in _DATE if not set(options) & set(names)]
    dated = len(missing) < len(_DATE) or "s" in names
    timed = set(names) & {"H", "I", "M", "S", "f", "p", "z"}
    if not dated and not timed and "camera" not in names:
        raise UsageError("It has neither %camera nor a date, so it would read nothing.")
    if missing and "s" not in names and (timed or dated):
        needed = ", ".join(f"%{name}" for name in missing)
        what = "a part of a date" if dated else "a time of day"
        raise UsageError(
            "It has {what} without {needed}.",
            "Add it; it may be in a folder's name: %F/%H-%M-%S.",
            what=what,
            needed=needed,
        )
    if "H" in names and "I" in names:
        raise UsageError("It has both %H (24 hours) and %I (12 hours).")
    for name, needed_one_of, hint in _NEEDS:
        if name in names and not set(needed_one_of) & set(names):
            raise UsageError("%{name} needs {hint} as well.", name=name, hint=hint)
    ends = {name for name in names if names.count(name) == 2}
    if ends and not ({"H", "M"} <= ends or {"I", "M"} <= ends):
        twice = " ".join(f"%{name}" for name in names if name in ends)
        raise UsageError(
            "{split} comes twice, but the end of a recording needs its %H and %M too.",
            "Use %* for text that does not matter.",
            split=twice.split()[0],
        )


def _check_neighbours(tokens: Sequence[tuple[str, str]]) -> None:
    for (first, _), (second, _) in pairwise(tokens):
        if first in _ANY_LENGTH and second in _ANY_LENGTH:
            raise UsageError(
                "Nothing separates %{first} from %{second}.", first=first, second=second
            )


def _part(directive: str, literal: str) -> str:
    if directive == "*":
        return "[^/]*"
    return f"%{directive}" if directive else re.escape(literal).replace("%", "%%")


#: Years outside these are no years of recordings, whatever the digits are.
FIRST_YEAR, LAST_YEAR = 1980, 2099
#: Recordings whose names give a start and an end are no longer than this.
LONGEST = timedelta(days=1)
#: How far a local clock may be from UTC, with room for a clock that is not quite right.
_FURTHEST_ZONE = timedelta(hours=15)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun",
                  "jul", "aug", "sep", "oct", "nov", "dec")  # fmt: skip
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as it is written: ``local`` by a wall clock, or in UTC where ``utc`` is set.

    Where only the day is known, ``local`` is None and ``day`` is set.
    """

    local: datetime | None
    day: date | None
    utc: bool
    duration_ms: int | None = None

    @property
    def moment(self) -> tuple[datetime | date | None, bool]:
        """What tells this time from another."""
        return self.local or self.day, self.utc


def stamp_of(parts: Mapping[str, str | None], *, utc: bool) -> Stamp | None:
    """Return the time that parts make, by directive (``Y``, ``end_H`` …).

    Returns None where they make no time that can be: month 13, 30 February, 25:00, year 1234.
    """
    found = {name: text for name, text in parts.items() if text}
    try:
        return _made_stamp(found, utc)
    except (ValueError, OverflowError):
        return None


def _made_stamp(parts: Mapping[str, str], utc: bool) -> Stamp | None:
    day = _day(parts)
    if day is None:
        return _from_epoch(parts)
    start = _time(parts, day)
    if start is None:
        return Stamp(None, day, utc)
    duration_ms = _duration_ms(parts, start)
    if "s" in parts:
        exact = _EPOCH + timedelta(seconds=int(parts["s"]))
        near = abs(exact - start) <= _FURTHEST_ZONE
        return Stamp(exact, None, True, duration_ms) if near else None
    if "z" in parts:
        return Stamp(start - _offset(parts["z"]), None, True, duration_ms)
    return Stamp(start, None, utc, duration_ms)


def _day(parts: Mapping[str, str]) -> date | None:
    if not ("Y" in parts or "y" in parts):
        return None
    year = int(parts["Y"]) if "Y" in parts else 2000 + int(parts["y"])
    month = _MONTHS.index(parts["b"].lower()) + 1 if "b" in parts else int(parts["m"])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(year)
    return date(year, month, int(parts["d"]))


def _time(parts: Mapping[str, str], day: date) -> datetime | None:
    hour = _hour(parts)
    if hour is None or "M" not in parts:
        return None
    micros = int(parts.get("f", "0")[:6].ljust(6, "0"))
    return datetime(
        day.year, day.month, day.day, hour, int(parts["M"]), int(parts.get("S", "0")), micros
    )


def _hour(parts: Mapping[str, str]) -> int | None:
    text = parts.get("H", parts.get("I"))
    if text is None:
        return None
    hour = int(text)
    if "p" not in parts:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if parts["p"][0] in "pP" else 0)


def _duration_ms(parts: Mapping[str, str], start: datetime) -> int | None:
    """Return how long the recording is, by its length or its end; None where neither is given."""
    if "seconds" in parts:
        return int(parts["seconds"]) * 1000 or None
    end_parts = {name[4:]: text for name, text in parts.items() if name.startswith("end_")}
    hour = _hour(end_parts)
    if hour is None:
        return None
    dated = {name: parts[name] for name in ("Y", "y", "m", "b", "d") if name in parts}
    day = _day({**dated, **end_parts}) or start.date()
    # Recorders write the last moment of a day as 24:00:00 or 23:59:60.
    end = datetime(day.year, day.month, day.day) + timedelta(
        hours=hour, minutes=int(end_parts.get("M", "0")), seconds=int(end_parts.get("S", "0"))
    )
    end += timedelta(microseconds=int(end_parts.get("f", "0")[:6].ljust(6, "0")))
    if end <= start and "d" not in end_parts:
        end += timedelta(days=1)
    length = end - start
    return round(length / timedelta(milliseconds=1)) if timedelta() < length <= LONGEST else None


def _from_epoch(parts: Mapping[str, str]) -> Stamp | None:
    if "s" not in parts:
        return None
    moment = _EPOCH + timedelta(seconds=int(parts["s"]))
    return Stamp(moment, None, True) if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta()
    digits = re.sub(r"[^0-9]", "", text)
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


_DATE_FORM = r"%Y(?P<sep>[-_.])%m(?P=sep)%d"
_DAY_FIRST = r"%-d(?P<sep>[-_.])%-m(?P=sep)%Y"
_MONTH_FIRST = r"%-m(?P<sep>[-_.])%-d(?P=sep)%Y"
_BETWEEN = r"(?:[ _T-]|, ?| at | - )"
_TIME = r"%H(?P<colon>[-_.:h])%M(?:(?P=colon)|m)%Ss?"
_TIME_12H = r"%-I[-_.:]%M[-_.:]%S\s?%p"

#: Forms of a time, the most telling first. Where one has two readings, both are given.
_FORMS: Final[tuple[tuple[str, ...], ...]] = (
    (rf"{_DATE_FORM}{_BETWEEN}{_TIME_12H}",),
    (rf"{_DAY_FIRST}{_BETWEEN}{_TIME_12H}", rf"{_MONTH_FIRST}{_BETWEEN}{_TIME_12H}"),
    (rf"{_DATE_FORM}{_BETWEEN}{_TIME}(?:[.,_-]%f)?%z",),
    (rf"{_DATE_FORM}{_BETWEEN}{_TIME}(?:[.,]%f)?",),
    (rf"{_DATE_FORM}{_BETWEEN}%H%M%S",),
    (rf"{_DAY_FIRST}{_BETWEEN}{_TIME}", rf"{_MONTH_FIRST}{_BETWEEN}{_TIME}"),
    (r"%Y%m%d[ _T-]%H(?P<colon>[-_.])%M(?P=colon)%S",),
    (r"%Y%m%d[ _T.-]?%H%M%S(?:(?P<ms>[0-9]{3})|\.%f)?%z",),
    (r"%Y%m%d[ _T.-]?%H%M%S(?:(?P<ms>[0-9]{3})|\.%f)?",),
    (_DATE_FORM,),
)
_EXPRESSIONS: Final = tuple(
    tuple(
        re.compile(rf"(?<![0-9])(?:{expand(form)})(?![0-9A-Za-z])", re.IGNORECASE) for form in forms
    )
    for forms in _FORMS
)


@dataclass(frozen=True, slots=True)
class Found:
    """A time in a name, from ``start`` to ``end``; several ``stamps`` where it can be read so."""

    start: int
    end: int
    stamps: tuple[Stamp, ...]


def stamps_in(name: str) -> list[Found]:
    """Return the times in a name in their order; digits that make no time are left out."""
    taken: list[tuple[int, int]] = []
    found: list[Found] = []
    for expressions in _EXPRESSIONS:
        for start, end in _spans(name, expressions):
            if any(start < other_end and end > other_start for other_start, other_end in taken):
                continue
            taken.append((start, end))  # of an impossible time no part is read either
            stamps = tuple(_readings(name[start:end], expressions))
            if stamps:
                found.append(Found(start, end, stamps))
    return sorted(found, key=lambda item: item.start)


def _spans(name: str, expressions: tuple[re.Pattern[str], ...]) -> Iterator[tuple[int, int]]:
    for expression in expressions:
        yield from (match.span() for match in expression.finditer(name))


def _readings(text: str, expressions: tuple[re.Pattern[str], ...]) -> Iterator[Stamp]:
    seen: set[object] = set()
    for expression in expressions:
        match = expression.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        stamp = stamp_of({**parts, "f": parts.get("f") or parts.get("ms")}, utc=False)
        if stamp is not None and stamp.moment not in seen:
            seen.add(stamp.moment)
            yield stamp
