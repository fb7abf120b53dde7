"""The sample footage: clips that decode, ground truth that agrees with them, and a second call that
does nothing.
"""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import sightline.demo.footage as footage_module
from search_core.encoders.catalogue import knows_footage
from sightline.demo.footage import (
    DEMO_SENTENCES,
    KEYFRAME_EVERY,
    ClipRenderer,
    ground_truth,
    moments,
    render_clip,
    render_footage,
)
from sightline.demo.scenes.clips import CLIPS, STREET_CLIPS, WIDE_CLIPS, WIDE_SIZE
from sightline.demo.scenes.facts import Sentence
from sightline.demo.scenes.scenes import Dog, Person, Placement, Vehicle
from sightline.demo.scenes.tracks import cross, pull_up, visible_share
from sightline.demo.training.sampling import span
from sightline.demo.training.truth import FPS, STILLS, still_scenes


def test_a_clip_decodes_with_every_frame_and_a_keyframe_every_two_seconds(tmp_path: Path) -> None:
    clip = replace(CLIPS[0], duration_ms=5_000)
    path = tmp_path / "clip.mp4"
    render_clip(clip, path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (640, 360)
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        created = container.metadata["creation_time"]
        assert created.startswith(clip.started_at.strftime("%Y-%m-%dT%H:%M:%S"))
        times, keys = [], []
        for frame in container.decode(stream):
            times.append(float(frame.time or 0.0))
            keys.append(frame.key_frame)
    assert len(times) == 5 * FPS
    assert [index for index, key in enumerate(keys) if key] == [
        0,
        KEYFRAME_EVERY,
        2 * KEYFRAME_EVERY,
    ]
    np.testing.assert_allclose(times, np.arange(len(times)) / FPS, atol=0.002)
    assert list(tmp_path.iterdir()) == [path]


def test_frames_are_the_same_every_time() -> None:
    first, second = (ClipRenderer(CLIPS[3], 160, 90) for _ in range(2))
    for t_ms in (0, 30_000):
        np.testing.assert_array_equal(first.frame(t_ms), second.frame(t_ms))
    assert np.abs(first.frame(0).astype(int) - first.frame(30_000)).max() > 40


def test_there_are_enough_clips_from_different_cameras_long_enough() -> None:
    assert len({clip.camera for clip in CLIPS}) == len(CLIPS) >= 6
    assert all(clip.duration_ms >= 60_000 for clip in STREET_CLIPS)
    assert all(clip.duration_ms >= 30_000 for clip in WIDE_CLIPS)
    assert all(clip.started_at.tzinfo is not None for clip in CLIPS)
    assert {clip.place for clip in CLIPS} >= {"junction", "car_park", "gate", "snow_field"}


@pytest.mark.parametrize("sentence", DEMO_SENTENCES, ids=lambda sentence: sentence.text)
def test_each_demo_sentence_has_one_moment_long_enough_to_be_caught(sentence: Sentence) -> None:
    found = moments(sentence)
    assert found == moments(sentence.text)
    assert len(found) == 1
    assert found[0].end_ms - found[0].start_ms >= 4_000
    middle = (found[0].start_ms + found[0].end_ms) / 2
    assert found[0].holds(found[0].camera, middle)
    assert not found[0].holds("another-camera", middle)
    assert not found[0].holds(found[0].camera, found[0].end_ms)


def test_a_sentence_without_claims_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the demo's sentences"):
        moments("a zebra")


def test_no_still_answers_a_demo_sentence() -> None:
    scenes = still_scenes()
    assert len(scenes) == STILLS
    assert not any(sentence.holds(scene) for sentence in DEMO_SENTENCES for scene in scenes)


def test_the_ground_truth_agrees_with_the_scenes() -> None:
    truth = ground_truth()
    assert len(truth["clips"]) == len(CLIPS)
    assert len(truth["stills"]) == STILLS
    for clip, record in zip(CLIPS, truth["clips"], strict=True):
        assert record["duration_ms"] == clip.duration_ms
        assert len(record["appearances"]) >= 4
        for appearance in record["appearances"]:
            start, end = appearance["start_ms"], appearance["end_ms"]
            assert 0 <= start < end <= clip.duration_ms
            seen = clip.visible_at((start + end) // 2).things
            assert appearance["attributes"]["kind"] in {thing.kind for thing in seen}
    json.dumps(truth)


def test_every_thing_is_visible_for_four_seconds() -> None:
    for clip in CLIPS:
        for thing in {(track.thing.kind, track.thing.look) for track in clip.tracks}:
            tracks = [t for t in clip.tracks if (t.thing.kind, t.thing.look) == thing]
            times = range(0, clip.duration_ms, 100)
            shown = [
                t
                for t in times
                if any((at := track.at(t)) and visible_share(at) > 0.6 for track in tracks)
            ]
            assert len(shown) * 100 >= 4_000, (clip.camera, thing)


def test_things_before_wide_cameras_are_a_twentieth_to_a_fifth_of_the_height() -> None:
    things = [track.thing for clip in WIDE_CLIPS for track in clip.tracks]
    heights = [bottom - top for _, top, _, bottom in map(span, things)]
    assert 0.0499 <= min(heights) <= 0.06
    assert 0.19 <= max(heights) <= 0.2001
    feet = [thing.at.y for thing in things]
    assert 0.2 < min(feet) < 0.4 and 0.9 < max(feet) < 1.0


def test_a_wide_camera_has_more_pixels(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    render_clip(replace(WIDE_CLIPS[0], duration_ms=1_000), path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == WIDE_SIZE
        assert len(list(container.decode(stream))) == FPS


def test_tracks_move_steadily_and_stop_where_they_should() -> None:
    car = Vehicle(Placement(0.5, 0.8, 0.4, -1, 0.0), "car", "red")
    track = pull_up(car, 2, 0.5, 6)
    stopped = track.at(6_000)
    assert stopped is not None and stopped.at.x == 0.5
    assert track.at(1_999) is None and track.at(track.end_ms) is None
    walker = Person(Placement(0.5, 0.9, 0.5, 1, 0.0), "red", "blue", "walking")
    positions = [cross(walker, 0, 10).at(t) for t in range(0, 10_000, 500)]
    steps = [b.at.x - a.at.x for a, b in pairwise(p for p in positions if p)]
    assert min(steps) > 0 and max(steps) - min(steps) < 1e-6
    assert len({p.at.phase for p in positions if p}) > 4
    assert visible_share(
        Dog(Placement(0.0, 0.9, 0.5, 1, 0.0), "black", "running")
    ) == pytest.approx(0.5)


def test_rendering_twice_does_nothing_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tuple(replace(clip, duration_ms=1_000) for clip in CLIPS[:2])
    monkeypatch.setattr(footage_module, "CLIPS", short)
    monkeypatch.setattr(footage_module, "STILLS", 3)
    told: list[tuple[int, int]] = []
    first = render_footage(tmp_path, workers=1, on_progress=lambda *pair: told.append(pair))
    assert told[-1][0] == told[-1][1] == len(told)
    assert [clip.camera for clip in first.clips] == [clip.camera for clip in short]
    assert all(clip.path.is_file() for clip in first.clips)
    assert len(list(first.stills.glob("*.jpg"))) == 3
    assert json.loads(first.ground_truth.read_text())["clips"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert render_footage(tmp_path, workers=1) == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before
    first.clips[0].path.unlink()
    render_footage(tmp_path, workers=1)
    assert first.clips[0].path.is_file()
    assert not list(tmp_path.rglob("*.partial*"))


def test_the_demo_encoder_knows_the_cameras_of_the_sample_footage_and_no_others() -> None:
    cameras = [*(clip.camera for clip in CLIPS), "stills"]
    assert knows_footage("sightline-demo", cameras)
    assert not knows_footage("sightline-demo", [*cameras, "gate"])
    assert knows_footage("ViT-B-32", ["gate"])
