"""Plans: what is counted is what an ingest then does; times are not tested here."""

from __future__ import annotations

import os
import zipfile
from itertools import islice
from pathlib import Path
from typing import Protocol

import pytest

from ingest.estimate.planner import Planner
from ingest.estimate.probe import Expected, spread
from ingest.estimate.survey import Survey, surveyed
from ingest.intake import Plan
from ingest.ledger import Ledger
from ingest.media.keyframes.registry import parse_selector
from ingest.options import IngestOptions, recipe_of
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo, make_sound


class SurveyAndSample(Protocol):
    def __call__(
        self, *paths: Path, keyframes: str = "auto", anew: bool = False
    ) -> tuple[Survey, Expected]: ...


@pytest.fixture
def plan(settings: Settings, encoder: HistogramEncoder) -> SurveyAndSample:
    """Survey paths and sample them; returns both."""

    def run(*paths: Path, keyframes: str = "auto", anew: bool = False) -> tuple[Survey, Expected]:
        asked = IngestOptions(keyframes, alone=False)
        named = [str(path) for path in paths]
        plan = Plan.of(named, asked, settings, encoder, "main")
        found = surveyed(named, plan, settings, anew=anew)
        planner = Planner(settings, encoder, plan, budget_s=20.0)
        return found, planner.expect(found, workers=1, cores=1)

    return run


def test_a_small_folder_is_foretold_exactly(
    plan: SurveyAndSample, take_in: TakeIn, media: Path, settings: Settings
) -> None:
    make_clip(media / "gate.mp4", seconds=8, gop=12)
    make_clip(media / "yard.mp4", seconds=5, gop=10)
    for number in range(5):
        make_photo(media / f"{number}.jpg", (number * 40, 0, 0))
    make_photo(media / "a.png")
    (media / "notes.txt").write_text("nothing to see")
    (media / "torn.mp4").write_bytes(b"")
    make_sound(media / "sound.mp4")
    (media / "copy.jpg").write_bytes((media / "3.jpg").read_bytes())
    found, expected = plan(media)
    assert not (settings.data_dir / "thumbnails").exists()
    report = take_in(media)
    failing = [*found.failing, *expected.unreadable]
    assert (expected.images, expected.videos) == (6, 2)
    assert (len(failing), found.skipped["not media"], found.duplicates) == (2, 1, 1)
    assert len(found.pending) - len(expected.unreadable) == report.done == 8
    failed = [one for one in report.outcomes if one.status == "failed"]
    told = [(one.uri, one.stage, one.reason) for one in failing]
    assert sorted(told) == sorted((one.uri, one.stage, one.reason) for one in failed)
    assert report.skipped == found.skipped.total() + found.duplicates
    assert expected.keyframes == report.keyframes
    written = sum(path.stat().st_size for path in settings.thumbnails_dir.rglob("*.jpg"))
    assert expected.thumbnail_bytes == pytest.approx(written, abs=20)
    assert (expected.video_ms, expected.sampled_ms) == (13_000, 13_000)


@pytest.mark.parametrize("name", ["jump.ts", "jump.mp4"])
def test_footage_is_what_the_frames_are_where_timestamps_jump(
    plan: SurveyAndSample, take_in: TakeIn, media: Path, store: MemoryStore, name: str
) -> None:
    """By five and a half hours: in an MP4 the clip is so long, and its later frames lie there."""
    steady = [number / 5 for number in range(40)]
    make_clip(media / name, times=[*steady, *(20_000 + time_s for time_s in steady)])
    _, expected = plan(media)
    assert expected.unreadable == []
    assert expected.video_ms == pytest.approx(16_000, abs=400)
    assert expected.keyframes < 100
    take_in(media)
    rows = store.entities("main", limit=1000)
    assert max(row.pts_ms for row in rows) <= rows[0].duration_ms
    assert (rows[0].duration_ms > 20_000_000) == (name == "jump.mp4")


def test_what_is_done_is_counted_apart(
    plan: SurveyAndSample,
    take_in: TakeIn,
    media: Path,
    settings: Settings,
    encoder: HistogramEncoder,
) -> None:
    make_photo(media / "a.jpg")
    make_photo(media / "b.jpg", (1, 2, 3))
    take_in(media / "a.jpg")
    digest, selector = encoder.identity.digest, parse_selector("auto")
    with Ledger(settings.ledger_path) as ledger:  # remembered once its time is not just now
        [row] = ledger.outcomes("main", "done")
        assert row.recipe == recipe_of(digest, selector.recipe)
        status = (media / "a.jpg").stat()
        ledger._database.write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            (str(media / "a.jpg"), status.st_size, status.st_mtime_ns, row.source_id),
        )
    found, expected = plan(media)
    assert (found.known, len(found.pending), expected.keyframes) == (1, 1, 1)
    found, expected = plan(media, anew=True)
    assert (found.known, expected.keyframes) == (0, 2)


def test_of_long_footage_stretches_stand_for_the_whole(plan: SurveyAndSample, media: Path) -> None:
    make_clip(media / "one.mp4", seconds=800, gop=10)
    make_clip(media / "two.mp4", seconds=800, gop=10, level=lambda second: int(second + 3) % 200)
    _, expected = plan(media, keyframes="iframe")
    assert expected.video_ms == 1_600_000
    assert expected.keyframes == pytest.approx(800, rel=0.05)
    _, expected = plan(media, keyframes="interval:8")
    assert expected.keyframes == pytest.approx(200, rel=0.1)


def test_where_nothing_happens_the_keyframes_due_after_a_minute_are_counted(
    plan: SurveyAndSample, take_in: TakeIn, media: Path
) -> None:
    make_clip(media / "still.mp4", seconds=600, gop=20, level=lambda second: 90)
    _, expected = plan(media)
    assert expected.keyframes == pytest.approx(take_in(media).keyframes, abs=3)


def test_members_of_archives_are_counted_by_their_names(plan: SurveyAndSample, media: Path) -> None:
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.write(make_photo(media / "a.jpg"), "a.jpg")
        out.writestr("notes.txt", "nothing")
    (media / "a.jpg").unlink()
    found, _ = plan(media)
    assert (len(found.pending), found.skipped) == (1, {"not media": 1})


def test_members_of_archives_that_are_done_are_known_and_nothing_is_written(
    plan: SurveyAndSample, take_in: TakeIn, media: Path, settings: Settings
) -> None:
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        for name in ("a.jpg", "b.jpg", "twin.jpg"):
            make_photo(media / name, (len(name) * 20, 0, 0))
            out.write(media / name, name)
            (media / name).unlink()
    os.utime(media / "trip.zip", (1_700_000_000, 1_700_000_000))
    found, _ = plan(media)
    assert (len(found.pending), found.duplicates) == (2, 1)
    assert not settings.data_dir.exists()
    take_in(media)
    held = sorted(path.stat().st_mtime_ns for path in settings.data_dir.rglob("*.jpg"))
    before = settings.ledger_path.read_bytes()
    found, _ = plan(media)
    assert (found.known, found.pending) == (3, [])
    assert settings.ledger_path.read_bytes() == before
    assert sorted(path.stat().st_mtime_ns for path in settings.data_dir.rglob("*.jpg")) == held


def test_any_first_few_places_are_spread_evenly() -> None:
    assert sorted(spread(8)) == [number / 8 for number in range(8)]
    for count in (2, 4, 16):
        assert sorted(islice(spread(64), count)) == [number / count for number in range(count)]


def test_nothing_at_all_is_a_plan_too(plan: SurveyAndSample, media: Path) -> None:
    found, expected = plan(media)
    assert found.pending == [] and (expected.keyframes, expected.seconds) == (0, 0.0)
