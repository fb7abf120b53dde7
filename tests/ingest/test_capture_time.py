"""When something was taken: what is believed, and in which order."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest.capture_time import captured_from_container, captured_from_exif, choose_captured_at
from search_core.entities import CapturedFrom, ms_from_datetime


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is five and a half hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def exif_of(**tags: str) -> Image.Image:
    numbers = {"original": 0x9003, "offset": 0x9011, "fraction": 0x9291, "digitized": 0x9004}
    image = Image.new("RGB", (1, 1))
    image.getexif().get_ifd(0x8769).update({numbers[name]: text for name, text in tags.items()})
    return image


def iso(found: tuple[int, CapturedFrom] | None) -> str:
    assert found is not None
    return datetime.fromtimestamp(found[0] / 1000, UTC).isoformat()


def test_given_wins_over_found_wins_over_the_file() -> None:
    assert choose_captured_at(1, (2, "exif"), 3) == (1, "given")
    assert choose_captured_at(None, (2, "exif"), 3) == (2, "exif")
    assert choose_captured_at(None, None, 3) == (3, "file")


def test_apples_date_with_its_zone_wins_over_the_plain_one() -> None:
    found = captured_from_container(
        {
            "creation_time": "2021-03-04T05:06:07.000000Z",
            "com.apple.quicktime.creationdate": "2021-03-04T06:06:08+0100",
        }
    )
    assert found == (ms_from_datetime(datetime(2021, 3, 4, 5, 6, 8, tzinfo=UTC)), "container")


@pytest.mark.parametrize(
    "text",
    ["", "2021", "2021-03-04", "yesterday", "1904-01-01T00:00:00Z", "1970-01-01T00:00:00Z"],
)
def test_clocks_that_were_never_set_are_not_believed(text: str) -> None:
    assert captured_from_container({"creation_time": text}) is None


def test_the_future_is_not_believed() -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert captured_from_container({"creation_time": later}) is None


def test_exif_with_offset_and_fraction() -> None:
    found = captured_from_exif(
        exif_of(original="2022:01:02 03:04:05", offset="-08:00", fraction="25")
    )
    assert found == (ms_from_datetime(datetime(2022, 1, 2, 11, 4, 5, 250_000, UTC)), "exif")


def test_exif_without_offset_is_local_time(zone: None) -> None:
    assert iso(captured_from_exif(exif_of(original="2022:01:02 03:04:05"))) == (
        "2022-01-01T21:34:05+00:00"
    )


def test_the_time_of_digitising_stands_in() -> None:
    assert captured_from_exif(exif_of(digitized="2022:01:02 03:04:05")) is not None


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2022:13:01"])
def test_empty_exif_dates_are_none(text: str) -> None:
    assert captured_from_exif(exif_of(original=text)) is None


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_text_is_a_time_or_none(text: str, offset: str) -> None:
    captured_from_container({"creation_time": text})
    captured_from_exif(exif_of(original=text, offset=offset))


@given(
    st.datetimes(datetime(1981, 1, 1), datetime(2026, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_exif_times_go_there_and_back(moment: datetime, offset_minutes: int) -> None:
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    found = captured_from_exif(
        exif_of(
            original=moment.strftime("%Y:%m:%d %H:%M:%S"), offset=f"{sign}{hours:02}:{minutes:02}"
        )
    )
    utc = moment.replace(microsecond=0, tzinfo=UTC) - timedelta(minutes=offset_minutes)
    assert found == (ms_from_datetime(utc), "exif")
