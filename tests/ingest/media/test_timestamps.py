"""Time stamps in any time base become milliseconds since the start of the file."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ingest.media.video.timestamps import LAST_PTS_MS, StreamClock

time_bases = st.fractions(Fraction(1, 1_000_000), Fraction(1, 10))


@given(st.integers(0, 10**8), time_bases, st.integers(0, 10**9))
def test_milliseconds_are_exact_to_half_of_one(
    pts: int, time_base: Fraction, start_us: int
) -> None:
    seconds = pts * time_base - Fraction(start_us, 10**6)
    found = StreamClock(time_base, start_us, None).pts_ms(pts)
    assert found is not None and abs(found - max(Fraction(0), seconds) * 1000) <= Fraction(1, 2)


@given(st.integers(-(2**63), 2**63 - 1), time_bases)
def test_any_stamp_fits_a_primary_key_or_is_left_out(pts: int, time_base: Fraction) -> None:
    found = StreamClock(time_base, 0, None).pts_ms(pts)
    assert found is None or 0 <= found <= LAST_PTS_MS


def test_what_has_no_clock_has_no_time() -> None:
    assert StreamClock(None, 0, None).pts_ms(5) is None
    assert StreamClock(Fraction(1, 25), 0, None).pts_ms(None) is None
    assert StreamClock(None, 0, None).steady_pts(5) is None


@given(st.integers(0, 10**6), st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(10)]))
def test_steady_times_follow_the_rate(number: int, rate: Fraction) -> None:
    clock = StreamClock(Fraction(1, 90_000), 0, rate)
    found = clock.pts_ms(clock.steady_pts(number))
    assert found is not None and abs(found - number / rate * 1000) <= 1
