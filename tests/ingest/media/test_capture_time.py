"""When something was captured: which times are read, which are believed, and in which order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from ingest.media.capture_time.claims import (
    SOURCES,
    CaptureTime,
    SourceKey,
    TimeClaim,
    choose_capture_time,
)
from ingest.media.capture_time.metadata import (
    container_claims,
    is_believable,
    photograph_claims,
    read_written,
)
from search_core.schema.clocks import Clock
from search_core.schema.entity import ms_from_datetime

DOCUMENT = Path(__file__).parents[3] / "docs" / "capture-time.md"
FILE_MS = ms_from_datetime(datetime(2026, 5, 20, 12, tzinfo=UTC))
UTC_CLOCK = Clock(UTC)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is five and a half hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


EXIF_TAGS = {
    "original": (0x8769, 0x9003),
    "digitized": (0x8769, 0x9004),
    "modified": (0, 0x0132),
    "offset": (0x8769, 0x9010),
    "original_offset": (0x8769, 0x9011),
    "fraction": (0x8769, 0x9291),
    "gps_day": (0x8825, 29),
    "gps_time": (0x8825, 7),
}


def exif_of(**tags: object) -> Image.Image:
    image = Image.new("RGB", (1, 1))
    for name, value in tags.items():
        folder, tag = EXIF_TAGS[name]
        exif = image.getexif()
        (exif.get_ifd(folder) if folder else exif)[tag] = value
    return image


def saved(path: Path, **save: Any) -> Image.Image:
    """Write a small picture and open it as an ingest does."""
    Image.new("RGB", (16, 16)).save(path, **save)
    return Image.open(path)


def xmp_of(properties: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {properties}</rdf:RDF></x:xmpmeta>'
    ).encode()


def iptc_of(**values: str) -> bytes:
    """A Photoshop block with IPTC fields of the record 2, for a JPEG's segment APP13."""
    numbers = {"created": 55, "time": 60, "digitized": 62, "digitized_time": 63}
    fields = b"".join(
        bytes((0x1C, 2, numbers[name])) + len(text).to_bytes(2, "big") + text.encode()
        for name, text in values.items()
    )
    padded = fields + b"\0" * (len(fields) % 2)
    return b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(fields).to_bytes(4, "big") + padded


def with_iptc(path: Path, **values: str) -> Image.Image:
    Image.new("RGB", (16, 16)).save(path)
    block = iptc_of(**values)
    jpeg = path.read_bytes()
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    return Image.open(path)


def chosen(image: Image.Image, clock: Clock = UTC_CLOCK) -> CaptureTime:
    return choose_capture_time(photograph_claims(image), clock, file_ms=FILE_MS)


def iso(captured: CaptureTime) -> str:
    return datetime.fromtimestamp(captured.at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def claim(source: SourceKey, *when: int, day_only: bool = False) -> TimeClaim:
    return TimeClaim(source, datetime(*when), day_only)  # type: ignore[arg-type]


# How times are written


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022:01:02 03:04:05", "2022-01-02T03:04:05"),
        ("2022:01:02 03:04:05\0 rest", "2022-01-02T03:04:05"),
        ("2022/01/02 03:04:05", "2022-01-02T03:04:05"),
        ("2022.01.02 03:04", "2022-01-02T03:04:00"),
        ("2022-01-02T03:04:05.25+01:00", "2022-01-02T03:04:05.250000+01:00"),
        ("2022-01-02T03:04:05.123456789Z", "2022-01-02T03:04:05.123456+00:00"),
        ("2021-03-04T06:06:08+0100", "2021-03-04T06:06:08+01:00"),
        ("2021-03-04 06:06:08 UTC", "2021-03-04T06:06:08+00:00"),
        ("UTC 2021-03-04 06:06:08", "2021-03-04T06:06:08+00:00"),
        ("20220102T030405Z", "2022-01-02T03:04:05+00:00"),
        ("20220102030405", "2022-01-02T03:04:05"),
        ("20150506T100000+0200", "2015-05-06T10:00:00+02:00"),
        ("2024:03:01 10:59:10 PM", "2024-03-01T22:59:10"),
        ("2024:03:01 12:10:00 a.m.", "2024-03-01T00:10:00"),
        ("2024:03:01 12:10:00 PM", "2024-03-01T12:10:00"),
        ("2024:03:01 22:59:10 PM", "2024-03-01T22:59:10"),
        ("2001/ 1/27  1:42PM", "2001-01-27T13:42:00"),
        ("2024-02-28T24:00:00", "2024-02-29T00:00:00"),
        ("2015:08:22 24:08:19", "2015-08-22T00:08:19"),
        ("2023:12:31 23:59:60", "2024-01-01T00:00:00"),
        ("Wed May 10 16:23:43 2006", "2006-05-10T16:23:43"),
        ("Sun, 02 Jan 2022 03:04:05 +0000", "2022-01-02T03:04:05+00:00"),
    ],
)
def test_times_are_read_in_every_form(text: str, moment: str) -> None:
    written = read_written(text)
    assert written is not None
    assert (written.moment.isoformat(), written.day_only) == (moment, False)


@pytest.mark.parametrize(
    "text", ["2021-03-04", "2021:03:04", "20210304", "2021:03:04   :  :  ", "4 Mar 2021"]
)
def test_a_day_without_a_time_is_read_as_a_day(text: str) -> None:
    written = read_written(text)
    assert written is not None
    assert (written.moment, written.day_only) == (datetime(2021, 3, 4), True)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2021", "2021-03", "yesterday", "    :  :     :  :  ", "0000:00:00 00:00:00"),
        *("2022:13:01 03:04:05", "2022:02:30 03:04:05", "2022:01:02 25:04:05", "2022112"),
        *("2022:01:02 03:61:05", "2022:01:02 03:04:61", "03/04/2021 05:06:07", "1080p", "9" * 40),
    ],
)
def test_what_names_no_moment_or_several_is_not_read(text: str) -> None:
    assert read_written(text) is None


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    read_written(text)
    container_claims([{"creation_time": text, "DATE": text}])
    photograph_claims(exif_of(original=text, original_offset=text, gps_day=text))


@settings(deadline=None)
@given(st.datetimes(datetime(1826, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_iso_times_with_zones_are_read_back(moment: datetime, offset_minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    written = read_written(aware.isoformat())
    assert written is not None
    assert written.moment == aware


# What is believed


@pytest.mark.parametrize(
    "moment",
    [
        *(datetime(1904, 1, 1), datetime(1970, 1, 1, 9), datetime(1969, 12, 31, 16)),
        *(datetime(1980, 1, 1), datetime(1980, 1, 6), datetime(2000, 1, 1, 0, 3), datetime.min),
        *(datetime.max, datetime.now() + timedelta(days=3)),
    ],
)
def test_reset_clocks_and_the_future_are_not_believed(moment: datetime) -> None:
    assert not is_believable(moment)


@pytest.mark.parametrize("year", [1843, 1965, 1975, 2003, 2024])
def test_scans_of_old_photographs_are_believed(year: int) -> None:
    assert is_believable(datetime(year, 7, 14, 15))


# Containers


def test_apples_date_with_its_zone_wins_over_the_plain_one() -> None:
    [found] = container_claims(
        [
            {
                "creation_time": "2021-03-04T05:06:07.000000Z",
                "com.apple.quicktime.creationdate": "2021-03-04T06:06:08+0100",
            }
        ]
    )
    assert found.moment == datetime(2021, 3, 4, 5, 6, 8, tzinfo=UTC)


def test_when_it_was_recorded_wins_over_when_it_was_remuxed() -> None:
    [found] = container_claims(
        [{"creation_time": "2024-03-04T05:06:07Z"}, {"DATE_RECORDED-eng": "2021-03-04 06:06:08"}]
    )
    assert found.moment == datetime(2021, 3, 4, 6, 6, 8)


@pytest.mark.parametrize(
    "key", ["DATE", "date", "IDIT", "ICRD", "creationdate", "DateTimeOriginal"]
)
def test_every_tag_is_read_in_exifs_form_too(key: str) -> None:
    [found] = container_claims([{key: "2021:03:04 05:06:07"}])
    assert found.moment == datetime(2021, 3, 4, 5, 6, 7)


def test_the_streams_time_is_read_where_the_container_has_none() -> None:
    reset = {"creation_time": "1970-01-01T00:00:00.000000Z"}
    [found] = container_claims([reset, {"creation_time": "2021-03-04T05:06:07Z"}])
    assert found.moment == datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_day_stands_behind_a_time() -> None:
    timed, day = container_claims([{"date": "2021-03-04", "DATE_DIGITIZED": "2021-03-04 05:06:07"}])
    assert (timed.day_only, day.day_only) == (False, True)


# Photographs


def test_exif_with_offset_and_fraction() -> None:
    image = exif_of(original="2022:01:02 03:04:05", original_offset="-08:00", fraction="25")
    captured = chosen(image)
    assert (iso(captured), captured.captured_from) == ("2022-01-02T11:04:05.250+00:00", "exif")


def test_the_offset_of_another_exif_date_is_that_of_all() -> None:
    captured = chosen(exif_of(original="2022:01:02 03:04:05", offset="+02:00"))
    assert iso(captured) == "2022-01-02T01:04:05.000+00:00"


def test_exif_without_offset_is_local_time(zone: None) -> None:
    captured = chosen(exif_of(original="2022:01:02 03:04:05"), Clock())
    assert iso(captured) == "2022-01-01T21:34:05.000+00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024:03:01 10:59:10 PM", "2024-03-01T22:59:10.000+00:00"),
        ("2015:08:22 24:08:19", "2015-08-22T00:08:19.000+00:00"),
        ("2015:08:22 24:00:00", "2015-08-22T00:00:00.000+00:00"),
        ("2023:06:30 23:59:60", "2023-07-01T00:00:00.000+00:00"),
        ("1965:07:14 15:00:00", "1965-07-14T15:00:00.000+00:00"),
    ],
)
def test_odd_exif_clocks_are_read(text: str, expected: str) -> None:
    assert iso(chosen(exif_of(original=text))) == expected


def test_exif_dates_are_believed_in_order() -> None:
    tags = {
        "modified": "2022:01:03 00:00:00",
        "digitized": "2022:01:02 00:00:00",
        "original": "2022:01:01 00:00:00",
    }
    seen = []
    while tags:
        captured = chosen(exif_of(**tags))
        seen.append((iso(captured)[:10], captured.captured_from))
        tags.popitem()
    assert seen == [("2022-01-01", "exif"), ("2022-01-02", "exif"), ("2022-01-03", "modified")]


def test_gps_time_is_utc_and_needs_no_zone() -> None:
    image = exif_of(gps_day="2019:05:06", gps_time=(10.0, 30.0, 1.5))
    captured = chosen(image, Clock(ZoneInfo("Asia/Tokyo"), timedelta(hours=1)))
    assert (iso(captured), captured.captured_from) == ("2019-05-06T10:30:01.500+00:00", "gps")


@pytest.mark.parametrize(
    "properties",
    [
        ">\n<exif:DateTimeOriginal>2016-05-06T10:00:00+02:00</exif:DateTimeOriginal></rdf:Description>",
        'photoshop:DateCreated="2016-05-06T10:00:00+02:00"/>',
        "xmp:CreateDate='2016-05-06T10:00:00+02:00'/>",
    ],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_xmp_is_read(tmp_path: Path, name: str, properties: str) -> None:
    packet = xmp_of(properties)
    if name.endswith("png"):
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet.decode())
        image = saved(tmp_path / name, pnginfo=text)
    elif name.endswith("tif"):
        image = saved(tmp_path / name, tiffinfo={700: packet})
    else:
        image = saved(tmp_path / name, xmp=packet)
    captured = chosen(image)
    assert (iso(captured), captured.captured_from) == ("2016-05-06T08:00:00.000+00:00", "xmp")


def test_iptc_is_read(tmp_path: Path) -> None:
    image = with_iptc(tmp_path / "a.jpg", created="20150506", time="100000+0200")
    captured = chosen(image)
    assert (iso(captured), captured.captured_from) == ("2015-05-06T08:00:00.000+00:00", "iptc")


def test_iptcs_day_alone_is_a_day(tmp_path: Path) -> None:
    captured = chosen(with_iptc(tmp_path / "a.jpg", created="20150506"))
    assert (iso(captured), captured.captured_from) == ("2015-05-06T00:00:00.000+00:00", "day")


def test_pngs_creation_time_is_read(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Creation Time", "Sun, 02 Jan 2022 03:04:05 +0000")
    captured = chosen(saved(tmp_path / "a.png", pnginfo=text))
    assert (iso(captured), captured.captured_from) == ("2022-01-02T03:04:05.000+00:00", "container")


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2022:13:01"])
def test_empty_exif_dates_give_no_time(text: str) -> None:
    captured = chosen(exif_of(original=text))
    assert captured == CaptureTime(FILE_MS, "file")


# The order, zones and corrections


@pytest.mark.parametrize("count", range(1, 13))
def test_the_first_source_of_the_table_wins(count: int) -> None:
    timed = [source for source in SOURCES if source.key not in ("given", "day", "file")]
    present = timed[-count:]
    claims = [
        TimeClaim(source.key, datetime(2020, 1, 2, 0, 0, number))
        for number, source in enumerate(present)
    ]
    captured = choose_capture_time(claims[::-1], UTC_CLOCK, file_ms=FILE_MS)
    assert captured.captured_from == present[0].captured_from
    assert captured.at_ms == ms_from_datetime(datetime(2020, 1, 2, tzinfo=UTC))


def test_a_given_time_wins_over_all_others() -> None:
    captured = choose_capture_time(
        [claim("container", 2020, 1, 2)], UTC_CLOCK, file_ms=FILE_MS, given_ms=5
    )
    assert (captured.at_ms, captured.captured_from) == (5, "given")


def test_a_videos_modification_time_is_its_end() -> None:
    captured = choose_capture_time([], UTC_CLOCK, file_ms=FILE_MS, duration_ms=90_000)
    assert captured == CaptureTime(FILE_MS - 90_000, "file")


def test_a_zone_is_that_of_times_written_without_one() -> None:
    clock = Clock(ZoneInfo("America/New_York"))
    summer = choose_capture_time([claim("name", 2026, 7, 1, 8)], clock, file_ms=FILE_MS)
    winter = choose_capture_time([claim("name", 2026, 1, 1, 8)], clock, file_ms=FILE_MS)
    zoned = TimeClaim("container", datetime(2026, 1, 1, 8, tzinfo=UTC))
    assert iso(summer).startswith("2026-07-01T12:00")
    assert iso(winter).startswith("2026-01-01T13:00")
    assert iso(choose_capture_time([zoned], clock, file_ms=0)).startswith("2026-01-01T08:00")


@pytest.mark.parametrize(
    ("source", "shifted"),
    [("container", True), ("name", True), ("exif-original", True), ("gps", False)],
)
def test_an_offset_corrects_what_the_cameras_clock_wrote(source: SourceKey, shifted: bool) -> None:
    clock = Clock(UTC, timedelta(hours=-1))
    captured = choose_capture_time([claim(source, 2026, 1, 1, 8)], clock, file_ms=FILE_MS)
    assert iso(captured).startswith(f"2026-01-01T{'07' if shifted else '08'}:00")


def test_an_offset_changes_neither_a_given_time_nor_the_files() -> None:
    clock = Clock(UTC, timedelta(hours=1))
    assert choose_capture_time([], clock, file_ms=FILE_MS).at_ms == FILE_MS
    assert choose_capture_time([], clock, file_ms=FILE_MS, given_ms=7).at_ms == 7


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 5, 20), "2026-05-20T12:00:00.000+00:00"),
        (date(2021, 3, 4), "2021-03-04T00:00:00.000+00:00"),
    ],
)
def test_a_day_takes_the_files_time_where_that_is_on_it(day: date, expected: str) -> None:
    claims = [TimeClaim("container", datetime(day.year, day.month, day.day), day_only=True)]
    captured = choose_capture_time(claims, UTC_CLOCK, file_ms=FILE_MS)
    assert (iso(captured), captured.captured_from) == (expected, "day")


def test_a_container_that_says_when_recording_ended_gives_its_start() -> None:
    claims = [claim("container", 2026, 3, 1, 8, 25), claim("name", 2026, 3, 1, 8, 15)]
    captured = choose_capture_time(claims, UTC_CLOCK, file_ms=0, duration_ms=599_000)
    assert captured == CaptureTime(
        ms_from_datetime(datetime(2026, 3, 1, 8, 15, 1, tzinfo=UTC)), "container"
    )


def test_the_zone_of_another_source_with_the_same_wall_clock_is_that_of_all() -> None:
    abroad = timezone(-timedelta(hours=3))
    xmp = TimeClaim("xmp-original", datetime(2023, 2, 21, 11, 33, 8, tzinfo=abroad))
    captured = choose_capture_time(
        [claim("exif-original", 2023, 2, 21, 11, 33, 8), xmp], UTC_CLOCK, file_ms=0
    )
    assert (iso(captured)[:19], captured.captured_from) == ("2023-02-21T14:33:08", "exif")
    assert captured.warning == ""


# Contradictions


def test_sources_more_than_a_minute_apart_are_reported() -> None:
    claims = [claim("container", 2026, 3, 1, 8, 15), claim("name", 2026, 3, 1, 7, 15)]
    captured = choose_capture_time(claims, UTC_CLOCK, file_ms=0)
    assert captured.captured_from == "container"
    assert captured.warning == (
        "has times that disagree: 2026-03-01 08:15:00 UTC by its metadata, which is used, "
        "and 2026-03-01 07:15:00 UTC by its name"
    )


@pytest.mark.parametrize(
    "claims",
    [
        [claim("container", 2026, 3, 1, 8, 15), claim("name", 2026, 3, 1, 8, 14)],
        [claim("exif-original", 1965, 3, 1), claim("exif-digitized", 2026, 3, 1)],
        [claim("exif-original", 2025, 3, 1), claim("modified", 2026, 3, 1)],
        [claim("exif-original", 2025, 3, 1), claim("container", 2026, 3, 1, day_only=True)][:1],
    ],
)
def test_a_minute_scans_and_edits_are_no_contradictions(claims: list[TimeClaim]) -> None:
    assert choose_capture_time(claims, UTC_CLOCK, file_ms=FILE_MS).warning == ""


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            TimeClaim,
            st.sampled_from([source.key for source in SOURCES[1:-1]]),
            st.datetimes().filter(is_believable),
            st.booleans(),
        )
    ),
    st.sampled_from([None, UTC, ZoneInfo("Pacific/Kiritimati"), timezone(timedelta(hours=-14))]),
    st.timedeltas(timedelta(days=-400), timedelta(days=400)),
)
def test_any_claims_give_a_time_and_a_source(
    claims: list[TimeClaim], zone: timezone | None, offset: timedelta
) -> None:
    captured = choose_capture_time(claims, Clock(zone, offset), file_ms=FILE_MS)
    assert isinstance(captured.at_ms, int)
    assert (captured.captured_from == "file") == (not claims)


def test_the_documentation_shows_the_order_of_sources() -> None:
    rows = [
        f"| {number} | `{source.captured_from}` | {source.reads} |"
        for number, source in enumerate(SOURCES, start=1)
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "\n".join(rows) in text
