"""Name patterns that users write: what they read, what they settle, and what is refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.names.reading import NameReading, name_patterns, read_recorder_name
from search_core.errors import UsageError

BEGAN = datetime(2026, 3, 1, 8, 15)


def reading_with(path: str, *patterns: str) -> NameReading:
    reading = read_recorder_name(PurePath(path), name_patterns(patterns))
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("%camera/%Y-%m-%d_%H-%M-%S", "/srv/gate/2026-03-01_08-15-00.mp4"),
        ("%camera/%Y-%m-%d_%H-%M-%S.mp4", "/srv/gate/2026-03-01_08-15-00.mp4"),
        ("%camera/%F/%H.%M", "gate/2026-03-01/08.15.ts"),
        ("%H%M %d.%m.%Y %camera", "0815 01.03.2026 gate.mp4"),
        ("%d%b%y-%I%M%p-%camera", "01Mar26-0815am-gate.mkv"),
        ("%camera/%*/%Y/%-m/%-d/%-H_%M", "gate/x y/2026/3/1/8_15.mp4"),
        ("%camera_%Y%m%d%H%M%S%f", "gate_20260301081500000.mp4"),
        ("100%%_%camera_%F %H:%M:%S", "100%_gate_2026-03-01 08:15:00.mp4"),
        ("[a-z]+(%camera).%F_%H-%M", "[a-z]+(gate).2026-03-01_08-15.mp4"),
    ],
)
def test_pattern_reads_time_and_camera(pattern: str, path: str) -> None:
    reading = reading_with(path, pattern)
    assert (reading.local, reading.utc, reading.camera) == (BEGAN, False, "gate")


def test_pattern_may_say_that_names_are_in_utc() -> None:
    assert reading_with("gate/20260301/081500.mp4", "utc:%camera/%Y%m%d/%H%M%S").utc
    assert reading_with("gate_2026-03-01_09-15+0100.mp4", "%camera_%F_%H-%M%z").local == BEGAN
    seconds = reading_with("gate-1772352900.mp4", "%camera-%s")
    assert (seconds.local, seconds.utc) == (BEGAN, True)


def test_second_time_in_a_pattern_is_the_end() -> None:
    reading = reading_with("gate 2026-03-01 2350 0010.mp4", "%camera %F %H%M %H%M")
    assert reading.duration_ms == 20 * 60_000


def test_pattern_settles_a_name_with_two_readings() -> None:
    path = "gate/03-02-2026 08-15-00.mp4"
    assert reading_with(path).ambiguous
    assert reading_with(path, "%d-%m-%Y %H-%M-%S").local == datetime(2026, 2, 3, 8, 15)
    assert reading_with(path, "%m-%d-%Y %H-%M-%S").local == datetime(2026, 3, 2, 8, 15)


def test_pattern_wins_over_the_table_and_is_completed_by_it() -> None:
    path = "recordings/2026-03-01/08/gate/15.00.mp4"
    renamed = reading_with(path, "%camera/recordings/%*/%*/%*/%*", "%camera/%F/%*/%*/%*")
    assert (renamed.camera, renamed.local, renamed.utc) == ("recordings", BEGAN, True)
    local = reading_with(path, "%F/%H/%*/%M.%S")
    assert (local.camera, local.local, local.utc) == ("gate", BEGAN, False)


def test_pattern_that_does_not_match_changes_nothing() -> None:
    path = "gate.20260301_081500.mp4"
    assert reading_with(path, "%camera/%F/%H%M%S") == reading_with(path)
    assert read_recorder_name(PurePath("gate.mp4"), name_patterns(["%F %H-%M"])) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("utc:", "is empty"),
        ("gate", "neither %camera nor a date"),
        ("%*", "neither %camera nor a date"),
        ("%camera/%H-%M-%S", "a time of day without %Y, %m, %d"),
        ("%camera %d.%m.", "a part of a date without %Y"),
        ("%Y/%d/%camera", "a part of a date without %m"),
        ("%F %H", "%H needs %M"),
        ("%F %M", "%M needs %H"),
        ("%F %H-%S", "%H needs %M"),
        ("%F %I-%M", "%I needs %p"),
        ("%F %H-%I-%M%p", "both %H (24 hours) and %I"),
        ("%F %H-%M-%f", "%f needs %S"),
        ("%Q", "%Q is not a directive"),
        ("%F_%1", "%1 is not a directive"),
        ("%camera_100%", "% is not a directive"),
        ("%camera/%camera", "%camera comes more than once"),
        ("%F_%H%M_%H", "%H comes twice"),
        ("%F_%F", "comes twice"),
        ("%F_%H%M_%H%M_%H%M", "given too often"),
        ("%camera%*", "Nothing separates %camera from %*"),
        ("/srv/%camera", "begins or ends with /"),
        ("%camera/", "begins or ends with /"),
        ("%camera//%F", "empty folder name"),
        ("C:\\%camera", "has a backslash"),
        ("%camera" + "x" * 400, "more than 300 characters"),
    ],
)
def test_pattern_that_cannot_work_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        name_patterns([pattern])
    assert reason in refused.value.message
    assert repr(pattern) in refused.value.message and "--name-pattern" in refused.value.message
    assert refused.value.hint


def test_refused_pattern_of_the_settings_names_the_settings() -> None:
    with pytest.raises(UsageError, match=r"names\.patterns in sightline\.toml"):
        name_patterns([], ["%Q"])


@given(st.text(alphabet="%YymbdHIpMSfzsFcamer*/_-. 0", max_size=40), st.text(max_size=60))
def test_any_pattern_is_used_or_refused_in_a_sentence(pattern: str, name: str) -> None:
    try:
        patterns = name_patterns([pattern])
    except UsageError:
        return
    read_recorder_name(PurePath(name), patterns)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 30)),
    st.sampled_from(
        ["%Y-%m-%d %H-%M-%S", "%d.%m.%Y_%I.%M.%S%p", "%b%d%Y/%H%M%S", "%y%m%d%H%M%S", "%F/%H/%M/%S"]
    ),
    st.text(alphabet="abcÄé门-_ 1", min_size=1, max_size=12).filter(lambda text: text[0].isalpha()),
)
def test_rendered_name_is_read_back_by_its_pattern(began: datetime, form: str, camera: str) -> None:
    began = began.replace(microsecond=0)
    camera = f"{camera}x"
    if "%y" in form and began.year < 2000:
        began = began.replace(year=2004)
    path = f"/srv/{camera}/{began.strftime(form)}.mp4"
    reading = reading_with(path, f"%camera/{form}")
    assert (reading.local, reading.camera) == (began, camera)
