"""Times as Chinese sentences say them.

Chinese has no blanks between words, so that 上周 is in 路上周围 and 下午 in 楼下午餐: each word
names what it may not stand in. Hours from 1 to 6 without 上午, 下午 or the like may be either, and
are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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

_DIGITS = {"〇": 0, "零": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6}
_DIGITS |= {"七": 7, "八": 8, "九": 9}
_N = r"(?:\d{1,4}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九])"
_WEEKDAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6}
_WEEK = r"(?:周|星期|礼拜)"
#: Not "路上周围", "这周边", "上周一圈"; not "每周三", "下周三".
_NOT_AROUND = r"(?![围边身遭])"
_DAY = (
    r"(?P<word>大前天|前天(?![线桥花窗空气台井])|昨[天日]|今[天日](?!是))"
    rf"|(?P<which>上个?|这个?|本){_WEEK}(?P<weekday>[一二三四五六日天])(?![圈条个])"
    rf"|(?<![每下上本这个一二两三四五六七八九几半]){_WEEK}(?P<bare>[一二三四五六日])"
    r"(?=$|[\s,，。;；、]|的|早|上午|下午|中午|晚|凌晨|傍晚|夜|\d|到|至|和|之|以|开始|在|有|-)"
    rf"|(?P<ago>{_N})天(?:以前|之前|前)(?![线桥])"
    r"|(?:(?P<year>(?:19|20)\d\d|今|去)年的?)?(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月"
    r"(?P<day>\d{1,2}|[一二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号]"
    r"|(?P<isoyear>(?:19|20)\d\d)[-/.](?P<isomonth>\d{1,2})[-/.](?P<isoday>\d{1,2})(?!\d)"
)
#: What each part of the day is, and from which hour on a time in it is past noon.
_PARTS = {
    "凌晨": PARTS["small hours"],
    **dict.fromkeys(("清晨", "早晨", "清早", "一早"), PARTS["early morning"]),
    **dict.fromkeys(("早上", "早"), Clock(5 * HOUR, 10 * HOUR)),
    "上午": Clock(6 * HOUR, 12 * HOUR),
    "中午": PARTS["noon"],
    "下午": PARTS["afternoon"],
    "傍晚": PARTS["early evening"],
    **dict.fromkeys(("晚上", "晚间", "晚"), Clock(18 * HOUR, 24 * HOUR)),
    **dict.fromkeys(("夜里", "夜间", "深夜", "半夜", "夜晚"), PARTS["night"]),
}
_PART = (
    r"(?P<part>凌晨|清晨|早晨|清早|一早|早上|上午(?![餐饭休])|中午(?![餐饭休])|下午(?![茶餐])|傍晚"
    r"|晚上|晚间|夜里|夜间|深夜|半夜|夜晚)"
)
#: 昨晚, 今早: only so short right after their day.
_SHORT = r"(?P<short>[昨今])(?P<half>早|晚|夜)(?![餐饭报霜])"
_TIME = (
    rf"(?:{_PART}\s*)?(?P<hour>\d{{1,2}}|二?十[一二三四五六七八九]?|[零一二两三四五六七八九])"
    r"(?:(?:点|时)(?P<minute>半|一刻|三刻|\d{1,2}分?|[二三四五]?十[一二三四五六七八九]?分?)?(?:钟|整)?"
    r"|[:：](?P<digits>\d\d)(?!\d))(?![式头名赞])"
)
_ABOUT = r"(?P<about>左右|前后|上下|许)?"
_LENGTH = rf"(?P<number>{_N}|半)\s*个?(?P<half>半)?\s*"
_LENGTH += r"(?P<unit>秒钟?|分钟|小时|钟头|天|周|星期|礼拜|个?月)"
_LENGTHS = {
    **dict.fromkeys(("秒", "秒钟"), timedelta(seconds=1)),
    "分钟": timedelta(minutes=1),
    **dict.fromkeys(("小时", "钟头"), timedelta(hours=1)),
    "天": timedelta(days=1),
    **dict.fromkeys(("周", "星期", "礼拜"), timedelta(weeks=1)),
    **dict.fromkeys(("月", "个月"), timedelta(days=30)),
}
_TO = r"\s*(?:到|至|-|–|—|~|～)\s*"
_PERIOD = (
    rf"(?P<which>上个?|这个?|本){_WEEK}(?P<end>末)?{_NOT_AROUND}(?![一二三四五六日天])"
    r"|(?P<when>上个?|这个?|本)月(?![台亮光])"
    r"|(?P<year>去|今)年(?:的?(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月份?)?(?![轮龄糕画]|的?[春夏秋冬])"
    r"|(?P<named>(?:19|20)\d\d)年(?:(?P<of>\d{1,2}|十[一二]?|[一二三四五六七八九])月份?)?(?![款产型制]|的?[春夏秋冬])"
)


class Chinese:
    """The phrases of one sentence about times, as a calendar has them."""

    def __init__(self, text: str, calendar: Calendar) -> None:
        self._text = text
        self._calendar = calendar

    def candidates(self) -> Iterator[Candidate]:
        """Yield at each place the longest phrase that begins there."""
        rules = (
            self._lately, self._ago, self._range, self._open_ended, self._day_and_time,
            self._time_alone, self._period,
        )  # fmt: skip
        for start in range(len(self._text)):
            if self._text[start].isspace():
                continue
            found = []
            for rule in rules:
                try:
                    found.append(rule(start))
                except (ValueError, OverflowError, FilterError):
                    continue  # no calendar has such a date
            kept = [one for one in found if one is not None]
            if kept:
                yield max(kept, key=lambda one: one.end)

    def _match(self, pattern: str, at: int) -> re.Match[str] | None:
        return re.compile(pattern).match(self._text, at)

    def _candidate(self, start: int, end: int, where: Filter | None) -> Candidate:
        """Return a candidate with the 在, 从 … 的 and 内 around it that say nothing more."""
        closed = self._match(r"\s*(?:之间|期间|时候)?(?:里|的)?", end)
        return Candidate(start, closed.end() if closed else end, where)

    # Days and times of day

    def _days(self, at: int) -> tuple[Days, Clock | None, int] | None:
        """Read a day, and the part of it that is in the same word: 昨晚."""
        calendar = self._calendar
        if match := self._match(_SHORT, at):
            day = calendar.day(1 if match["short"] == "昨" else 0)
            part = {"早": "早上", "晚": "晚上", "夜": "夜里"}[match["half"]]
            following = self._match("上", match.end())
            end = following.end() if following else match.end()
            # "昨晚" goes on past midnight, as "last night" does.
            return day, PARTS["night"] if part != "早上" else _PARTS[part], end
        match = self._match(_DAY, at)
        if match is None:
            return None
        days = self._day(match)
        return None if days is None else (days, None, match.end())

    def _day(self, match: re.Match[str]) -> Days | None:
        calendar = self._calendar
        if match["word"]:
            ago = {"大": 3, "前": 2, "昨": 1, "今": 0}[match["word"][0]]
            return calendar.day(ago)
        if match["weekday"]:
            weeks_ago = int(match["which"].startswith("上"))
            return calendar.weekday_of_week(_WEEKDAYS[match["weekday"]], weeks_ago)
        if match["bare"]:
            return calendar.weekday(_WEEKDAYS[match["bare"]], is_past=False)
        if match["ago"]:
            return calendar.day(written_number(match["ago"]))
        if match["isoyear"]:
            numbers = (match["isomonth"], match["isoday"], match["isoyear"])
            return calendar.date_named(*map(int, numbers))
        year = self._year(match["year"])
        return calendar.date_named(
            written_number(match["month"]), written_number(match["day"]), year
        )

    def _year(self, written: str | None) -> int | None:
        if written is None:
            return None
        this = self._calendar.today.year
        return {"今": this, "去": this - 1}.get(written) or int(written)

    def _time(self, at: int, part: str = "") -> tuple[int, str, bool, int] | None:
        """Read a time: its minute, its part of the day, whether it is vague, and where it ends."""
        match = self._match(r"\s*" + _TIME, at)
        if match is None:
            return None
        hour = written_number(match["hour"])
        minute = int(match["digits"]) if match["digits"] else _minute(match["minute"])
        part = match["part"] or part
        if hour > 24 or minute > 59:
            return None
        turned = _in_part(hour, part)
        is_vague = not part and 1 <= hour <= 6 and not match["hour"].startswith("0")
        return None if turned is None else (turned * HOUR + minute, part, is_vague, match.end())

    def _clock(
        self, at: int, part: str = "", *, by_24: bool = False
    ) -> tuple[Clock, int, bool] | None:
        """Read 8点到9点, 下午3点左右; the last says whether it is a time without a day.

        ``by_24`` says that hours are those of a clock of 24.
        """
        first = self._time(at, part)
        if first is None:
            return None
        minute, said, is_vague, end = first
        is_vague = is_vague and not by_24
        joint = self._match(_TO, end)
        second = self._time(joint.end(), said) if joint else None
        if second is not None:
            until = second[0] + (DAY if second[0] <= minute else 0)
            is_open = (is_vague or second[2]) and max(minute, second[0]) < 13 * HOUR
            closed = self._match("之间", second[3])
            ends = closed.end() if closed else second[3]
            return None if is_open else (Clock(minute, until), ends, True)
        about = self._match(_ABOUT, end)
        is_about = about is not None and about["about"] is not None
        if is_vague:
            return None
        reach = AROUND if is_about else AT
        ends = about.end() if about else end
        is_alone = bool(said) or is_about
        return Clock(minute - reach, minute + reach), ends, is_alone

    # Phrases

    def _lately(self, at: int) -> Candidate | None:
        """Read 最近10分钟, 过去两个小时内."""
        pattern = rf"(?:在)?(?:最近|过去)的?\s*{_LENGTH}(?:以内|之内|内|里|中)?"
        match = self._match(pattern, at)
        if match is None:
            return None
        return self._candidate(at, match.end(), self._calendar.lately(_length(match)))

    def _ago(self, at: int) -> Candidate | None:
        """Read 10分钟前, 半小时之前."""
        match = self._match(rf"{_LENGTH}(?:以前|之前|前)(?![面方])", at)
        if match is None or match["unit"] not in ("分钟", "小时", "钟头"):
            return None
        return self._candidate(at, match.end(), self._calendar.ago(_length(match)))

    def _moment(
        self, at: int, *, by_24: bool = False
    ) -> tuple[Days, Clock | None, bool, int] | None:
        """Read a day with what of it is meant: its clock, and whether that is a single time."""
        found = self._days(at)
        if found is None:
            return None
        days, part, end = found
        is_point = False
        said = "晚上" if part == PARTS["night"] else "早上" if part is not None else ""
        if clock := self._clock(end, said, by_24=by_24):
            is_point = clock[0].end - clock[0].start in (2 * AT, 2 * AROUND)
            return days, clock[0], is_point, clock[1]
        match = self._match(r"\s*的?" + _PART, end)
        if match and days.is_one:
            return days, _PARTS[match["part"]], False, match.end()
        return days, part, False, end

    def _day_and_time(self, at: int) -> Candidate | None:
        """Read 昨天, 昨天下午, 上周五8点到9点."""
        opened = self._match("[在从于]?", at)
        begins = opened.end() if opened else at
        found = self._moment(begins)
        if found is None:
            return None
        days, clock, _, end = found
        where = self._calendar.on_days(days) if clock is None else self._calendar.on(days, clock)
        return self._candidate(at, end, where)

    def _ends(self, found: tuple[Days, Clock | None, bool, int]) -> Filter:
        """Return from when until when a moment is."""
        days, clock, is_point, _ = found
        if clock is None:
            return self._calendar.on_days(days)
        if is_point:
            middle = self._calendar.at(days.first, (clock.start + clock.end) // 2)
            return Filter(after=middle, before=middle)
        return self._calendar.on(days, clock)

    def _range(self, at: int) -> Candidate | None:
        """Read 从周一到周三, 昨天和今天; what has a gap stays words."""
        opened = self._match(r"[从自]?", at)
        first = self._moment(opened.end() if opened else at)
        joint = self._match(rf"(?:{_TO}|\s*[和与或、]\s*)", first[3]) if first else None
        by_24 = bool(first and first[1] and first[1].start >= 13 * HOUR)
        second = self._moment(joint.end(), by_24=by_24) if joint else None
        if first is None or joint is None or second is None:
            return None
        if second[1] is None and self._time(second[3]):
            return Candidate(at, second[3], None)  # a time that may be of either half
        one, two = self._ends(first), self._ends(second)
        assert one.after and one.before and two.after and two.before
        if re.fullmatch(_TO, joint[0]):
            if one.after > two.after and self._match(_WEEK, opened.end() if opened else at):
                one = self._calendar.on_days(_week_before(first[0]))
                assert one.after
            return self._candidate(at, second[3], self._calendar.between(one.after, two.before))
        early, late = sorted((one, two), key=lambda where: str(where.after))
        assert early.after and early.before and late.after and late.before
        has_gap = early.before < late.after
        where = None if has_gap else self._calendar.between(early.after, late.before)
        return self._candidate(at, second[3], where)

    def _open_ended(self, at: int) -> Candidate | None:
        """Read 从昨天开始, 昨天以来, 周一之后, 今天早上8点之前."""
        opened = self._match(r"(?:自从|从|自)?", at)
        begins = opened.end() if opened else at
        found = self._moment(begins)
        if found is None:
            return None
        ends = self._ends(found)
        match = self._match(
            r"(?P<word>开始|起|以来|到现在|至今|以后|之后|以前|之前)(?!床|身)", found[3]
        )
        if match is None:
            return None
        if match["word"] in ("以前", "之前"):
            where = self._calendar.between(None, ends.after)
        elif match["word"] in ("以后", "之后"):
            where = self._calendar.between(ends.before, None)
        else:
            where = self._calendar.between(ends.after, None)
        return self._candidate(at, match.end(), where)

    def _time_alone(self, at: int) -> Candidate | None:
        """Read 下午3点左右, 8点到9点, 下午4点以后, 上午; a dark picture is 晚上 too: a word."""
        opened = self._match("在?", at)
        begins = opened.end() if opened else at
        if begins and re.match(r"[\d一二三四五六七八九十:：.]", self._text[begins - 1]):
            return None
        clock = self._clock(begins)
        if clock is not None:
            if match := self._match(r"(?P<word>(?:以|之)?[前后])(?![面方门排座备窗])", clock[1]):
                return self._half_open(begins, clock[0], match)
            where = self._calendar.daily(clock[0]) if clock[2] else None
            # A bare "8点" may be anything: it is left, and nothing in it is read.
            return self._candidate(at, clock[1], where) if clock[2] else None
        match = self._match(r"(?P<part>上午|下午|早上)(?=$|[\s,，。;；、])", begins)
        if match is None:
            return None
        return self._candidate(at, match.end(), self._calendar.daily(_PARTS[match["part"]]))

    def _half_open(self, at: int, clock: Clock, match: re.Match[str]) -> Candidate:
        """Return what is before or after a single time of day; a range of times stays words."""
        where = None
        if clock.end - clock.start in (2 * AT, 2 * AROUND):
            minute = (clock.start + clock.end) // 2
            is_after = match["word"].endswith("后")
            where = self._calendar.daily(Clock(minute, DAY) if is_after else Clock(0, minute))
        return self._candidate(at, match.end(), where)

    def _period(self, at: int) -> Candidate | None:
        """Read 上周, 上周末, 这个月, 去年11月, 2025年."""
        opened = self._match("[在从于]?", at)
        match = self._match(_PERIOD, opened.end() if opened else at)
        if match is None:
            return None
        days = self._period_days(match)
        return (
            None if days is None else self._candidate(at, match.end(), self._calendar.on_days(days))
        )

    def _period_days(self, match: re.Match[str]) -> Days | None:
        calendar = self._calendar
        if match["which"]:
            weeks_ago = int(match["which"].startswith("上"))
            return calendar.weekend(weeks_ago) if match["end"] else calendar.week(weeks_ago)
        if match["when"]:
            return calendar.month(int(match["when"].startswith("上")))
        year = self._year(match["year"] or match["named"])
        month = match["month"] or match["of"]
        if month:
            return calendar.month_named(written_number(month), year)
        assert year is not None
        return Days(date(year, 1, 1), date(year, 12, 31))


def _week_before(days: Days) -> Days:
    week = timedelta(days=7)
    return Days(days.first - week, days.last - week)


def written_number(written: str) -> int:
    """Return a number in digits or in Chinese, up to 99."""
    if written.isdigit() and written not in _DIGITS:
        return int(written)
    tens, ten, ones = written.rpartition("十")
    if not ten:
        return _DIGITS[written]
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)


def _minute(written: str | None) -> int:
    if written is None:
        return 0
    named = {"半": 30, "一刻": 15, "三刻": 45}
    return named[written] if written in named else written_number(written.removesuffix("分"))


def _length(match: re.Match[str]) -> timedelta:
    unit = _LENGTHS[match["unit"]]
    if match["number"] == "半":
        return unit / 2
    return unit * written_number(match["number"]) + (unit / 2 if match["half"] else timedelta())


def _in_part(hour: int, part: str) -> int | None:
    """Return an hour as a part of the day has it, None for one that is not in it."""
    if part in ("下午", "傍晚"):
        return hour + 12 if hour < 12 else hour
    if part == "中午":
        return hour + 12 if hour < 3 else hour
    if part in ("晚上", "晚间", "夜里", "夜间", "深夜", "半夜", "夜晚"):
        if hour < 6 or hour == 12:
            return 24 + hour % 12
        return hour + 12 if hour < 12 else hour
    if part:
        return hour if hour <= 12 else None
    return hour
