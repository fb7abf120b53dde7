"""What is small before the wide cameras is found, and by its own box."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import sightline
from ingest.options import IngestOptions
from sightline.cli.demo import TOP
from sightline.demo.footage import moments, render_clip
from sightline.demo.scenes.clips import WIDE_CLIPS
from sightline.demo.scenes.render import render_scene
from sightline.demo.scenes.scenes import Vehicle
from sightline.demo.training.sampling import span
from sightline.demo.training.truth import still_scenes

SENTENCE = "a blue car"
SMALL = 0.06


def test_a_thing_a_twentieth_of_the_height_is_found_by_its_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = replace(WIDE_CLIPS[0], duration_ms=14_000)
    monkeypatch.chdir(tmp_path)
    footage = tmp_path / "footage"
    render_clip(clip, footage / clip.camera / f"{clip.camera}.mp4")
    (footage / "stills").mkdir()
    for number, scene in enumerate(still_scenes()[:12]):
        Image.fromarray(render_scene(scene, 640, 360)).save(footage / "stills" / f"{number}.jpg")

    with sightline.open(tmp_path / "data") as workspace:
        library = workspace.library()
        report = library.ingest([footage], IngestOptions())
        assert not report.failed
        hits = library.search(SENTENCE, k=TOP)
    found = next(hit for hit in hits if hit.entity.camera == clip.camera)
    assert any(moment.holds(clip.camera, found.entity.pts_ms) for moment in moments(SENTENCE))

    car = next(
        thing
        for thing in clip.scene_at(found.entity.pts_ms).things
        if isinstance(thing, Vehicle) and thing.colour == "blue"
    )
    left, top, right, bottom = span(car)
    assert bottom - top <= SMALL
    assert found.box is not None
    assert found.box[0] <= left and found.box[1] <= top
    assert right <= found.box[2] and bottom <= found.box[3]
    assert found.box[2] - found.box[0] < 3 * (right - left)
