"""Times as histograms show them: the span that most of them are in, those far from it, and bars of
local days and hours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate

import streamlit as st

from dashboard.i18n.formatting import Noun, counted, local_time, plain
from dashboard.i18n.gettext import _
from search_core.schema.entity import ms_from_datetime

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
#: What is farther from most of the times is beside the axis: so long, or so many of their spans.
_FAR_MS, _FAR_SPANS = 30 * DAY_MS, 10
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time, in epoch milliseconds: from ``first_ms`` (inclusive) to ``last_ms`` (exclusive)."""

    first_ms: int
    last_ms: int

    def holds(self, moment_ms: int) -> bool:
        """Whether a moment is in it."""
        return self.first_ms <= moment_ms < self.last_ms

    def in_address(self) -> str:
        """Return it as an address has it: an interval of ISO 8601, in UTC."""
        ends = (
            datetime.fromtimestamp(end / 1000, UTC).isoformat(timespec="milliseconds")
            for end in (self.first_ms, self.last_ms)
        )
        return "/".join(end.removesuffix("+00:00").removesuffix(".000") + "Z" for end in ends)


def span_from_address(text: str) -> Span | None:
    """Return the time that :meth:`Span.in_address` has written, None for anything else."""
    try:
        first, last = (
            ms_from_datetime(datetime.fromisoformat(end)) for end in text.split("/", maxsplit=1)
        )
    except (ValueError, OverflowError):
        return None
    return Span(first, last) if first < last else None


def bulk(counts: Mapping[int, int]) -> Span:
    """Return the span of most of the times (epoch ms, with how many are of each; not empty).

    Left out are a few, a twentieth at most, that are far from all others: clocks that were wrong.
    """
    times = sorted(counts)
    total = sum(counts.values())
    spare = max(min(2, total // 4), total // 20)
    until = list(accumulate(counts[time] for time in times))
    first, last = times[0], times[-1]
    for place, begins in enumerate(times):
        wanted = total - spare + (until[place - 1] if place else 0)
        end = bisect_left(until, wanted)
        if end == len(times):
            break
        if times[end] - begins < last - first:
            first, last = begins, times[end]
    reach = max(_FAR_MS, _FAR_SPANS * (last - first))
    low = times[bisect_left(times, first - reach)]
    return Span(low, times[bisect_right(times, last + reach) - 1] + 1)


def offer_outlying(
    counts: Mapping[int, int],
    within: Span,
    noun: Noun,
    key: str,
    on_choose: Callable[[Span], None],
) -> None:
    """Draw a button each for the times before and after a span; nothing where there are none."""
    before = {time: count for time, count in counts.items() if time < within.first_ms}
    after = {time: count for time, count in counts.items() if time >= within.last_ms}
    if not before and not after:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"outlying-{key}"):
        for icon, side in ((":material/first_page:", before), (":material/last_page:", after)):
            if side:
                text = _("{pictures} of {days}, far from the others")
                st.button(
                    plain(
                        text.format(pictures=counted(sum(side.values()), noun), days=_days(side))
                    ),
                    icon=icon,
                    type="tertiary",
                    key=f"outlying-{key}-{min(side)}",
                    on_click=on_choose,
                    args=(Span(min(side), max(side) + 1),),
                )


def _days(times: Mapping[int, int]) -> str:
    first, last = local_time(min(times))[:10], local_time(max(times))[:10]
    return first if first == last else f"{first} – {last}"


def local_bars(
    counts: Mapping[int, int], within: Span, width_ms: int, zone: tzinfo
) -> dict[int, int]:
    """Return counts by bar of some hours or days, numbered from local midnight of 1970-01-01.

    ``counts`` are by quarter of an hour, as facets have them.
    """
    shifts: dict[int, int] = {}
    found: Counter[int] = Counter()
    for time, count in counts.items():
        if within.holds(time):
            hour = time // HOUR_MS
            if hour not in shifts:
                shifts[hour] = _shift_ms(time, zone)
            found[(time + shifts[hour]) // width_ms] += count
    return dict(found)


def bar_span(number: int, width_ms: int, zone: tzinfo) -> Span:
    """Return the time of a bar."""
    first, last = (_from_local(edge * width_ms, zone) for edge in (number, number + 1))
    return Span(first, last)


def _shift_ms(time_ms: int, zone: tzinfo) -> int:
    return round((datetime.fromtimestamp(time_ms / 1000, zone).utcoffset() or timedelta()) / _MS)


def _from_local(local_ms: int, zone: tzinfo) -> int:
    local = datetime.fromtimestamp(local_ms / 1000, UTC).replace(tzinfo=zone)
    return round(local.timestamp() * 1000)
