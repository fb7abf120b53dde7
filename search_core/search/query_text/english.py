"""Times as English sentences say them.

A recursive descent: each method reads one phrase at a place of the sentence, and returns what it
says and where it ends, or None. Libraries that find dates in text were tried (dateparser 1.5,
parsedatetime 2.6, recognizers-text 1.0, and jionlp 1.5 for Chinese). Between them they find dates
in "may", "a fall", "sat on", "in the sun" and 三点式, and half of "last Friday between 8 and 9";
none counts the hours of a day on which clocks change. They would filter by what nobody said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from search_core.errors import FilterError
from search_core.schema.filters import Filter
from search_core.search.query_text.calendar import (
    AROUND,
    AT,
    DAY,
    HOUR,
    PARTS,
    Calendar,
    Clock,
    Days,
)
from search_core.search.query_text.candidate import Candidate
from search_core.search.query_text.english_clock import (
    PART,
    TO,
    UNTIL,
    TimesOfDay,
    part_named,
    within,
)

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_NUMBERS = {
    **dict.fromkeys(("a", "an", "one"), 1),
    **{"two": 2, "couple of": 2, "a couple of": 2, "three": 3, "four": 4, "five": 5, "six": 6},
    **{"seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15},
    **{"twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60},
    **{"ninety": 90},
}
_NUMBER = r"(?P<number>\d{1,4}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_LENGTHS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "hr": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_UNIT = r"(?P<unit>second|minute|min|hour|hr|day|week)s?"
_WEEKDAY = "(?P<weekday>" + "|".join(_WEEKDAYS) + ")"
_MONTH = r"(?P<month>" + "|".join(_MONTHS) + r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?"
_DATE_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d))?"
_NAMED_DATE = (
    rf"(?:the\s+)?{_DATE_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}",
    rf"{_MONTH}\s+(?:the\s+)?{_DATE_DAY}(?!\d|:){_YEAR}",
)
_NUMERIC_DATE = (
    r"(?P<year>(?:19|20)\d\d)(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>(?:19|20)\d\d)",
    r"(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>(?:19|20)\d\d)",
)


class English(TimesOfDay):
    """The phrases of one sentence about times, as a calendar has them."""

    def __init__(self, text: str, calendar: Calendar) -> None:
        super().__init__(text)
        self._calendar = calendar

    def candidates(self) -> Iterator[Candidate]:
        """Yield at each word the longest phrase that begins there."""
        rules = (
            self._lately, self._ago, self._open_ended, self._range_of_days, self._day_and_time,
            self._time_and_day, self._part_of_day, self._time_alone, self._long,
        )  # fmt: skip
        for start in (match.start() for match in re.finditer(r"(?<![\w'’-])\w", self._text)):
            found = [found for rule in rules if (found := _tried(rule, start)) is not None]
            if found:
                yield max(found, key=lambda one: one.end)

    # Days

    def _days(self, at: int) -> tuple[Days, int] | None:
        """Read a day, or several, as a date, a weekday or a word."""
        for read in (self._day_by_word, self._day_by_weekday, self._day_by_date):
            found = read(at)
            if found is not None:
                return found
        return None

    def _day_by_word(self, at: int) -> tuple[Days, int] | None:
        if match := self._match(r"(?:the\s+)?day\s+before\s+yesterday", at):
            return self._calendar.day(2), match.end()
        if match := self._match("yesterday", at):
            return self._calendar.day(1), match.end()
        if match := self._match("today", at):
            return self._calendar.day(0), match.end()
        if match := self._match(rf"{_NUMBER}\s+days?\s+ago", at):
            return self._calendar.day(number_of(match["number"])), match.end()
        if match := self._match(rf"{_NUMBER}\s+weeks?\s+ago", at):
            return self._calendar.week(number_of(match["number"])), match.end()
        return None

    def _day_by_weekday(self, at: int) -> tuple[Days, int] | None:
        short = "|".join(_SHORT_DAYS)
        match = self._match(rf"(?P<which>last|past|this)\s+(?:{_WEEKDAY}|(?P<short>{short}))", at)
        match = match or self._match(rf"{_WEEKDAY}(?:\s+(?:of\s+)?(?P<week>last\s+week))?", at)
        if match is None:
            return None
        groups = match.groupdict()
        name = (groups.get("weekday") or groups.get("short") or "").lower()
        number = (_WEEKDAYS if name in _WEEKDAYS else _SHORT_DAYS).index(name)
        which = (groups.get("which") or "").lower()
        if which == "this" or groups.get("week"):
            day = self._calendar.weekday_of_week(number, 0 if which else 1)
            return None if day is None else (day, match.end())
        return self._calendar.weekday(number, is_past=bool(which)), match.end()

    def _day_by_date(self, at: int) -> tuple[Days, int] | None:
        for pattern in _NAMED_DATE:
            if (match := self._match(pattern, at)) and _is_month(match["month"]):
                year = int(match["year"]) if match["year"] else None
                month = _month(match["month"])
                return self._calendar.date_named(month, int(match["day"]), year), match.end()
        for pattern in _NUMERIC_DATE:
            if match := self._match(pattern, at):
                month, day = _month_and_day(match)
                return self._calendar.date_named(month, day, int(match["year"])), match.end()
        return None

    # Phrases

    def _lately(self, at: int) -> Candidate | None:
        """Read "in the last 10 minutes", "past hour"."""
        opened = r"(?:(?:in|within|during|over|for|from)\s+)?(?:the\s+)?(?:last|past|previous)\s+"
        if match := self._match(rf"{opened}(?:half\s+(?:an\s+)?hour)(?!\s+ago\b)", at):
            return Candidate(at, match.end(), self._calendar.lately(timedelta(minutes=30)))
        match = self._match(rf"{opened}(?:{_NUMBER}\s+)?{_UNIT}(?!\s+ago\b)", at)
        if match is None:
            return None
        unit = match["unit"].lower()
        # "Last week" and "last day" are of the calendar; "the past week" is the last seven days.
        is_plain = match["number"] is None and unit in ("second", "min", "minute", "day", "week")
        if is_plain and not re.match(
            r"(?:in|within|during|over)\b|(?:the\s+)?past\b", match[0], re.I
        ):
            return None
        if match["number"] is None and unit == "second":  # "in the last second car"
            return None
        length = _LENGTHS[unit] * (number_of(match["number"]) if match["number"] else 1)
        return Candidate(at, match.end(), self._calendar.lately(length))

    def _ago(self, at: int) -> Candidate | None:
        """Read "2 hours ago", "half an hour ago"."""
        opened = r"(?:(?:about|around|roughly)\s+)?"
        if match := self._match(rf"{opened}half\s+an\s+hour\s+ago", at):
            return Candidate(at, match.end(), self._calendar.ago(timedelta(minutes=30)))
        match = self._match(rf"{opened}{_NUMBER}\s+(?P<unit>minute|min|hour|hr)s?\s+ago", at)
        if match is None:
            return None
        length = _LENGTHS[match["unit"].lower()] * number_of(match["number"])
        return Candidate(at, match.end(), self._calendar.ago(length))

    def _open_ended(self, at: int) -> Candidate | None:
        """Read "since Monday", "before 8 am yesterday", "after 3 pm"."""
        match = self._match(rf"(?P<word>since|before|after|{UNTIL})", at)
        if match is None:
            return None
        word = re.sub(r"\s+", " ", match["word"].lower())
        return self._since_day(at, match.end(), word) or self._since_time(at, match.end(), word)

    def _since_day(self, at: int, begins: int, word: str) -> Candidate | None:
        calendar = self._calendar
        moment = self._moment(begins)
        if moment is None:
            return None
        days, minute, end = moment
        first = calendar.at(days.first, minute or 0)
        last = calendar.at(days.last, DAY) if minute is None else first
        if word == "since":
            return Candidate(at, end, calendar.between(first, None))
        if word == "after":
            return Candidate(at, end, calendar.between(last, None))
        return Candidate(at, end, calendar.between(None, first if word == "before" else last))

    def _since_time(self, at: int, begins: int, word: str) -> Candidate | None:
        found = self._time(begins)
        if found is None or not found[0].alone or found[0].is_vague:
            return None
        minute, end = found[0].minute, found[1]
        if word == "since":
            today = self._calendar.at(self._calendar.today, minute)
            is_later = today > self._calendar.now
            day = self._calendar.day(1 if is_later else 0).first
            after = self._calendar.at(day, minute)
            return Candidate(at, end, self._calendar.between(after, None))
        if minute == 0:
            return None
        clock = Clock(minute, DAY) if word == "after" else Clock(0, minute)
        return Candidate(at, end, self._calendar.daily(clock))

    def _moment(self, at: int, *, by_24: bool = False) -> tuple[Days, int | None, int] | None:
        """Read a day with or without the minute of a time on it, in either order.

        ``by_24`` says that hours are those of a clock of 24; else a vague one is not read, nor its
        day without it.
        """
        time = self._time(at)
        if time is not None and (by_24 or not time[0].is_vague):
            opened = self._match("on", time[1])
            days = self._days(opened.end() if opened else time[1])
            if days is not None and days[0].is_one:
                return days[0], time[0].minute, days[1]
        days = self._days(at)
        if days is None:
            return None
        opened = self._match("at", days[1])
        time = self._time(opened.end() if opened else days[1])
        if time is None or not (opened or time[0].alone):
            return days[0], None, days[1]
        is_read = days[0].is_one and (by_24 or not time[0].is_vague)
        return (days[0], time[0].minute, time[1]) if is_read else None

    def _range_of_days(self, at: int) -> Candidate | None:
        """Read "from Monday to Wednesday", "yesterday and today"; what has a gap stays words."""
        opened = self._match("(?P<word>from|between|on)", at)
        word = opened["word"].lower() if opened else ""
        first = self._moment(opened.end() if opened else at)
        if first is None:
            return None
        joints = {"between": "and", "from": TO}.get(word, rf"{TO}|and|or|,|&")
        joint = self._match_loosely(joints, first[2])
        on = self._match("on", joint) if joint else None
        by_24 = (first[1] or 0) >= 13 * HOUR
        second = self._moment(on.end() if on else joint, by_24=by_24) if joint else None
        if joint is None or second is None:
            return None
        is_range = word in ("from", "between") or re.search(TO, self._text[first[2] : joint])
        if not is_range:
            return Candidate(at, second[2], self._union(first, second))
        (days, minute, _), (last, until, end) = first, second
        if days.first > last.first and self._match(_WEEKDAY, opened.end() if opened else at):
            days = Days(days.first - timedelta(days=7), days.last - timedelta(days=7))
        after = self._calendar.at(days.first, minute or 0)
        before = self._calendar.at(last.last, DAY if until is None else until)
        return Candidate(at, end, self._calendar.between(after, before))

    def _union(
        self, first: tuple[Days, int | None, int], second: tuple[Days, int | None, int]
    ) -> Filter | None:
        """Return what lets through both of two days, None where others lie between them."""
        early, late = sorted((first[0], second[0]), key=lambda days: days.first)
        has_time = first[1] is not None or second[1] is not None
        if has_time or early.last + timedelta(days=1) < late.first:
            return None
        return self._calendar.on_days(Days(early.first, late.last))

    def _day_and_time(self, at: int) -> Candidate | None:
        """Read "yesterday", "last Friday between 8 and 9", "on 27 November in the evening"."""
        opened = self._match("(?:on|from|during)", at)
        begins = opened.end() if opened else at
        found = self._days(begins)
        if found is None:
            return None
        days, end = found
        if days.is_one:
            comma = self._match_loosely(",", end) or end
            clock = self._part(end) or self._clock(end) or self._clock(comma) or self._bare(end)
            if clock is not None:
                return Candidate(at, clock[1], self._calendar.on(days, clock[0]), soft=True)
        if opened is None and self._match(rf"{_WEEKDAY}(?!\s+(?:of\s+)?last\s+week)", begins):
            return None  # "Black Friday", "a Friday crowd"
        return Candidate(at, end, self._calendar.on_days(days), soft=True)

    def _bare(self, at: int) -> tuple[Clock, int] | None:
        """Read a time right after a day: "yesterday 3 pm"."""
        found = self._time(at)
        if found is None or not found[0].alone or found[0].is_vague:
            return None
        minute = found[0].minute
        return Clock(minute - AT, minute + AT), found[1]

    def _time_and_day(self, at: int) -> Candidate | None:
        """Read "between 8 and 9 last Friday", "3 pm yesterday", "on the morning of 27 November"."""
        part = self._match(rf"(?:(?:in|on|during)\s+)?(?:the\s+)?{PART}\s+of", at)
        if part is not None:
            days = self._days(part.end())
            if days is None or not days[0].is_one:
                return None
            where = self._calendar.on(days[0], part_named(part["part"]))
            return Candidate(at, days[1], where, soft=True)
        return self._time_in_part(at) or self._time_on_day(at)

    def _time_on_day(self, at: int) -> Candidate | None:
        clock = self._clock(at) or self._bare(at)
        if clock is None:
            return None
        opened = self._match("on", clock[1])
        days = self._days(opened.end() if opened else clock[1])
        if days is None or not days[0].is_one:
            return None
        return Candidate(at, days[1], self._calendar.on(days[0], clock[0]), soft=True)

    def _time_in_part(self, at: int) -> Candidate | None:
        """Read "between 8 and 9 this morning", "after 10 last night": the part says which half."""
        opened = self._match("(?P<word>between|from|at|around|about|before|after)", at)
        word = opened["word"].lower() if opened else ""
        first = self._time(opened.end()) if opened else None
        if first is None:
            return None
        second, end = first[0], first[1]
        if word in ("between", "from"):
            joint = self._match_loosely("and" if word == "between" else TO, end)
            later = self._time(joint) if joint else None
            if later is None:
                return None
            second, end = later
        found = self._day_part(end)
        if found is None:
            return None
        day, part, end = found
        start, until = within(first[0], part), within(second, part)
        if start is None or until is None or (word in ("between", "from") and start >= until):
            return None
        if word == "before":
            clock = Clock(part.start, until)
        elif word == "after":
            clock = Clock(start, part.end)
        else:
            reach = 0 if word in ("between", "from") else AT if word == "at" else AROUND
            clock = Clock(start - reach, until + reach)
        return Candidate(at, end, self._calendar.on(day, clock), soft=True)

    def _day_part(self, at: int) -> tuple[Days, Clock, int] | None:
        """Read "this morning", "last night", "yesterday evening"."""
        if match := self._match(r"this\s+(?P<part>morning|afternoon|evening)", at):
            return self._calendar.day(0), part_named(match["part"]), match.end()
        if match := self._match(r"last\s+(?P<part>night|evening)", at):
            return self._calendar.day(1), part_named(match["part"]), match.end()
        days = self._days(at)
        match = self._match("(?P<part>morning|afternoon|evening|night)", days[1]) if days else None
        if days is None or match is None or not days[0].is_one:
            return None
        return days[0], part_named(match["part"]), match.end()

    def _part_of_day(self, at: int) -> Candidate | None:
        """Read "this morning", "last night"; "at night" says what pictures look like."""
        calendar = self._calendar
        if match := self._match(rf"(?:(?:early|late)\s+)?this\s+{PART}", at):
            clock = part_named(match["part"])
            return Candidate(at, match.end(), calendar.on(calendar.day(0), clock), soft=True)
        if match := self._match("tonight", at):
            is_after_midnight = calendar.now.hour < 6
            where = calendar.on(calendar.day(int(is_after_midnight)), PARTS["night"])
            return Candidate(at, match.end(), where, soft=True)
        if match := self._match("(?:(?:late|early)\\s+)?last\\s+(?P<part>night|evening)", at):
            clock = part_named(match["part"])
            return Candidate(at, match.end(), calendar.on(calendar.day(1), clock), soft=True)
        if match := self._match(
            r"in\s+the\s+(?P<part>(?:(?:early|late)\s+)?(?:morning|afternoon))", at
        ):
            where = calendar.daily(part_named(match["part"]))
            return Candidate(at, match.end(), where, soft=True)
        return None

    def _time_alone(self, at: int) -> Candidate | None:
        found = self._clock(at)
        if found is None or not found[0].alone:
            return None
        return Candidate(at, found[1], self._calendar.daily(found[0]), soft=True)

    def _long(self, at: int) -> Candidate | None:
        """Read weeks, weekends, months and years."""
        calendar = self._calendar
        opened = r"(?:(?:in|on|at|during|from|over)\s+)?"
        days: Days | None = None
        if match := self._match(
            rf"{opened}(?:the\s+)?(?P<which>last|this)\s+(?P<unit>week|month|year)", at
        ):
            ago = int(match["which"].lower() == "last")
            unit = match["unit"].lower()
            days = {"week": calendar.week, "month": calendar.month, "year": calendar.year}[unit](
                ago
            )
        elif match := self._match(rf"{opened}(?P<which>last|this)\s+weekend", at):
            days = calendar.weekend(int(match["which"].lower() == "last"))
        elif match := self._match(r"(?:over|during|at)\s+the\s+weekend", at):
            days = calendar.weekend(0) or calendar.weekend(1)
        elif match := self._match(rf"in\s+{_MONTH}(?:\s+(?P<last>last\s+year)|{_YEAR})", at):
            if not _is_month(match["month"]):
                return None
            year = int(match["year"]) if match["year"] else None
            year = calendar.today.year - 1 if match["last"] else year
            days = calendar.month_named(_month(match["month"]), year)
        elif match := self._match(r"(?:in|during)\s+(?P<year>(?:19[789]|20\d)\d)", at):
            year = int(match["year"])
            days = Days(date(year, 1, 1), date(year, 12, 31))
        if match is None or days is None:
            return None
        return Candidate(at, match.end(), calendar.on_days(days), soft=True)


def _tried(rule: Callable[[int], Candidate | None], at: int) -> Candidate | None:
    """Return what a rule reads; dates that no calendar has, such as 31 November, are not read."""
    try:
        return rule(at)
    except (ValueError, OverflowError, FilterError):
        return None


def number_of(written: str) -> int:
    """Return a number in digits or words; raises KeyError for other words."""
    return int(written) if written.isdigit() else _NUMBERS[re.sub(r"\s+", " ", written.lower())]


def _is_month(written: str) -> bool:
    """Whether a word names a month: "may" and "march" are other words when they are small."""
    return written.lower() not in ("may", "march", "mar") or written[0].isupper()


def _month(written: str) -> int:
    return [name[:3] for name in _MONTHS].index(written.lower()[:3]) + 1


def _month_and_day(match: re.Match[str]) -> tuple[int, int]:
    """Return month and day of a date in digits; raises ValueError where they may be either."""
    groups = match.groupdict()
    if groups.get("first") is None:
        return int(groups["month"]), int(groups["day"])
    first, second = int(groups["first"]), int(groups["second"])
    if first == second or second > 12:
        return first, second
    if first > 12:
        return second, first
    raise ValueError("day and month may be exchanged")
