"""One start given for several recordings: they are laid one after another, or it is refused."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from search_core.errors import UsageError
from search_core.schema.entity import ms_from_datetime
from search_core.schema.filters import Filter
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo

START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def starts(store: MemoryStore) -> dict[str, int]:
    """When each source began by its keyframes, in seconds after START."""
    rows = store.entities("main", Filter())
    assert {row.captured_from for row in rows} == {"given"}
    return {
        Path(row.uri).name: (row.captured_at - row.pts_ms - ms_from_datetime(START)) // 1000
        for row in rows
    }


def test_recordings_are_laid_one_after_another_by_name(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    for name, seconds in (("clip10.mp4", 2), ("clip2.mp4", 4), ("clip1.mp4", 3)):
        make_clip(media / name, seconds=seconds)
    (media / "notes.txt").write_text("not media")
    (media / "clip1 (copy).mp4").write_bytes((media / "clip1.mp4").read_bytes())
    take_in(media, started_at=START)
    laid = starts(store)
    assert (laid["clip2.mp4"], laid["clip10.mp4"]) == (3, 7)
    assert min(laid.values()) == 0 and len(laid) == 3


def test_what_is_in_the_library_already_counts_for_those_after_it(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_clip(media / "a.mp4", seconds=3)
    take_in(media, started_at=START)
    make_clip(media / "b.mp4", seconds=2, fps=4)
    assert take_in(media, started_at=START).done == 1
    assert starts(store) == {"a.mp4": 0, "b.mp4": 3}


def test_folders_of_one_camera_are_laid_one_after_another(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    for number, day in enumerate(("2", "10")):
        (media / day).mkdir()
        make_clip(media / day / f"{day}.mp4", seconds=2 + number)
    take_in(media, started_at=START, camera="gate")
    assert starts(store) == {"2.mp4": 0, "10.mp4": 2}


def test_one_file_of_any_kind_has_the_start_that_is_given(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.jpg")
    (media / "notes.txt").write_text("not media")
    take_in(media, started_at=START)
    assert starts(store) == {"a.jpg": 0}


def test_a_start_without_a_zone_is_in_that_of_the_cameras(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.jpg")
    take_in(media, started_at=START.replace(tzinfo=None), timezones=("+05:30",))
    assert starts(store) == {"a.jpg": -19_800}


def test_photographs_have_no_length_to_lay_them_by(take_in: TakeIn, media: Path) -> None:
    make_clip(media / "a.mp4", seconds=2)
    make_photo(media / "b.jpg")
    with pytest.raises(UsageError, match=r"b\.jpg is a photograph, which has no length") as refused:
        take_in(media, started_at=START)
    assert "one recording at a time" in refused.value.hint


def test_lengths_that_are_not_known_are_refused(take_in: TakeIn, media: Path) -> None:
    make_clip(media / "a.mp4", seconds=2)
    (media / "b.mp4").write_bytes((media / "a.mp4").read_bytes()[:400])
    with pytest.raises(UsageError, match=r"when each began is not known: .*b\.mp4 is damaged"):
        take_in(media, started_at=START)
    (media / "b.mp4").write_bytes(b"")
    make_clip(media / "c.mp4", seconds=3)
    with pytest.raises(UsageError, match=r"b\.mp4 is empty"):
        take_in(media, started_at=START)
    make_clip(media / "b.mp4", seconds=2)
    make_clip(media / "b.h264", seconds=2, codec="libx264")
    with pytest.raises(UsageError, match=r"b\.h264 does not say how long it is"):
        take_in(media, started_at=START)


def test_members_of_archives_are_refused(take_in: TakeIn, media: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(media / "day.zip", "w") as out:
        for name, seconds in (("a.mp4", 2), ("b.mp4", 3)):
            out.write(make_clip(tmp_path / name, seconds=seconds), name)
    with pytest.raises(UsageError, match=r"day\.zip/a\.mp4 is in an archive or elsewhere"):
        take_in(media, started_at=START)


def test_several_folders_may_be_several_cameras(take_in: TakeIn, media: Path) -> None:
    for camera in ("gate", "yard"):
        (media / camera).mkdir()
        make_clip(media / camera / "a.mp4", seconds=2 + len(camera) % 2, fps=4 + (camera == "gate"))
        make_photo(media / camera / "b.jpg", (0, len(camera), camera == "gate"))
    with pytest.raises(UsageError, match="of several cameras, gate and yard among them") as refused:
        take_in(media, started_at=START)
    assert "--camera" in refused.value.hint


def test_recordings_that_do_not_follow_one_another_are_refused(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    began = datetime(2020, 1, 2, 8, tzinfo=UTC)
    for number, after in enumerate((timedelta(), timedelta(minutes=10))):
        written = {"creation_time": (began + after).isoformat()}
        make_clip(media / f"{number}.mp4", seconds=2 + number, metadata=written)
    with pytest.raises(
        UsageError, match=r"1\.mp4 began 0:09:58 after the end of 0\.mp4"
    ) as refused:
        take_in(media, started_at=began + timedelta(hours=1))
    assert "--clock-offset +3600s" in refused.value.hint
    take_in(media, clock_offsets=("+1h",))
    times = {
        Path(row.uri).name: row.captured_at - row.pts_ms for row in store.entities("main", Filter())
    }
    assert times["0.mp4"] == ms_from_datetime(began + timedelta(hours=1))
    assert times["1.mp4"] == ms_from_datetime(began + timedelta(hours=1, minutes=10))


def test_short_recordings_that_began_at_once_are_refused(take_in: TakeIn, media: Path) -> None:
    written = {"creation_time": "2020-01-02T08:00:00Z"}
    for number in range(2):
        make_clip(media / f"{number}.mp4", seconds=5 + number, metadata=written)
    with pytest.raises(UsageError, match=r"1\.mp4 began 0:00:05 before the end of 0\.mp4"):
        take_in(media, started_at=START)


@pytest.mark.parametrize("start", [datetime(1, 1, 1), datetime(1825, 12, 31, tzinfo=UTC)])
def test_impossible_starts_are_refused(take_in: TakeIn, media: Path, start: datetime) -> None:
    make_photo(media / "a.jpg")
    with pytest.raises(UsageError, match="before 1826"):
        take_in(media, started_at=start)


def test_starts_in_the_future_are_refused(take_in: TakeIn, media: Path) -> None:
    make_photo(media / "a.jpg")
    with pytest.raises(UsageError, match="lies in the future"):
        take_in(media, started_at=datetime.now(UTC) + timedelta(days=3))
    with pytest.raises(UsageError, match="lies in the future"):
        take_in(media, started_at=datetime.max)
