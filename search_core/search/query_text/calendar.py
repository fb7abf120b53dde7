"""Days, times of day and durations of a sentence as filters, in one zone and seen from one moment.

A day begins and ends at midnight of the wall clock, so that one on which clocks change has 23 or 25
hours; "the last 2 hours" are 120 minutes whatever the clocks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from search_core.schema.filters import Filter, Hours

HOUR, DAY = 60, 1440
#: How far before and after a time of day is looked: "at 3 pm" and "around 3 pm", in minutes.
AT, AROUND = 15, 30
#: Nothing is read from a sentence that would begin before this year.
FIRST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, from the first to the last."""

    first: date
    last: date

    @property
    def is_one(self) -> bool:
        """Whether it is a single day, which a time of day can be of."""
        return self.first == self.last


@dataclass(frozen=True, slots=True)
class Clock:
    """A span of the wall clock in minutes from a day's midnight; after 1440 they are of the next.

    ``alone`` says that it is a time of day without a day beside it too: "8 pm" is, "8" is not.
    """

    start: int
    end: int
    alone: bool = True


#: Parts of a day as people name them: no two agree, so that these rather reach too far.
PARTS = {
    "early morning": Clock(4 * HOUR, 8 * HOUR),
    "morning": Clock(5 * HOUR, 12 * HOUR),
    "late morning": Clock(10 * HOUR, 12 * HOUR),
    "noon": Clock(11 * HOUR, 13 * HOUR),
    "early afternoon": Clock(12 * HOUR, 15 * HOUR),
    "afternoon": Clock(12 * HOUR, 18 * HOUR),
    "late afternoon": Clock(15 * HOUR, 18 * HOUR),
    "early evening": Clock(17 * HOUR, 20 * HOUR),
    "evening": Clock(17 * HOUR, 23 * HOUR),
    "late evening": Clock(20 * HOUR, 24 * HOUR),
    "night": Clock(18 * HOUR, 30 * HOUR),
    "small hours": Clock(0, 6 * HOUR),
}


class Calendar:
    """Makes filters of days and times of day, as seen at ``now`` in ``zone``.

    Methods raise ValueError, OverflowError or FilterError for times that no calendar has.
    """

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now = now.astimezone(zone)
        self.zone = zone
        self.today = self.now.date()

    def day(self, days_ago: int) -> Days:
        """Return one day, so many before today."""
        day = self.today - timedelta(days=days_ago)
        return Days(day, day)

    def weekday(self, number: int, *, is_past: bool) -> Days:
        """Return the latest day that is a weekday (0 for Monday); ``is_past`` leaves out today."""
        ago = (self.today.weekday() - number) % 7
        return self.day(7 if is_past and ago == 0 else ago)

    def weekday_of_week(self, number: int, weeks_ago: int) -> Days | None:
        """Return a weekday of this week or one before; None for one that is still to come."""
        ago = self.today.weekday() - number + 7 * weeks_ago
        return self.day(ago) if ago >= 0 else None

    def week(self, weeks_ago: int) -> Days:
        """Return a week from Monday to Sunday."""
        monday = self.today - timedelta(days=self.today.weekday() + 7 * weeks_ago)
        return Days(monday, monday + timedelta(days=6))

    def weekend(self, weeks_ago: int) -> Days | None:
        """Return the Saturday and Sunday of a week; None where they are still to come."""
        week = self.week(weeks_ago)
        saturday = week.last - timedelta(days=1)
        return Days(saturday, week.last) if saturday <= self.today else None

    def month(self, months_ago: int) -> Days:
        """Return a whole month."""
        years, month = divmod(self.today.year * 12 + self.today.month - 1 - months_ago, 12)
        return month_of(years, month + 1)

    def year(self, years_ago: int) -> Days:
        """Return a whole year."""
        year = self.today.year - years_ago
        return Days(date(year, 1, 1), date(year, 12, 31))

    def month_named(self, month: int, year: int | None) -> Days:
        """Return a month of a year, by default the latest that has begun."""
        if year is None:
            year = self.today.year - (month > self.today.month)
        return month_of(year, month)

    def date_named(self, month: int, day: int, year: int | None) -> Days:
        """Return a date, by default the latest that is not in the future."""
        if year is None:
            year = self.today.year
            year -= date(year, month, day) > self.today
        found = date(year, month, day)
        return Days(found, found)

    # Filters

    def at(self, day: date, minute: int) -> datetime:
        """Return when the clock shows a minute of a day; below 0 it is of the day before."""
        days, minute = divmod(minute, DAY)
        return datetime.combine(
            day + timedelta(days=days), time(minute // HOUR, minute % HOUR), self.zone
        )

    def on_days(self, days: Days) -> Filter:
        """Return what lets through whole days."""
        return self.between(self.at(days.first, 0), self.at(days.last, DAY))

    def on(self, days: Days, clock: Clock) -> Filter:
        """Return what lets through a span of the clock, on one day."""
        return self.between(self.at(days.first, clock.start), self.at(days.first, clock.end))

    def daily(self, clock: Clock) -> Filter:
        """Return what lets through a span of the clock on every day.

        A zone without a name, such as +02:00, never changes its clocks: its minutes are UTC's,
        shifted.
        """
        name = getattr(self.zone, "key", None)
        shift = 0 if name else round((self.now.utcoffset() or timedelta()) / timedelta(minutes=1))
        start, end = ((minute - shift) % DAY for minute in (clock.start, clock.end))
        return Filter(hours=Hours(start, end, name or "UTC"))

    def between(self, after: datetime | None, before: datetime | None) -> Filter:
        """Return what lets through a time; raises ValueError for one that nothing is from."""
        if after is not None and (
            after.year < FIRST_YEAR or (before is not None and after >= before)
        ):
            raise ValueError("nothing was captured then")
        return Filter(after=after, before=before)

    def lately(self, length: timedelta) -> Filter:
        """Return what lets through what is not older than ``length``."""
        return self.between(self._before(length), None)

    def ago(self, length: timedelta) -> Filter:
        """Return what lets through the time around a moment ``length`` before now.

        A quarter of it before and after: who says "2 hours ago" has not looked at the minutes.
        """
        reach = length / 4
        return self.between(self._before(length + reach), self._before(length - reach))

    def _before(self, length: timedelta) -> datetime:
        return (self.now.astimezone(UTC) - length).astimezone(self.zone)


def month_of(year: int, month: int) -> Days:
    """Return a month of a year."""
    first = date(year, month, 1)
    after = date(year + month // 12, month % 12 + 1, 1)
    return Days(first, after - timedelta(days=1))
