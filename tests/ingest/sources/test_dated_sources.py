"""Files with times in them, in their names or nowhere: when they were captured, and who says so."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from ingest.ledger import Ledger
from search_core.schema.entity import CapturedFrom, iso_from_ms
from search_core.schema.filters import Filter
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo

WRITTEN_S = 1_779_278_400  # 2026-05-20 12:00 UTC
BERLIN = ("Europe/Berlin",)


def recording(path: Path, seconds: int = 3, tags: dict[str, str] | None = None) -> Path:
    """Write a clip whose file was last written at WRITTEN_S."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make_clip(path, seconds=seconds, metadata=tags)
    os.utime(path, (WRITTEN_S, WRITTEN_S))
    return path


def began(store: MemoryStore) -> dict[str, tuple[str, CapturedFrom]]:
    """When each source began (UTC), and where that comes from, by its file's name."""
    return {
        Path(row.uri).name: (iso_from_ms(row.captured_at - row.pts_ms), row.captured_from)
        for row in store.entities("main", Filter())
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260301_081500.mp4", "2026-03-01T07:15:00.000Z"),
        ("Camera1_20260301081500.mp4", "2026-03-01T07:15:00.000Z"),
        ("VID_20260701_081500.mp4", "2026-07-01T06:15:00.000Z"),
        ("recordings/2026-03-01/08/gate/15.00.mp4", "2026-03-01T08:15:00.000Z"),
    ],
)
def test_a_recorders_name_is_read_by_its_clock(
    take_in: TakeIn, media: Path, store: MemoryStore, name: str, expected: str
) -> None:
    report = take_in(recording(media / name), timezones=BERLIN)
    assert began(store) == {Path(name).name: (expected, "name")}
    assert dict(report.captured_from) == {"name": 1}
    assert report.outcomes[0].warning == ""


def test_the_containers_time_comes_before_the_names_which_is_reported(
    take_in: TakeIn, media: Path, store: MemoryStore, ledger: Ledger
) -> None:
    path = recording(media / "20260301_081500.mp4", tags={"creation_time": "2026-03-01T08:15:00Z"})
    [outcome] = take_in(path, timezones=BERLIN).outcomes
    assert began(store) == {path.name: ("2026-03-01T08:15:00.000Z", "container")}
    assert (
        outcome.warning
        == outcome.time_warning
        == (
            "has times that disagree: 2026-03-01 08:15:00 UTC by its metadata, which is used, "
            "and 2026-03-01 07:15:00 UTC by its name"
        )
    )
    assert [row.warning for row in ledger.outcomes("main")] == [outcome.warning]


def test_a_container_written_at_the_end_gives_the_start(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    path = recording(
        media / "VID_20260301_081500.mp4", 4, tags={"creation_time": "2026-03-01T07:15:05Z"}
    )
    [outcome] = take_in(path, timezones=BERLIN).outcomes
    assert began(store) == {path.name: ("2026-03-01T07:15:01.000Z", "container")}
    assert outcome.time_warning == ""


def test_a_name_with_two_readings_is_a_question(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    path = recording(media / "gate 03-04-2026 08-15-00.mp4")
    [outcome] = take_in(path, timezones=BERLIN).outcomes
    assert began(store) == {path.name: ("2026-05-20T11:59:57.000Z", "file")}
    assert "can be read as 2026-03-04 08:15:00 or 2026-04-03 08:15:00" in outcome.time_warning
    dated = recording(
        media / "yard 03-04-2026 08-15-00.mp4", 2, tags={"creation_time": "2026-04-03T06:15:00Z"}
    )
    assert take_in(dated, timezones=BERLIN).outcomes[0].warning == ""


def test_a_name_that_has_the_day_alone_takes_the_files_hour_on_that_day(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    recording(media / "VID-20260520-WA0001.mp4", 3)
    recording(media / "VID-20260301-WA0002.mp4", 2)
    take_in(media, timezones=BERLIN)
    assert began(store) == {
        "VID-20260520-WA0001.mp4": ("2026-05-20T11:59:57.000Z", "day"),
        "VID-20260301-WA0002.mp4": ("2026-02-28T23:00:00.000Z", "day"),
    }


@pytest.mark.parametrize(
    ("suffix", "tags", "expected"),
    [
        (".mp4", {"date": "2021-03-04T06:06:08+0100"}, "2021-03-04T05:06:08.000Z"),
        (".mkv", {"DATE": "2021:03:04 06:06:08"}, "2021-03-04T05:06:08.000Z"),
        (".mkv", {"DATE_RECORDED": "2021-03-04 06:06:08.5"}, "2021-03-04T05:06:08.500Z"),
        (".avi", {"date": "2021-03-04 06:06:08"}, "2021-03-04T05:06:08.000Z"),
    ],
)
def test_containers_that_were_written_are_read(
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    suffix: str,
    tags: dict[str, str],
    expected: str,
) -> None:
    path = recording(media / f"clip{suffix}", tags=tags)
    take_in(path, timezones=BERLIN)
    assert began(store) == {path.name: (expected, "container")}


def test_each_camera_has_its_zone_and_its_clock(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    for seconds, camera in enumerate(("gate", "yard"), start=2):
        recording(media / camera / f"20260301_08150{seconds}.mp4", seconds)
    take_in(media, timezones=("UTC", "yard=+02:00"), clock_offsets=("gate=-5m",))
    assert began(store) == {
        "20260301_081502.mp4": ("2026-03-01T08:10:02.000Z", "name"),
        "20260301_081503.mp4": ("2026-03-01T06:15:03.000Z", "name"),
    }


def test_photographs_without_a_zone_are_in_the_cameras(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "1965:07:14 15:00:00"
    make_photo(media / "scan.jpg", exif=exif)
    take_in(media, timezones=BERLIN)
    assert began(store) == {"scan.jpg": ("1965-07-14T14:00:00.000Z", "exif")}


def test_future_dates_in_names_are_no_dates(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    path = recording(media / f"{later:%Y%m%d_%H%M%S}.mp4")
    take_in(path)
    assert began(store)[path.name][1] == "file"
