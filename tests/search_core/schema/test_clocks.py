"""Camera clocks: zones, corrections, and moments that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.errors import SettingsError, UsageError
from search_core.schema.clocks import (
    EVERY_CAMERA,
    Clock,
    Clocks,
    by_camera,
    check_moment,
    format_offset,
    parse_offset,
    parse_zone,
)
from search_core.schema.entity import ms_from_datetime
from search_core.settings import load_settings

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")


@given(st.integers(-3_153_600_000, 3_153_600_000))
def test_an_offset_is_read_as_it_is_written(seconds: int) -> None:
    offset = timedelta(seconds=seconds)
    assert parse_offset(format_offset(offset)) == offset


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/Berlin", BERLIN),
        ("UTC", ZoneInfo("UTC")),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0530", timezone(-timedelta(hours=5, minutes=30))),
        ("UTC+8", timezone(timedelta(hours=8))),
    ],
)
def test_zones_are_names_or_offsets(text: str, zone: object) -> None:
    assert parse_zone(text) == zone


@pytest.mark.parametrize(
    "text", ["", "Mars/Base", "+25:00", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 5000]
)
def test_an_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Unknown time zone"):
        parse_zone(text)


def test_a_misspelt_zone_is_corrected() -> None:
    with pytest.raises(UsageError) as refused:
        parse_zone("Europe/Berln")
    assert "Did you mean Europe/Berlin?" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("+1h", 3600), ("-2m30s", -150), ("1d2h", 93_600), ("90s", 90), ("0s", 0)),
        *(("-00:02:30", -150), ("+01:00:00", 3600), ("02:30", 150)),
    ],
)
def test_offsets_are_read(text: str, seconds: int) -> None:
    assert parse_offset(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "+", "1", "1.5h", "h", "+-1h", "999999d", "1h=2h"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a clock offset"):
        parse_offset(text)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_zone_an_offset_or_refused(text: str) -> None:
    for parse in (parse_zone, parse_offset):
        try:
            parse(text)
        except UsageError as refused:
            assert refused.hint


def test_a_value_is_for_every_camera_or_for_one() -> None:
    assert by_camera(["UTC", "a=b=Asia/Tokyo"], parse_zone) == {
        EVERY_CAMERA: ZoneInfo("UTC"),
        "a=b": TOKYO,
    }
    with pytest.raises(UsageError, match="second value for the camera gate"):
        by_camera(["gate=UTC", "gate=+02:00"], parse_zone)


def test_one_cameras_clock_comes_before_that_of_all_and_what_is_given_before_settings() -> None:
    kept = Clocks({EVERY_CAMERA: BERLIN, "gate": TOKYO}, {"gate": timedelta(hours=1)})
    assert kept.of("gate") == Clock(TOKYO, timedelta(hours=1))
    assert kept.of("yard") == Clock(BERLIN)
    single = kept.overridden({"yard": ZoneInfo("UTC")}, {})
    assert (single.of("yard").zone, single.of("gate").zone) == (ZoneInfo("UTC"), TOKYO)
    every = kept.overridden({EVERY_CAMERA: ZoneInfo("UTC")}, {})
    assert every.of("gate") == Clock(ZoneInfo("UTC"), timedelta(hours=1))


def test_settings_hold_the_zone_and_each_cameras_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text(
        'timezone = "Europe/Berlin"\n[clocks.gate]\ntimezone = "UTC"\noffset = "-2m30s"\n'
    )
    clocks = load_settings().camera_clocks
    assert clocks.of("yard") == Clock(BERLIN)
    assert clocks.of("gate") == Clock(ZoneInfo("UTC"), -timedelta(minutes=2, seconds=30))
    monkeypatch.setenv("SIGHTLINE_TIMEZONE", "Asia/Tokyo")
    assert load_settings().camera_clocks.of("yard") == Clock(TOKYO)
    monkeypatch.setenv("SIGHTLINE_TIMEZONE", "")  # as compose passes on what is not set
    assert load_settings().timezone is None


@pytest.mark.parametrize(
    "line", ['timezone = "Mars"', '[clocks.a]\noffset = "soon"', '[clocks.a]\nzone = "UTC"']
)
def test_settings_that_are_no_zone_and_no_offset_are_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text(line)
    with pytest.raises(SettingsError):
        load_settings()


def test_moments_before_photography_are_refused() -> None:
    assert check_moment(datetime(1826, 1, 1)) == datetime(1826, 1, 1)
    with pytest.raises(UsageError, match="before 1826, the year of the first photograph"):
        check_moment(datetime(1, 1, 1))


@settings(deadline=None)
@given(
    st.datetimes(
        timezones=st.sampled_from(
            [None, UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=14))]
        )
    )
)
def test_every_moment_has_epoch_milliseconds(moment: datetime) -> None:
    assert isinstance(ms_from_datetime(moment), int)


def test_epoch_milliseconds_are_exact() -> None:
    assert ms_from_datetime(datetime(1965, 7, 14, 15, 0, 0, 1000, UTC)) == -140_950_799_999
    assert ms_from_datetime(datetime.max.replace(tzinfo=UTC)) == 253_402_300_800_000
