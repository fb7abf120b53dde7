"""Ingesting again, with another camera, time or tags, what a library has already."""

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Unpack

import pytest

from ingest.curation.corrections import (
    SetCamera,
    Shift,
    apply_correction,
    plan_correction,
    resume_correction,
)
from ingest.curation.known_sources import LEFT, correct_known, find_known
from ingest.curation.tagging import change_tags
from ingest.jobs.client import Jobs
from ingest.options import IngestOptions
from ingest.report import IngestReport
from ingest.rows.journal import Journal
from search_core.schema.entity import TAGS_MAX_CAPACITY, MediaEntity, ms_from_datetime
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import IngestArguments, TakeIn, Work
from tests.support.made_media import make_clip, make_photo

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def rows(store: MemoryStore) -> dict[str, MediaEntity]:
    return {e.id: e for e in store.entities("main", limit=10_000)}


@pytest.fixture
def again(settings: Settings, store: MemoryStore, take_in: TakeIn) -> TakeIn:
    """Ingest paths again and correct what was there already; returns the report."""

    def run(*paths: Path | str, **options: Unpack[IngestArguments]) -> IngestReport:
        report = take_in(*paths, **options)
        camera, tags = options.get("camera"), options.get("tags", ())
        known = find_known(store, "main", report, camera, tags)
        correct_known(settings, store, known, report)
        return report

    return run


def test_another_camera_time_and_tag_are_given_to_what_is_there(
    store: MemoryStore, take_in: TakeIn, media: Path, again: TakeIn
) -> None:
    clip = make_clip(media / "gate.mp4", seconds=3)
    make_photo(media / "porch.jpg")
    take_in(media, tags=("night",))
    before = rows(store)

    report = again(clip, camera="gate-3", started_at=MORNING, tags=("rain",))

    assert (report.skipped, report.corrected, report.corrected_keyframes) == (1, 1, 3)
    assert [o.reason for o in report.outcomes] == ["already in the library; corrected as given"]
    for entity in rows(store).values():
        if not entity.in_video:
            assert entity == before[entity.id]
            continue
        assert entity.camera == "gate-3"
        assert entity.captured_at == ms_from_datetime(MORNING) + entity.pts_ms
        assert entity.captured_from == "given"
        assert entity.tags == ("night", "rain")
        assert entity.ingested_at == before[entity.id].ingested_at
    assert again(clip, camera="gate-3", started_at=MORNING, tags=("rain",)).corrected == 0


def test_without_options_everything_stays(
    store: MemoryStore, take_in: TakeIn, media: Path, again: TakeIn
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media, camera="gate", tags=("night",))
    before = rows(store)

    report = again(media)

    assert (report.corrected, rows(store)) == (0, before)
    assert [o.reason for o in report.outcomes] == ["already in the library"]


def test_corrections_and_tags_outlive_an_ingest_with_other_keyframes(
    settings: Settings, store: MemoryStore, media: Path, again: TakeIn
) -> None:
    clip = make_clip(media / "gate.mp4", seconds=4)
    again(media, keyframes="interval:2", started_at=MORNING)
    for change in (Shift(timedelta(hours=1)), SetCamera("gate-3")):
        planned = plan_correction(settings, store, "main", change, Filter())
        apply_correction(settings, store, planned)
    change_tags(store, "main", Filter(), add=["mine"])
    before = rows(store)

    report = again(clip, keyframes="interval:1")

    assert (report.done, report.corrected, len(rows(store))) == (1, 0, 4)
    start_ms = ms_from_datetime(MORNING + timedelta(hours=1))
    for entity in rows(store).values():
        assert (entity.camera, entity.captured_at) == ("gate-3", start_ms + entity.pts_ms)
        assert entity.captured_from == "given"
        assert entity.tags == (("mine",) if entity.id in before else ())
    [outcome] = report.outcomes
    assert "keeps its camera and time in the library" in outcome.warning
    assert again(clip, keyframes="interval:0.5", camera="gate-3").outcomes[0].warning != ""
    assert again(media, keyframes="iframe").outcomes[0].warning == outcome.warning


def test_with_other_keyframes_a_given_camera_counts_for_the_earlier_ones_too(
    store: MemoryStore, media: Path, again: TakeIn
) -> None:
    make_clip(media / "gate.mp4", seconds=4)
    again(media, keyframes="interval:1", camera="gate")

    report = again(media, keyframes="interval:2", camera="yard", started_at=MORNING)

    assert (report.done, report.corrected, report.corrected_keyframes) == (1, 1, 2)
    assert report.outcomes[0].warning == ""
    for entity in rows(store).values():
        assert entity.camera == "yard"
        assert entity.captured_at == ms_from_datetime(MORNING) + entity.pts_ms


def test_a_correction_that_was_stopped_counts_in_an_ingest_with_other_keyframes(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path
) -> None:
    make_clip(media / "gate.mp4", seconds=4)
    take_in(media, keyframes="interval:2")
    planned = plan_correction(settings, store, "main", SetCamera("yard"), Filter())
    with Journal(settings) as journal:
        journal.begin("main", planned.asked, planned.rows)

    take_in(media, keyframes="interval:1")
    resume_correction(settings, store, "main")

    assert {e.camera for e in rows(store).values()} == {"yard"}
    assert len(rows(store)) == 4


def test_new_files_and_members_of_archives_are_told_apart_from_known_ones(
    store: MemoryStore, take_in: TakeIn, media: Path, again: TakeIn
) -> None:
    inside = make_photo(media / "inside.png", (0, 90, 0))
    with zipfile.ZipFile(media / "box.zip", "w") as archive:
        archive.write(inside, "inside.png")
    inside.unlink()
    take_in(media)
    make_photo(media / "new.jpg")

    report = again(media, camera="gate-3")

    assert (report.done, report.corrected) == (1, 1)
    assert {e.camera for e in rows(store).values()} == {"gate-3"}


def test_a_row_full_of_tags_gets_the_camera_all_the_same(
    store: MemoryStore, take_in: TakeIn, media: Path, again: TakeIn
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media, tags=tuple(f"tag {number}" for number in range(TAGS_MAX_CAPACITY)))

    again(media, camera="gate-3", tags=("one more",))

    [entity] = rows(store).values()
    assert (entity.camera, len(entity.tags)) == ("gate-3", TAGS_MAX_CAPACITY)


def test_nothing_is_corrected_while_a_correction_is_unfinished(
    settings: Settings, store: MemoryStore, take_in: TakeIn, media: Path, again: TakeIn
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media)

    def stop(written: int, total: int) -> None:
        raise KeyboardInterrupt

    planned = plan_correction(settings, store, "main", Shift(timedelta(hours=1)), Filter())
    with pytest.raises(KeyboardInterrupt):
        apply_correction(settings, store, planned, stop)
    before = rows(store)

    report = again(media, camera="gate-3")

    assert rows(store) == before
    assert [o.reason for o in report.outcomes] == [LEFT]


@pytest.mark.parametrize(("correct", "camera"), [(True, "gate-3"), (False, "gate")])
def test_a_job_corrects_known_files_where_it_may(
    store: MemoryStore,
    take_in: TakeIn,
    media: Path,
    jobs: Jobs,
    work: Work,
    correct: bool,
    camera: str,
) -> None:
    make_photo(media / "porch.jpg")
    take_in(media, camera="gate")
    change_tags(store, "main", Filter(), add=["mine"])

    job_id = jobs.submit_ingest(
        [str(media)], "main", IngestOptions(camera="gate-3"), correct_known=correct
    )
    work()

    [entity] = rows(store).values()
    assert (entity.camera, entity.tags) == (camera, ("mine",))
    job = jobs.get(job_id)
    assert job is not None and job.report is not None
    [result] = job.report["results"]
    assert result["why"] == ("already in the library; corrected as given" if correct else LEFT)
