"""Recordings dated by the clocks that recorders burned into them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.curation.corrections import ReadTime, apply_correction, plan_correction
from ingest.ledger import Ledger
from ingest.media.capture_time.claims import CaptureTime, with_overlay
from ingest.media.lettering import reader
from ingest.media.lettering.clock import overlay_starts
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport
from ingest.rows.lettering import read_lettering
from search_core.schema.clocks import Clock
from search_core.schema.entity import iso_from_ms, ms_from_datetime
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line
from search_core.settings import MediaSettings, Settings
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder, make_clip

needs_reader = pytest.mark.skipif(
    not reader.is_installed(), reason=f"needs the extra reading: {reader.INSTALL}"
)
CHINESE_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
STARTED = datetime(2026, 3, 1, 8, 15)
UTC_CLOCK = Clock(UTC)
AT_TOP = (0.02, 0.02, 0.6, 0.06)


def frames(texts: Sequence[str], step_s: int = 2) -> list[tuple[int, list[Line]]]:
    return [
        (number * step_s * 1000, [Line(text, 0.9, AT_TOP, is_overlay=True)])
        for number, text in enumerate(texts)
    ]


def read(texts: Sequence[str], **options: int) -> list[str]:
    found = overlay_starts(frames(texts, **options), UTC_CLOCK)
    return [iso_from_ms(start_ms).removesuffix(".000Z") for start_ms in found]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 08:15:00",
        "2026-03-0108:15:00",
        "GATE 1 2026/03/01 08：15：00",
        "2026.3.1 8:15:00 AM",
        "08:15:00 2026-03-01",
        "2026-03-01T08:15:00+08:00",
        "03-01-2026 Sun 08:15:00",
        "01/03/2026 Sunday 08:15:00",
        "03-01-2026Sun08:15:00",
        "2026年03月01日 星期日 08:15:00",
        "2026年03月01日星期日08:15:00",
        "01-03-2026 周日 08:15",
    ],
)
def test_the_forms_recorders_write_are_read(text: str) -> None:
    assert read([text]) == ["2026-03-01T08:15:00"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["01/03/2026 08:15:00"], ["2026-03-01T08:15:00", "2026-01-03T08:15:00"]),
        (["03/03/2026 08:15:00"], ["2026-03-03T08:15:00"]),
        (["13/03/2026 08:15:00"], ["2026-03-13T08:15:00"]),
        (["03/13/2026 08:15:00"], ["2026-03-13T08:15:00"]),
        # Past midnight the day goes on, not the month.
        (["01/03/2026 23:59:58", "02/03/2026 00:00:00"], ["2026-03-01T23:59:58"]),
        (["03/01/2026 23:59:58", "03/02/2026 00:00:00"], ["2026-03-01T23:59:58"]),
        (["32/03/2026 08:15:00"], []),
        (["2026-03-01 08:15:00 +1 09:00"], []),
        (["2026-03-01"], []),
        (["08:15:00"], []),
        # Months and days of one digit, not apart from the hour: several things could be meant.
        (["2026-3-108:15:00"], []),
        # Never set.
        (["2000-01-01 00:00:07"], []),
    ],
)
def test_what_could_be_exchanged_is_said_and_what_is_no_moment_is_not_read(
    texts: list[str], expected: list[str]
) -> None:
    assert read(texts) == expected


def test_what_most_frames_agree_on_counts() -> None:
    right = [f"2026-03-01 08:15:{2 * number:02}" for number in range(4)]
    assert read([*right, "2026-03-01 03:15:08"]) == ["2026-03-01T08:15:00"]
    assert read(["2026-03-01 08:15:00", "2026-03-01 09:15:02"]) == []
    # Seconds are cut off: the latest beginning is the closest.
    cut_off = [(300, "08:15:00"), (2900, "08:15:02"), (4100, "08:15:04")]
    shown = [(at, [Line(f"2026-03-01 {t}", 0.9, AT_TOP, is_overlay=True)]) for at, t in cut_off]
    assert overlay_starts(shown, UTC_CLOCK) == (
        ms_from_datetime(STARTED.replace(tzinfo=UTC)) - 100,
    )


def test_a_time_lapse_has_no_start_and_a_sign_is_no_clock() -> None:
    assert read([f"2026-03-01 {hour:02}:15:00" for hour in range(8, 14)]) == []
    sign = Line("2026-03-01 08:15:00", 0.9, AT_TOP)
    assert overlay_starts([(0, [sign])], UTC_CLOCK) == ()


def test_date_and_time_in_two_lines_are_one_clock_in_its_zone() -> None:
    lines = [
        Line("01.03.2026 Sun", 0.9, AT_TOP, is_overlay=True),
        Line("08:15:02", 0.9, AT_TOP, is_overlay=True),
        Line("09:30", 0.9, AT_TOP),
    ]
    clock = Clock(UTC, timedelta(hours=1))
    [start_ms] = overlay_starts([(2000, lines)], clock)
    assert iso_from_ms(start_ms).startswith("2026-03-01T09:15:00")


def test_burned_in_clocks_stand_between_names_and_the_files_time() -> None:
    for weaker in ("modified", "day", "file", "overlay"):
        assert with_overlay(CaptureTime(5, weaker), [9]) == CaptureTime(9, "overlay")
    for better in ("given", "sidecar", "container", "exif", "gps", "name", "live"):
        assert with_overlay(CaptureTime(5, better), [9]) == CaptureTime(5, better)
    later_ms = 61_000
    disagrees = with_overlay(CaptureTime(0, "container"), [later_ms])
    assert (disagrees.at_ms, disagrees.captured_from) == (0, "container")
    assert disagrees.warning == (
        "has times that disagree: 1970-01-01 00:00:00 UTC by its metadata, which is used, and "
        "1970-01-01 00:01:01 UTC by its burned-in clock"
    )
    assert with_overlay(CaptureTime(0, "sidecar"), [later_ms]).warning == ""
    assert with_overlay(CaptureTime(0, "name"), [later_ms, 30_000]).warning == ""
    undecided = with_overlay(CaptureTime(0, "file"), [later_ms, 30_000])
    assert (undecided.at_ms, undecided.captured_from) == (0, "file")
    assert "can be read as 1970-01-01 00:01:01 or 1970-01-01 00:00:30 UTC" in undecided.warning


# From file to row


def burned(second: float, form: Callable[[datetime], str], font: Path | None = None) -> np.ndarray:
    """Return a frame of a yard with a clock, as recorders burn it in."""
    image = Image.new("RGB", (640, 360), (90, 100, 96))
    draw = ImageDraw.Draw(image)
    step = int(second / 2) * 150
    draw.rectangle((step, 150, step + 140, 330), fill=(150, 60, 50))  # what makes a keyframe
    drawn = ImageFont.load_default(18) if font is None else ImageFont.truetype(str(font), 18)
    text = form(STARTED + timedelta(seconds=int(second)))
    draw.text((13, 11), text, fill=(0, 0, 0), font=drawn)
    draw.text((12, 10), text, fill=(236, 236, 236), font=drawn)
    return np.asarray(image)


def clip(
    path: Path, form: Callable[[datetime], str], font: Path | None = None, **tags: str
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = partial(burned, form=form, font=font)
    make_clip(path, seconds=6, gop=10, picture=picture, metadata=tags)
    os.utime(path, (1_790_000_000, 1_790_000_000))
    return path


def usual(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def by_weekday(moment: datetime) -> str:
    return f"{moment:%m-%d-%Y %a %H:%M:%S}"


def chinese(moment: datetime) -> str:
    return f"{moment:%Y年%m月%d日} 星期日 {moment:%H:%M:%S}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    media = MediaSettings(workers=1, read="auto")
    return Settings(data_dir=tmp_path / "data", media=media, timezone="Asia/Shanghai")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    yield MemoryStore()


def run(settings: Settings, store: MemoryStore, folder: Path, **options: object) -> IngestReport:
    return ingest(
        [str(folder)],
        IngestOptions(keyframes="interval:2", **options),  # type: ignore[arg-type]
        settings=settings,
        store=store,
        encoder=HistogramEncoder(),
        library="main",
    )


def times(store: MemoryStore) -> dict[str, set[tuple[str, str]]]:
    """Return when the recordings began, and by what, by their files' names."""
    found: dict[str, set[tuple[str, str]]] = {}
    for entity in store.entities("main", Filter(regions=True), limit=1000):
        began = iso_from_ms(entity.captured_at - entity.pts_ms).partition(".")[0]
        found.setdefault(Path(entity.uri).name, set()).add((began, entity.captured_from))
    return found


@needs_reader
def test_burned_in_clocks_date_what_has_no_time_and_contradict_what_has(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    folder = tmp_path / "footage"
    clip(folder / "yard" / "plain.mp4", usual)
    clip(folder / "gate" / "weekday.mp4", by_weekday)
    clip(folder / "dock" / "right.mp4", usual, creation_time="2026-03-01T00:15:00Z")
    wrong = clip(folder / "hall" / "wrong.mp4", usual, creation_time="2026-03-01T07:15:00Z")
    expected = {("2026-03-01T00:15:00", "overlay")}  # it is a quarter past eight in Shanghai
    chinese_too = CHINESE_FONT.exists()
    if chinese_too:
        clip(folder / "door" / "chinese.mp4", chinese, CHINESE_FONT)

    report = run(settings, store, folder)

    assert (report.done, report.failed) == (4 + chinese_too, 0)
    found = times(store)
    assert found["plain.mp4"] == expected
    assert found["weekday.mp4"] == expected
    assert found["right.mp4"] == {("2026-03-01T00:15:00", "container")}
    assert found["wrong.mp4"] == {("2026-03-01T07:15:00", "container")}
    assert found.get("chinese.mp4", expected) == expected
    assert dict(report.captured_from) == {"container": 2, "overlay": 2 + chinese_too, "file": 0}
    assert report.read is not None
    assert len(report.read.dated) == 2 + chinese_too
    [doubted] = [outcome for outcome in report.outcomes if outcome.time_warning]
    assert doubted.uri == str(wrong)
    assert "07:15:00 UTC by its metadata, which is used, and 2026-03-01 00:15:00 UTC by its " in (
        doubted.warning
    )
    # Clocks do not answer searches for words.
    assert {e.lettering_text for e in store.entities("main", limit=1000)} == {""}


@needs_reader
def test_a_backlog_is_dated_by_the_zone_its_ingest_was_given_and_again_by_its_rows(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    folder = tmp_path / "footage"
    clip(folder / "yard" / "plain.mp4", usual)
    run(settings, store, folder, read="off", timezones=("+01:00",))
    [(_, by)] = times(store)["plain.mp4"]
    assert by == "file"

    with Ledger(settings.ledger_path) as ledger:
        report = read_lettering(settings, store, ledger, "main")

    assert [Path(uri).name for uri in report.dated] == ["plain.mp4"]
    assert "1 dated by a burned-in clock" in report.summary
    assert times(store)["plain.mp4"] == {("2026-03-01T07:15:00", "overlay")}

    # Read again, a file still tells less than its clock: by the zone that is set now.
    correction = plan_correction(settings, store, "main", ReadTime(), Filter())
    apply_correction(settings, store, correction)
    assert times(store)["plain.mp4"] == {("2026-03-01T00:15:00", "overlay")}
