"""Dates and times as cameras, recorders and photo software write them, and which to believe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

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
