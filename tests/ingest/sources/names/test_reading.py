"""Names as recorders, phones and people write them: read right, asked about, or left alone."""

from __future__ import annotations

import re
from calendar import month_abbr
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.sources.names.reading import NameReading, read_recorder_name
from ingest.sources.names.table import PATTERNS

LOCAL, UTC_CLOCK = False, True
BEGAN = datetime(2026, 3, 1, 8, 15)

#: Path, when the recording began, whether that is UTC, camera, seconds.
READ: list[tuple[str, datetime, bool, str | None, float | None]] = [
    ("recordings/2026-03-01/08/gate/15.00.mp4", BEGAN, UTC_CLOCK, "gate", None),
    ("recordings/2026-12-31/23/back_yard/59.50.mp4",
     datetime(2026, 12, 31, 23, 59, 50), UTC_CLOCK, "back_yard", None),
    ("gate/2026-03-01_08-15-00-000000.mp4", BEGAN, LOCAL, "gate", None),
    ("live/site-2/gate/2026-03-01_08-15-00-250000.mp4",
     BEGAN.replace(microsecond=250_000), LOCAL, "gate", None),
    ("Front Door - 2-9-2020, 11.21.12pm.mp4",
     datetime(2020, 2, 9, 23, 21, 12), LOCAL, "Front Door", None),
    ("Hof - 12-25-2025, 12.05.00am.mp4", datetime(2025, 12, 25, 0, 5), LOCAL, "Hof", None),
    ("Front Door (1a2b) - 2026-03-01 - 08.15.00+0100.mp4",
     datetime(2026, 3, 1, 7, 15), UTC_CLOCK, "Front Door", None),
    ("20140509-000500-001000_192.168.1.11-CH2.avi",
     datetime(2014, 5, 9, 0, 5), LOCAL, "192.168.1.11-CH2", 300),
    ("20260301-235500-000000_192.168.1.11-CH2.avi",
     datetime(2026, 3, 1, 23, 55), LOCAL, "192.168.1.11-CH2", 300),
    ("20150910070618-070619-M00_507.mov",
     datetime(2015, 9, 10, 7, 6, 18), UTC_CLOCK, None, None),
    ("20150910070623-070619-M00_508.mov",
     datetime(2015, 9, 10, 7, 6, 23), UTC_CLOCK, None, None),
    ("Record/2026-03-01/192.168.1.13_1_S08-15-00E08-20-00.ts", BEGAN, LOCAL,
     "192.168.1.13_1", 300),
    ("2026-03-01/S08-15-00E08-20-00.mp4", BEGAN, LOCAL, None, 300),
    ("2018/01/30/23/2040-00160380.ps",
     datetime(2018, 1, 30, 23, 20, 40), LOCAL, "device 001603", None),
    ("H20190808-095851P1N2P0.avi", datetime(2019, 8, 8, 9, 58, 51), LOCAL, "ch2", None),
    ("20110601/09244102D.DSF", datetime(2011, 6, 1, 9, 24, 41), LOCAL, "camera 02", None),
    ("PRIVATE/PANA_GRP/HH/WINDOW/03-02-2026/1M123455.mp4",
     datetime(2026, 3, 2, 12, 34, 55), LOCAL, "WINDOW", None),
    ("Mar.01.2026/unit_12_Mar.01.2026_08.15.00.avi", BEGAN, LOCAL, "unit_12", None),
    ("Mar.01.2026/Mar.01.2026_08.15.00+.avi", BEGAN, LOCAL, None, None),
    ("record/2022Y04M12D18H/09M00S60.mp4", datetime(2022, 4, 12, 18, 9), UTC_CLOCK, None, 60),
    ("record/2020Y07M20D05H/E214M22S38.mp4",
     datetime(2020, 7, 20, 5, 14, 22), UTC_CLOCK, None, 38),
    ("record/2020Y12M31D00H/00M00S.mp4", datetime(2020, 12, 31), UTC_CLOCK, None, None),
    ("2026-03-01/08-15.mp4", BEGAN, LOCAL, None, None),
    ("ch01_20260301081500.mp4", BEGAN, LOCAL, "ch01", None),
    ("ch01_20260301081500_20260301083000.mp4", BEGAN, LOCAL, "ch01", 900),
    ("Ch02_20220619111254080_20220619112811160.mp4",
     datetime(2022, 6, 19, 11, 12, 54, 80_000), LOCAL, "Ch02", 917.08),
    ("192.168.1.64_01_20170606102032123_MOTION_DETECTION.jpg",
     datetime(2017, 6, 6, 10, 20, 32, 123_000), LOCAL, "192.168.1.64_01", None),
    ("10.4.100.111_01_20150619045051383_TIMING.jpg",
     datetime(2015, 6, 19, 4, 50, 51, 383_000), LOCAL, "10.4.100.111_01", None),
    ("BackYard/2026-03-01/001/dav/08/08.15.00-08.20.00[M][0@0][0].dav", BEGAN, LOCAL,
     "BackYard", 300),
    ("NVR/2026-03-01/003/dav/08/08.15.00-08.20.00[R][0@0][0].mp4", BEGAN, LOCAL, "NVR ch3", 300),
    ("sd/2026-03-01/0/dav/08/0/1/98673/08.15.00-08.15.34[M][0@0][0].dav", BEGAN, LOCAL, "sd", 34),
    ("AMC0028V/2018-08-24/001/jpg/22/27/22[M][0@0][0].jpg",
     datetime(2018, 8, 24, 22, 27, 22), LOCAL, "AMC0028V", None),
    ("001_20250107164038_[M][0@0][0].jpg", datetime(2025, 1, 7, 16, 40, 38), LOCAL, "ch1", None),
    ("NVR_ch1_main_20260301000000_20260301235960.dav",
     datetime(2026, 3, 1), LOCAL, "NVR_ch1", 86_400),
    ("NPV-CH01-MAIN-20171215143022-20171215143522.DAV",
     datetime(2017, 12, 15, 14, 30, 22), LOCAL, "NPV-CH01", 300),
    ("RLC-810A_01_20260301081500.mp4", BEGAN, LOCAL, "RLC-810A", None),
    ("Mp4Record/2026-03-01/RecM01_20260301_081500_082000_6D28808_1A468F9.mp4", BEGAN, LOCAL,
     None, 300),
    ("Mp4Record/2023-04-26/RecS02_DST20230426_145918_150032_2B14808_32F1DF.mp4",
     datetime(2023, 4, 26, 14, 59, 18), LOCAL, None, 74),
    ("gate/20260301AM/gate20260301-081500-1772352900.mp4", BEGAN, UTC_CLOCK, "gate", None),
    ("gate/20260301AM/gate-20260301-091500-1772352900.mp4", BEGAN, UTC_CLOCK, "gate", None),
    ("gate.20260301_081500.mp4", BEGAN, LOCAL, "gate", None),
    ("20260301_081500.gate.mp4", BEGAN, LOCAL, "gate", None),
    ("Record/20260301_081500_NF.mp4", BEGAN, LOCAL, "front", None),
    ("Record/20260301_081500_ER.mp4", BEGAN, LOCAL, "rear", None),
    ("TeslaCam/SentryClips/2026-03-01_08-25-11/2026-03-01_08-15-00-left_repeater.mp4", BEGAN,
     LOCAL, "left_repeater", None),
    ("RecentClips/2026-03-01_08-15-front.mp4", BEGAN, LOCAL, "front", None),
    ("2026_0820_045542_F.MP4", datetime(2026, 8, 20, 4, 55, 42), LOCAL, "front", None),
    ("2026_0301_081500_0001R.MP4", BEGAN, LOCAL, "rear", None),
    ("20260301081500_000012F.MP4", BEGAN, LOCAL, "front", None),
    ("NO20260301-081500-000017F.MP4", BEGAN, LOCAL, "front", None),
    ("EV20260301-081500-000018B.MP4", BEGAN, LOCAL, "rear", None),
    ("240915_143027_001_FH.MP4", datetime(2024, 9, 15, 14, 30, 27), LOCAL, "front", None),
    ("2020-11-26T02_06_04+00_00.mp4", datetime(2020, 11, 26, 2, 6, 4), UTC_CLOCK, None, None),
    ("Roof_Rear_Corner_2020-11-09T10_30_54-0800.mp4",
     datetime(2020, 11, 9, 18, 30, 54), UTC_CLOCK, "Roof_Rear_Corner", None),
    ("recordings/2023/11/27/000001/09-00-02.mp4",
     datetime(2023, 11, 27, 9, 0, 2), LOCAL, "camera 000001", None),
    ("Camera1/2026-03-01/08-15-00.mp4", BEGAN, LOCAL, None, None),
    ("2025060107/46M14S_1748735174.mp4",
     datetime(2025, 5, 31, 23, 46, 14), UTC_CLOCK, None, None),
    ("record/20260301/08/15.mp4", BEGAN, LOCAL, None, None),
    ("lumi3.0a1b/20260314/173154.mp4", datetime(2026, 3, 14, 17, 31, 54), LOCAL, None, None),
    ("gate/2026/03/01/08/15/00.mp4", BEGAN, LOCAL, None, None),
    ("gate/2026/03/01/08-15-00.mp4", BEGAN, LOCAL, None, None),
    ("gate/2026/03/01/081500.mp4", BEGAN, LOCAL, None, None),
    ("recordings/2026-03-01/08/101/15.00.mp4", BEGAN, UTC_CLOCK, "101", None),
    ("cafe12_20260301_081500.mp4", BEGAN, LOCAL, "cafe12", None),
    ("PXL_20260301_081500123.LS.mp4",
     BEGAN.replace(microsecond=123_000), UTC_CLOCK, None, None),
    ("VID_20260301_081500.mp4", BEGAN, LOCAL, None, None),
    ("IMG_20260301_081500_HDR.jpg", BEGAN, LOCAL, None, None),
    ("IMG20260301081500.jpg", BEGAN, LOCAL, None, None),
    ("20260301_081500.mp4", BEGAN, LOCAL, None, None),
    ("20260301_081500(0).jpg", BEGAN, LOCAL, None, None),
    ("20260301_081500 (2).mp4", BEGAN, LOCAL, None, None),
    ("WhatsApp Video 2026-03-01 at 08.15.00.mp4", BEGAN, LOCAL, None, None),
    ("WhatsApp Image 2026-03-01 at 8.15.00 PM (1).jpeg", BEGAN.replace(hour=20), LOCAL, None, None),
    ("signal-2026-03-01-08-15-00-123.mp4",
     BEGAN.replace(microsecond=123_000), LOCAL, None, None),
    ("signal-2026-03-01-081500.jpg", BEGAN, LOCAL, None, None),
    ("Screen Recording 2026-03-01 at 8.15.00\u202fAM.mov", BEGAN, LOCAL, None, None),
    ("WIN_20260301_08_15_00_Pro.mp4", BEGAN, LOCAL, None, None),
    ("2026-03-01 08.15.00.mp4", BEGAN, LOCAL, None, None),
    ("2026-03-01T08-15-00.mp4", BEGAN, LOCAL, None, None),
    ("Camera1_20260301081500.mp4", BEGAN, LOCAL, "Camera1", None),
    ("Garten Nord 2026-03-01 08-15-00.mp4", BEGAN, LOCAL, "Garten Nord", None),
    ("门口_20260301081500.mp4", BEGAN, LOCAL, "门口", None),
    ("20260301_081500_CH03.mp4", BEGAN, LOCAL, "CH03", None),
    ("REC_2026_03_01_08_15_00_F.MP4", BEGAN, LOCAL, None, None),
    ("event-000123-20260301-081500.mp4", BEGAN, LOCAL, None, None),
    ("01-20260301081500.mp4", BEGAN, LOCAL, None, None),
    ("8f3a2c_20260301_081500.mp4", BEGAN, LOCAL, None, None),
    ("person-1772352900-20260301_081500.mp4", BEGAN, LOCAL, None, None),
    ("Clip (12) 2026-03-01 08-15-00.mp4", BEGAN, LOCAL, None, None),
    ("Video_01_20260301081500.mp4", BEGAN, LOCAL, None, None),
    ("DS-2CD2143_20260301_081500.mp4", BEGAN, LOCAL, "DS-2CD2143", None),
    ("13-02-2026 08-15-00.mp4", datetime(2026, 2, 13, 8, 15), LOCAL, None, None),
    ("02-02-2026 08-15-00.mp4", datetime(2026, 2, 2, 8, 15), LOCAL, None, None),
]  # fmt: skip

DAYS = [
    ("IMG-20260301-WA0001.jpg", date(2026, 3, 1)),
    ("VID-20251224-WA0042.mp4", date(2025, 12, 24)),
    ("events/3/2026-03-01/4711/4711-video.mp4", date(2026, 3, 1)),
    ("holiday 2026-03-01.jpg", date(2026, 3, 1)),
    ("2017-06-06_09acf48a-ea95-4ba0-88b2-95b8e6d14ee7-main.mp4", date(2017, 6, 6)),
]

QUESTIONS = [
    ("03-02-2026 08-15-00.mp4", {datetime(2026, 3, 2, 8, 15), datetime(2026, 2, 3, 8, 15)}),
    ("gate 1.2.2026 10.30.00.mp4", {datetime(2026, 1, 2, 10, 30), datetime(2026, 2, 1, 10, 30)}),
    ("2026-05-20 10-00-00 of 2026-03-01 08-15-00.mp4", {datetime(2026, 5, 20, 10), BEGAN}),
    ("20260301_081500 - 20240101_000000.mp4", {BEGAN, datetime(2024, 1, 1)}),
]

NO_DATES = [
    "GRMN0001.MP4", "GX010042.MP4", "GOPR0001.MP4", "MVI_2042.MOV", "DSC02026.JPG", "IMG_0815.HEIC",
    "clip_1080p.mp4", "trailer-1920x1080-30fps.mp4", "gate-2160p-60.mp4", "000000125870.jpg",
    "hiv00001.mp4", "SN20261301.mp4", "serial-99887766554433.mp4", "ch01_00000000123000000.mp4",
    "1772352900.mp4", "1772236849-camera_person.mp4", "1778741309-1778741415.mp4",
    "FB_IMG_1518353467890.jpg", "948987989.mp4", "2026-02-30_08-15-00.mp4", "2026-13-01.mp4",
    "20260301_251500.mp4", "20260230_081500.mp4", "IMG_20260301_0042.jpg", "20260301.mp4",
    "19000101_000000.mp4", "12345678901234.mp4", "192.168.1.64.mp4", "8f14e45fceea167a5a36.jpg",
    "3f20210512093011aa.jpg", "08.15.00-08.20.00[M][0@0][0].dav", "13/08/15.00.mp4", "S2E01.mkv",
    "v2.10.2021.mp4", "gate.mp4", "loading-dock.mp4", "a", ".mp4", "2026", "x/2026/03.mp4",
    "2026-03-01/000123.jpg", "20260301/000123.jpg", "2026/03/01/000123.jpg",
    "2026-03-01/32/gate/15.00.mp4", "2022Y13M12D18H/09M00S60.mp4", "2026-03-01/24-15.mp4",
]  # fmt: skip


@pytest.mark.parametrize(("name", "began", "utc", "camera", "seconds"), READ)
def test_recorder_names_give_time_camera_and_duration(
    name: str, began: datetime, utc: bool, camera: str | None, seconds: float | None
) -> None:
    reading = read_recorder_name(PurePath("/srv/footage", name))
    assert reading is not None
    duration_ms = None if seconds is None else round(seconds * 1000)
    assert reading == NameReading(reading.recorder, began, None, utc, camera, duration_ms)


@pytest.mark.parametrize(("name", "day"), DAYS)
def test_names_with_the_day_alone_give_no_time_of_day(name: str, day: date) -> None:
    reading = read_recorder_name(PurePath(name))
    assert reading is not None
    assert (reading.local, reading.day, reading.ambiguous) == (None, day, ())


@pytest.mark.parametrize("name", ["photo_2026-03-01_08-15-00.jpg", "video_2026-03-01_08-15-00.mp4"])
def test_time_of_a_download_is_not_read_as_time_of_recording(name: str) -> None:
    assert read_recorder_name(PurePath(name)) == NameReading("Telegram")


@pytest.mark.parametrize(("name", "times"), QUESTIONS)
def test_names_with_two_readings_are_ambiguous(name: str, times: set[datetime]) -> None:
    reading = read_recorder_name(PurePath(name))
    assert reading is not None
    assert (reading.local, reading.day) == (None, None)
    assert set(reading.ambiguous) == times


@pytest.mark.parametrize("name", NO_DATES)
def test_digits_that_are_no_date_are_left_alone(name: str) -> None:
    assert read_recorder_name(PurePath(name)) is None


def test_table_covers_twenty_recorders_and_names_its_sources() -> None:
    names = [pattern.recorder for pattern in PATTERNS]
    assert len(set(names)) == len(names) >= 20
    assert all(pattern.source for pattern in PATTERNS)
    read = {
        reading.recorder for name, *_ in READ if (reading := read_recorder_name(PurePath(name)))
    }
    read |= {
        reading.recorder for name, _ in DAYS if (reading := read_recorder_name(PurePath(name)))
    }
    assert set(names) - read == {"Telegram"}  # of which no time is read


#: Names rendered with strftime, as recorders render them.
RENDERED = [
    "recordings/%Y-%m-%d/%H/gate/%M.%S.mp4",
    "gate/%Y-%m-%d_%H-%M-%S-%f.mp4",
    "Front Door - %m-%d-%Y, %I.%M.%S%p.mp4",
    "rec/%YY%mM%dD%HH/%MM%SS60.mp4",
    "2001-01-01/%Y/%m/%d/%H/%M%S-00160380.ps",
    "unit_%b.%d.%Y_%H.%M.%S.avi",
    "gate.%Y%m%d_%H%M%S.mp4",
    "%Y-%m-%d/%H-%M-%S.mp4",
    "ch7_%Y%m%d%H%M%S.mp4",
    "%Y%m%d_%H%M%S_NF.mp4",
    "BackYard/%Y-%m-%d/001/dav/%H/%H.%M.%S-%H.%M.%S[M][0@0][0].dav",
    "PXL_%Y%m%d_%H%M%S%f.mp4",
    "WhatsApp Video %Y-%m-%d at %I.%M.%S %p.mp4",
    "Gate 2_%Y-%m-%dT%H_%M_%S+00_00.mp4",
    "%Y-%m-%d %H.%M.%S.mp4",
    "Hof Nord %Y%m%d%H%M%S.mp4",
]


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 30)),
    st.sampled_from(RENDERED),
    st.sampled_from(["", "a", "site/north/", "2019-05-04/", "2019/05/04/"]),
)
def test_rendered_times_are_read_back(began: datetime, form: str, above: str) -> None:
    if "%f" not in form:
        began = began.replace(microsecond=0)
    reading = read_recorder_name(PurePath("/", above, began.strftime(form)))
    assert reading is not None
    assert (reading.local, reading.ambiguous) == (began, ())


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 30)),
    st.integers(min_value=1, max_value=86_399),
)
def test_rendered_start_and_end_give_the_duration(began: datetime, seconds: int) -> None:
    began = began.replace(microsecond=0)
    ended = began + timedelta(seconds=seconds)
    for name in (
        f"ch01_{began:%Y%m%d%H%M%S}_{ended:%Y%m%d%H%M%S}.mp4",
        f"{began:%Y-%m-%d}/192.168.1.13_1_S{began:%H-%M-%S}E{ended:%H-%M-%S}.ts",
        f"{began:%Y%m%d}-{began:%H%M%S}-{ended:%H%M%S}_10.0.0.2-CH2.avi",
        f"{began:%Y-%m-%d %H-%M-%S} - {ended:%Y-%m-%d %H-%M-%S}.mp4",
    ):
        reading = read_recorder_name(PurePath(name))
        assert reading is not None
        assert (reading.local, reading.duration_ms) == (began, seconds * 1000)


IMPOSSIBLE = st.one_of(
    st.fixed_dictionaries({"Y": st.integers(1000, 1979)}),
    st.fixed_dictionaries({"m": st.integers(13, 99), "b": st.just(13)}),
    st.fixed_dictionaries({"d": st.integers(32, 99)}),
    st.fixed_dictionaries({"m": st.just(2), "b": st.just(2), "d": st.integers(30, 31)}),
    st.fixed_dictionaries({"H": st.integers(24, 99), "I": st.integers(13, 99)}),
    st.fixed_dictionaries({"M": st.integers(60, 99)}),
    st.fixed_dictionaries({"S": st.integers(61, 99)}),
)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 30)), IMPOSSIBLE, st.data())
def test_impossible_times_are_never_read(
    began: datetime, impossible: dict[str, int], data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(RENDERED))
    # 13-01-2000 is the first month's thirteenth day to who writes days first.
    assume("%m-%d-%Y" not in form or not 13 <= impossible.get("m", 0) <= 31)
    for directive, number in impossible.items():
        month = month_abbr[number] if directive == "b" and number <= 12 else "Xxx"
        form = form.replace(f"%{directive}", month if directive == "b" else f"{number:02}")
    assume(form not in RENDERED)
    reading = read_recorder_name(PurePath(began.strftime(form)))
    assert reading is None or (reading.local, reading.day) == (None, None)


@given(st.text(alphabet="0123456789-_./ :[]TZamphMSEchrec", max_size=60))
def test_random_digits_never_fail_and_give_only_digits_that_are_there(name: str) -> None:
    reading = read_recorder_name(PurePath(name))
    if reading is None:
        return
    for moment in (reading.local, reading.day, *reading.ambiguous):
        assert moment is None or 1980 <= moment.year <= 2099
    if reading.local is not None and not reading.utc:
        digits = re.sub(r"\D", "", name)
        assert f"{reading.local.minute:02}" in digits
        assert f"{reading.local:%Y}" in digits or f"{reading.local:%y}" in digits


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(name: str) -> None:
    read_recorder_name(PurePath(name))


def test_utc_names_are_the_same_moment_whatever_their_offset() -> None:
    east = read_recorder_name(PurePath("Gate_2026-03-01T09_15_00+0100.mp4"))
    west = read_recorder_name(PurePath("Gate_2026-03-01T00_15_00-0800.mp4"))
    assert east is not None and west is not None
    assert east.local == west.local == datetime(2026, 3, 1, 8, 15, tzinfo=UTC).replace(tzinfo=None)
