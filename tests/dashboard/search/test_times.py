"""Times as histograms show them: what is far from the others, and bars of local days and hours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.search.times import (
    DAY_MS,
    HOUR_MS,
    Span,
    bar_span,
    bulk,
    local_bars,
    span_from_address,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NIGHT = [at("2026-03-02T08:00") + minute * 60_000 for minute in range(50)]


def test_wrong_clocks_are_left_out_of_the_bulk_and_nothing_else_is() -> None:
    wrong = [at("1970-01-01T00:00"), at("2099-12-31T00:00")]
    assert bulk(Counter(NIGHT + wrong)) == Span(NIGHT[0], NIGHT[-1] + 1)
    assert bulk(Counter(NIGHT[:8] + wrong)) == Span(NIGHT[0], NIGHT[7] + 1)
    assert bulk(Counter(NIGHT[:3] + wrong[:1])) == Span(NIGHT[0], NIGHT[2] + 1)

    weeks = [at("2026-02-20T08:00"), *NIGHT, at("2026-03-20T08:00")]
    assert bulk(Counter(weeks)) == Span(weeks[0], weeks[-1] + 1)
    years = [at("2024-01-01T00:00") + day * DAY_MS for day in range(800)]
    assert bulk(Counter(years)) == Span(years[0], years[-1] + 1)
    two_visits = [*(time - 400 * DAY_MS for time in NIGHT), *NIGHT]
    assert bulk(Counter(two_visits)) == Span(two_visits[0], NIGHT[-1] + 1)
    assert bulk({5: 1}) == Span(5, 6)
    assert bulk({5: 1, 5 + 90 * DAY_MS: 1}) == Span(5, 6 + 90 * DAY_MS)  # neither is the odd one


def test_days_are_local_on_both_sides_of_a_change_of_clocks() -> None:
    late = [at("2026-03-28T22:45"), at("2026-03-29T21:45"), at("2026-03-29T22:00")]
    bars = local_bars(Counter(late), Span(late[0], late[-1] + 1), DAY_MS, BERLIN)
    numbers = sorted(bars)
    assert [bars[number] for number in numbers] == [1, 1, 1]  # 23:45, 23:45 and midnight
    day = bar_span(numbers[1], DAY_MS, BERLIN)
    assert (day.last_ms - day.first_ms) == 23 * HOUR_MS
    assert all(
        bar_span(number, DAY_MS, BERLIN).holds(time)
        for number, time in zip(numbers, late, strict=True)
    )


def test_only_what_is_within_is_counted() -> None:
    counts = {at("2026-03-02T08:00"): 3, at("2026-03-02T08:45"): 2, at("2026-03-02T09:00"): 7}
    within = Span(at("2026-03-02T08:00"), at("2026-03-02T09:00"))
    assert list(local_bars(counts, within, HOUR_MS, UTC).values()) == [5]


@given(st.integers(-(10**12), 4 * 10**12), st.integers(1, 10**11))
def test_a_time_is_read_from_the_address_as_it_was_written(first: int, length: int) -> None:
    span = Span(first, first + length)
    assert span_from_address(span.in_address()) == span


def test_a_time_in_the_address_can_be_read_by_people() -> None:
    assert Span(0, 10_000).in_address() == "1970-01-01T00:00:00Z/1970-01-01T00:00:10Z"


@pytest.mark.parametrize(
    "text",
    ["", "/", "x/y", "1970-01-01T00:00:10Z/1970-01-01T00:00:00Z", "2026/"],
)
def test_no_other_text_in_the_address_is_a_time(text: str) -> None:
    assert span_from_address(text) is None


@given(st.text())
def test_nothing_in_the_address_raises(text: str) -> None:
    span_from_address(text)
    span_from_address(f"{text}/{text}")
