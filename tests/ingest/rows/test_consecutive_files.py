"""A recorder's short files: what one shows as the one before it does is not kept again."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ingest.engines.base import Opened
from ingest.estimate.planner import Planner
from ingest.estimate.probe import FoldingEstimate, Prober
from ingest.estimate.survey import Survey, surveyed
from ingest.intake import Plan
from ingest.ledger import Ledger
from ingest.options import IngestOptions
from ingest.rows.embedding import Gate, Row
from search_core.schema.entity import FrameRef
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.conftest import make_entity
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECONDS = 10
VIEW = np.random.default_rng(1).integers(90, 130, (72, 128, 3)).astype(np.uint8)


def yard(
    time_s: float,
    *,
    begins_s: float = 0.0,
    red_from_s: float = 1e9,
    red_until_s: float = 1e9,
) -> np.ndarray:
    """A view in which nothing moves; from some moment on a red thing stands in it."""
    picture = VIEW.copy()
    if red_from_s <= begins_s + time_s < red_until_s:
        picture[20:50, 40:70] = (230, 20, 20)
    return picture


def street(time_s: float, *, begins_s: float = 0.0) -> np.ndarray:
    """A view through which a thing passes in the second half of every twelve seconds."""
    number, at_s = divmod(begins_s + time_s, 12)
    picture = VIEW.copy()
    if at_s >= 6:
        left = int((at_s - 6) * 16)
        picture[20:50, left : left + 30] = [(230, 20, 20), (20, 230, 20), (20, 20, 230)][
            int(number) % 3
        ]
    return picture


def record(
    folder: Path,
    count: int,
    *,
    red_from_s: float = 1e9,
    red_until_s: float = 1e9,
    gap_s: float = 0.0,
) -> None:
    """Write a recording cut into files of ten seconds, each with the time it begins."""
    for number in range(count):
        begins_s = number * SECONDS
        starts = START + timedelta(seconds=number * (SECONDS + gap_s))
        make_clip(
            folder / f"{number:03}.mp4",
            seconds=SECONDS,
            picture=partial(
                yard, begins_s=begins_s, red_from_s=red_from_s, red_until_s=red_until_s
            ),
            metadata={"creation_time": starts.isoformat()},
            container_options={"movflags": "use_metadata_tags"},
        )


def planned(media: Path, settings: Settings, encoder: HistogramEncoder) -> tuple[Plan, Survey]:
    """Return the plan of an ingest of a folder, and what that would meet."""
    plan = Plan.of([str(media)], IngestOptions(), settings, encoder, "main")
    return plan, surveyed([str(media)], plan, settings)


def kept(store: MemoryStore) -> list[float]:
    """Return when keyframes were captured, in seconds from the start."""
    start_ms = START.timestamp() * 1000
    return sorted((one.captured_at - start_ms) / 1000 for one in store.entities("main"))


def test_files_that_show_what_the_one_before_shows_are_folded(
    take_in: TakeIn, media: Path, store: MemoryStore, ledger: Ledger, settings: Settings
) -> None:
    record(media, 8)
    report = take_in(media, camera="yard")
    assert report.done == 8
    # One keyframe a minute stays, as within a file.
    assert kept(store) == [0, 60]
    assert report.keyframes == 2 and report.left_out >= 6
    assert len(list(settings.thumbnails_dir.rglob("*.jpg"))) == 2
    assert sum(row.keyframes for row in ledger.outcomes("main", "done")) == 2
    again = take_in(media, camera="yard")
    assert (again.done, again.skipped) == (0, 8)
    assert kept(store) == [0, 60]


def test_a_plan_foretells_what_is_folded(
    take_in: TakeIn, media: Path, settings: Settings, encoder: HistogramEncoder
) -> None:
    record(media, 9, red_from_s=35)
    plan, found = planned(media, settings, encoder)
    expected = Planner(settings, encoder, plan, budget_s=20.0).expect(found, 1, 1)
    report = take_in(media)
    assert report.left_out > 6
    assert expected.keyframes == report.keyframes
    assert expected.thumbnail_bytes > 0


def test_what_a_plan_samples_stands_for_the_files_between(
    media: Path, settings: Settings, encoder: HistogramEncoder
) -> None:
    """Of 40 files a run of seven is sampled, and one by itself: one keyframe a minute stays."""
    record(media, 40)
    plan, found = planned(media, settings, encoder)
    tasks = [pending.task for pending in found.pending]
    with closing(Prober(limit_s=5.0)) as prober:
        headers = {}
        for task in tasks:
            header = prober.header(task)
            assert isinstance(header, Opened)
            headers[task.uri] = header
        estimate = FoldingEstimate(tasks, headers, plan)
        assert list(estimate.following(10)) == [11, 12, 13, 14, 15, 16]
        for index in (10, *estimate.following(10), 30):
            sample = prober.sample(tasks[index], 0)
            assert sample.whole and sample.failed is None
            estimate.add(index, sample)
    repeated, share = estimate.repeated()
    assert share == 5 / 6
    assert repeated == pytest.approx(5 + 2 * 5 / 6)


def test_what_comes_into_the_view_is_kept(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    record(media, 4, red_from_s=20)
    take_in(media, camera="yard")
    assert kept(store) == [0, 20]


def test_the_view_in_which_nothing_happens_is_not_new_after_each_event(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    """The last keyframe of it is more than a minute ago, but files since then showed it."""
    record(media, 9, red_from_s=62, red_until_s=66)
    take_in(media, camera="yard")
    assert [time_s for time_s in kept(store) if time_s >= 70] == []
    assert kept(store)[0] == 0 and any(60 <= time_s < 70 for time_s in kept(store))


@pytest.mark.parametrize("seconds", [2, 4])
def test_a_recording_in_short_files_gives_what_it_gives_whole(
    take_in: TakeIn, media: Path, store: MemoryStore, seconds: int
) -> None:
    """Things of other colours come, pass and go; every file begins in the midst of it."""
    make_clip(
        media / "whole.mp4",
        seconds=64,
        picture=street,
        gop=10,
        metadata={"creation_time": (START - timedelta(hours=1)).isoformat()},
        container_options={"movflags": "use_metadata_tags"},
    )
    for begins_s in range(0, 64, seconds):
        make_clip(
            media / f"{begins_s:03}.mp4",
            seconds=seconds,
            picture=partial(street, begins_s=begins_s),
            gop=10,
            metadata={"creation_time": (START + timedelta(seconds=begins_s)).isoformat()},
            container_options={"movflags": "use_metadata_tags"},
        )
    take_in(media, camera="street")
    whole = [time_s + 3600 for time_s in kept(store) if time_s < 0]
    cut = [time_s for time_s in kept(store) if time_s >= 0]
    for passes_s in range(6, 60, 12):
        assert any(passes_s <= time_s < passes_s + 6 for time_s in whole)
        assert any(passes_s <= time_s < passes_s + 6 for time_s in cut)
    assert len(cut) <= len(whole) + 2


def test_files_taken_in_later_are_compared_with_what_is_there(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    record(media, 4)
    for number in range(4):
        take_in(media / f"{number:03}.mp4", camera="yard")
    assert kept(store) == [0]


@pytest.mark.parametrize(("cameras", "gap_s"), [(("a", "b"), 0.0), (("a", "a"), 300.0)])
def test_other_cameras_and_later_recordings_are_not_folded(
    take_in: TakeIn, media: Path, store: MemoryStore, cameras: tuple[str, str], gap_s: float
) -> None:
    record(media, 2, gap_s=gap_s)
    for number, camera in enumerate(cameras):
        take_in(media / f"{number:03}.mp4", camera=camera)
    assert len(kept(store)) == 2


def test_ways_that_keep_every_frame_fold_nothing(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    record(media, 2)
    take_in(media, camera="yard", keyframes="interval:5")
    assert kept(store) == [0, 5, 10, 15]


def test_near_duplicates_are_told_per_source_and_track() -> None:
    near, far = np.eye(3, dtype=np.float32)[:2]
    made = partial(make_entity, media_type="frame", span_ms=1_000)
    gate = Gate(0.01)
    offers = [
        ("a", near),
        ("b", near),
        ("a", near),
        ("a", far),
        ("b", far),
        ("a", far),
        ("a", near),
    ]
    told = []
    for second, (source, embedding) in enumerate(offers):
        entity = made(second, source_id=source, pts_ms=1_000 * second)
        told.append([kept.entity.pts_ms for kept in gate.offer(Row(entity, embedding[None]))])
    # Each is let through when one comes that differs from it.
    assert told == [[], [], [], [0], [1_000], [], [3_000]]
    assert [kept.entity.span_ms for kept in gate.end("b")[0]] == [1_000]
    rows, left_out = gate.end("a")
    assert [kept.entity.pts_ms for kept in rows] == [6_000]
    assert [entity.pts_ms for entity in left_out] == [2_000, 5_000]
    assert not gate.offer(Row(made(8, source_id="a", pts_ms=8_000), near[None]))
    other_track = made(9, id=FrameRef("a", 9_000, 1).primary_key, source_id="a", pts_ms=9_000)
    assert len(gate.offer(Row(other_track, near[None]))) == 1 and not gate.end("a")[1]
    everything = Gate(0.0)
    assert all(len(everything.offer(Row(made(n), near[None]))) == 1 for n in range(3))
