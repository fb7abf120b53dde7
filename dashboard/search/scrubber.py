"""Going to a time among the newest pictures: slim histograms of the days that there are, and of the
hours of the day that was gone to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from dashboard import resources
from dashboard.components.browser import Bar, scrubber
from dashboard.i18n.formatting import counted, local_time, viewer_zone
from dashboard.i18n.gettext import _
from dashboard.query.terms import AT
from dashboard.search.times import (
    DAY_MS,
    HOUR_MS,
    Span,
    bar_span,
    bulk,
    local_bars,
    offer_outlying,
    span_from_address,
)
from search_core.schema.entity import ms_from_datetime
from search_core.schema.facets import QUARTER_HOUR_MS
from search_core.schema.filters import Filter

#: A bar is so many days, the fewest that leave no more bars than can be told apart.
_DAYS, _MOST_BARS = (1, 2, 7, 14, 28, 91, 364), 124


def scrub(library: str, where: Filter) -> Span | None:
    """Draw histograms of what passes a filter; return the time that was gone to, None for none.

    The address says which it is.
    """
    quarter_hours = _counts(library, where)
    if not quarter_hours:
        return None
    within = bulk(quarter_hours)
    gone_to = span_from_address(st.query_params.get(AT, ""))
    depth, span = 0, within
    with st.container(key="scrubbers"):
        while (width := _width_ms(span)) is not None:
            inner = _draw(quarter_hours, span, width, depth, gone_to)
            if inner is None:
                break
            depth, span = depth + 1, inner

        def choose(far: Span) -> None:
            _go_to(Span(far.first_ms, far.last_ms + QUARTER_HOUR_MS))

        offer_outlying(quarter_hours, within, "picture", "scrubber", choose)
    if gone_to is None or not any(map(gone_to.holds, quarter_hours)):
        return None
    return gone_to


def _counts(library: str, where: Filter) -> Mapping[int, int]:
    """Return the counts of what passes by quarter of an hour (epoch ms).

    Of cameras and times they are counted from what is known of the library; nothing is asked.
    """
    known = replace(where, cameras=())
    if where.hours is None:
        known = replace(known, after=None, before=None)
    found: Counter[int] = Counter()
    for camera in resources.facets(library, known).cameras:
        if not where.cameras or camera.camera in where.cameras:
            found.update(camera.quarter_hours)
    first = -math.inf if where.after is None else ms_from_datetime(where.after)
    last = math.inf if where.before is None else ms_from_datetime(where.before)
    return {time: count for time, count in found.items() if first - QUARTER_HOUR_MS < time < last}


def leave() -> None:
    """Go back to the newest pictures; for callbacks."""
    _go_to(None)


def _go_to(span: Span | None) -> None:
    if span is None:
        st.query_params.pop(AT, None)
    else:
        st.query_params[AT] = span.in_address()


def _width_ms(span: Span) -> int | None:
    """Return how wide the bars of a span are; None for one that is not divided further."""
    length = span.last_ms - span.first_ms
    if length <= HOUR_MS:
        return None
    if length <= 1.05 * DAY_MS:  # a day on which clocks change has 25 hours
        return HOUR_MS
    days = next((days for days in _DAYS if length <= days * DAY_MS * _MOST_BARS), _DAYS[-1])
    return days * DAY_MS


def _draw(
    counts: Mapping[int, int], span: Span, width: int, depth: int, gone_to: Span | None
) -> Span | None:
    """Draw one histogram; return the bar that was gone to, or the only one."""
    zone = viewer_zone()
    bars = local_bars(counts, span, width, zone)
    numbers = sorted(bars)
    spans = [bar_span(number, width, zone) for number in numbers]
    if len(numbers) == 1:
        return spans[0] if width > HOUR_MS else None
    first, last = numbers[0], numbers[-1]
    if width == HOUR_MS and first // 24 == last // 24:  # a day is shown from midnight to midnight
        first, last = first // 24 * 24, first // 24 * 24 + 23
    chosen = None
    if gone_to is not None:
        chosen = next((n for n, bar in enumerate(spans) if bar.holds(gone_to.first_ms)), None)

    def go(place: int | None) -> None:
        _go_to(span_above if place is None else spans[place])

    span_above = span if depth else None
    most = max(bars.values())
    scrubber(
        [
            Bar(number - first, bars[number] / most, _words(bar, width, bars[number]))
            for number, bar in zip(numbers, spans, strict=True)
        ],
        chosen,
        slots=last - first + 1,
        label=_("Hours") if width == HOUR_MS else _("Days"),
        ends=tuple(_named(bar_span(number, width, zone), width) for number in (first, last)),
        key=f"scrubber-{depth}",
        on_choose=go,
    )
    return None if chosen is None else spans[chosen]


def _words(bar: Span, width: int, count: int) -> str:
    return f"{_named(bar, width)} · {counted(count, 'picture')}"


def _named(bar: Span, width: int) -> str:
    first = local_time(bar.first_ms)
    if width == HOUR_MS:
        return first[11:16]
    last = local_time(bar.last_ms - 1)
    return first[:10] if width == DAY_MS else f"{first[:10]} – {last[:10]}"
